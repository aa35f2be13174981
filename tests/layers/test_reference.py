import keras
import numpy as np
import pytest

from keras_gen.layers import DropReference
from keras_gen.layers import ReferenceBatch
from keras_gen.layers import VirtualBatchNormalization
from tests.conftest import host
from tests.conftest import tensor

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(6, 3, 3, 2)).astype("float32")


def batch_norm(x, epsilon=1e-3):
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)


@pytest.mark.parametrize("x", [X, X[:, 0, 0]])
def test_the_set_without_one_as_reference_gives_its_batch_norm(x):
    """Each sample weighs as much as one of the reference."""
    expected = batch_norm(x)
    for i in range(6):
        others = np.delete(x, i, axis=0)
        layer = VirtualBatchNormalization(5)
        y = host(layer(tensor(np.concatenate([others, x[i : i + 1]]))))
        np.testing.assert_allclose(y[5], expected[i], rtol=1e-3, atol=1e-5)
        # The reference batch itself gets plain batch normalisation.
        np.testing.assert_allclose(
            y[:5], batch_norm(others), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("include_example", [True, False])
def test_a_sample_does_not_depend_on_its_batch(include_example):
    inputs = keras.Input((3, 3, 2))
    reference = ReferenceBatch(4)
    y = VirtualBatchNormalization(4, include_example)(reference(inputs))
    model = keras.Model(inputs, DropReference(4)(y))
    reference.set_reference(X[:4])
    whole = host(model(tensor(X), training=True))
    assert whole.shape == X.shape
    one = host(model(tensor(X[5:]), training=False))
    np.testing.assert_allclose(one[0], whole[5], rtol=1e-4, atol=1e-6)
    if not include_example:
        axes = (0, 1, 2)
        mean, variance = X[:4].mean(axes), X[:4].var(axes)
        expected = (X[5] - mean) / np.sqrt(variance + 1e-3)
        np.testing.assert_allclose(one[0], expected, rtol=1e-3, atol=1e-5)


def test_the_reference_is_saved(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, DropReference(3)(ReferenceBatch(3)(inputs)))
    model.layers[1].set_reference(np.arange(6).reshape(3, 2))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(
        host(loaded.layers[1].reference), np.arange(6).reshape(3, 2)
    )


def test_bad_input():
    with pytest.raises(ValueError, match="`size` must be at least 2"):
        VirtualBatchNormalization(1)
    layer = ReferenceBatch(3)
    layer.build((None, 2))
    with pytest.raises(ValueError, match="`x` must have the shape"):
        layer.set_reference(np.zeros((2, 2)))
