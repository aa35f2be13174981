import keras
import numpy as np
import pytest
from keras import ops

from keras_gen.layers import DiffAugment
from keras_gen.training import input_gradient
from tests.conftest import host
from tests.conftest import tensor

X = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 3)).astype("float32")


@pytest.mark.parametrize("ratio, most", [((0.25,), 2), ((), 1)])
def test_translation_moves_by_whole_pixels_and_by_all_of_them(ratio, most):
    """By up to an eighth where nothing else is asked for."""
    layer = DiffAugment()
    y = host(layer.translation(tensor(X), *ratio))
    moves = set()
    for before, after in zip(X, y, strict=True):
        padded = np.pad(before, ((most, most), (most, most), (0, 0)))
        found = [
            (i, j)
            for i in range(2 * most + 1)
            for j in range(2 * most + 1)
            if np.allclose(padded[i : i + 8, j : j + 8], after)
        ]
        assert len(found) == 1
        moves |= set(found)
    assert {i for i, _ in moves} == {j for _, j in moves}
    assert {i for i, _ in moves} == set(range(2 * most + 1))
    np.testing.assert_allclose(host(layer.translation(tensor(X), 0.0)), X)


def test_cutout_blanks_a_square():
    y = host(DiffAugment().cutout(tensor(X)))
    sides = set()
    for before, after in zip(X, y, strict=True):
        changed = (before != after).any(axis=-1)
        rows, columns = changed.any(axis=1), changed.any(axis=0)
        sides |= {rows.sum(), columns.sum()}
        assert (changed == np.outer(rows, columns)).all()
        assert (after[changed] == 0).all()
    assert sides == {2, 3, 4}  # half of 8; less where it reaches outside


def test_color_is_affine_in_each_image():
    """Of a grey image only brightness and contrast are seen."""
    grey = np.repeat(X[..., :1], 3, axis=-1)
    y = host(DiffAugment().color(tensor(grey)))
    np.testing.assert_allclose(y[..., 0], y[..., 1], atol=1e-5)
    slopes, shifts = [], []
    for before, after in zip(grey[..., 0], y[..., 0], strict=True):
        slope = after.std() / before.std()
        slopes.append(slope)
        shifts.append(after.mean() - before.mean())
        expected = (before - before.mean()) * slope + after.mean()
        np.testing.assert_allclose(after, expected, atol=1e-5)
    # Uniform in [0.5, 1.5] and [-0.5, 0.5], of so many nearly to the ends.
    assert 0.5 <= min(slopes) < 0.65 and 1.35 < max(slopes) <= 1.5
    assert -0.50001 <= min(shifts) < -0.35 and 0.35 < max(shifts) <= 0.50001
    mixed = host(DiffAugment().color(tensor(X)))
    saturation = [
        np.std(b - b.mean(-1, keepdims=True))
        / np.std(a - a.mean(-1, keepdims=True))
        for a, b in zip(X, mixed, strict=True)
    ]
    assert max(saturation) <= 3.0 and np.std(saturation) > 0.3


def test_color_is_brightness_then_saturation_then_contrast(monkeypatch):
    """Of 0.25, 1.5 and 1.25, where every uniform number is 0.75."""
    monkeypatch.setattr(DiffAugment, "_uniform", lambda *_: 0.75)
    bright = X + 0.25
    grey = bright.mean(axis=-1, keepdims=True)
    mean = bright.mean(axis=(1, 2, 3), keepdims=True)
    expected = 1.25 * (1.5 * (bright - grey) + grey - mean) + mean
    y = host(DiffAugment().color(tensor(X)))
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_gradients_flow_through():
    """Where a pixel is seen its gradient is 1, and 0 where it is cut."""
    layer = DiffAugment(("translation", "cutout"))
    g = host(input_gradient(lambda x: layer(x, training=True), tensor(X)))
    assert set(np.unique(g)) == {0.0, 1.0}
    color = DiffAugment(("color",))
    g = host(input_gradient(lambda x: color(x, training=True), tensor(X)))
    assert np.abs(g).max() > 0.1


def test_off_outside_training_and_at_p_zero():
    x = tensor(X)
    np.testing.assert_array_equal(host(DiffAugment()(x, training=False)), X)
    np.testing.assert_array_equal(host(DiffAugment(p=0.0)(x, training=True)), X)
    keras.utils.set_random_seed(0)
    y = host(DiffAugment(("cutout",), p=0.25)(x, training=True))
    changed = (y != X).any(axis=(1, 2, 3)).mean()
    assert 0.05 < changed < 0.45


def test_p_follows_how_sure_the_discriminator_is():
    layer = DiffAugment(p=0.5, target=0.6, adapt_over=1_000)
    layer.adapt(ops.ones((100, 1)))
    assert np.isclose(host(layer.p), 0.6)
    layer.adapt(
        ops.reshape(tensor(np.tile([1.0, 1.0, -1.0, 1.0], 50)), (-1, 1))
    )
    assert np.isclose(host(layer.p), 0.4)  # E[sign] = 0.5 is below the target
    for _ in range(10):
        layer.adapt(-ops.ones((100, 1)))
    assert host(layer.p) == 0.0
    # It starts without, as Karras et al. do.
    assert host(DiffAugment(target=0.6).p) == 0.0
    fixed = DiffAugment(p=0.5)
    fixed.adapt(ops.ones((100, 1)))
    assert host(fixed.p) == 0.5


def test_bad_input():
    with pytest.raises(ValueError, match="`policy` must be a tuple"):
        DiffAugment(("colour",))
    with pytest.raises(ValueError, match="`policy` must be a tuple"):
        DiffAugment("color")
    with pytest.raises(ValueError, match="`p` must be"):
        DiffAugment(p=2)
    with pytest.raises(ValueError, match="`adapt_over` must be"):
        DiffAugment(adapt_over=0)
    with pytest.raises(ValueError, match="takes images of shape"):
        DiffAugment()(tensor(np.ones((2, 3))), training=True)
    with pytest.raises(ValueError, match="`target` must be"):
        DiffAugment(target=1)
