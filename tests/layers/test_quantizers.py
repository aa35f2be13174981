import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen import layers
from keras_gen.training import input_gradient
from tests.conftest import host
from tests.conftest import tensor

RNG = np.random.default_rng(0)


def grid(batch=4, dim=3, scale=1.0):
    return (scale * RNG.normal(size=(batch, 5, 5, dim))).astype("float32")


def brute_force(z, codebook):
    """Return the nearest code of each vector, and its index."""
    d = np.linalg.norm(z[..., None, :] - codebook, axis=-1)
    return codebook[d.argmin(axis=-1)], d.argmin(axis=-1)


@pytest.mark.parametrize("ema_decay", [None, 0.99])
def test_vectors_become_the_nearest_codes(ema_decay):
    layer = layers.VectorQuantizer(7, 3, ema_decay=ema_decay)
    codebook = RNG.normal(size=(7, 3)).astype("float32")
    layer.codebook.assign(codebook)
    z = grid()
    q, indices, loss = layer(tensor(z), training=False)
    expected, index = brute_force(z, codebook)
    np.testing.assert_allclose(host(q), expected, atol=1e-6)
    np.testing.assert_array_equal(host(indices)[..., 0], index)
    assert host(indices).dtype == np.int32
    np.testing.assert_allclose(host(layer.decode(indices)), expected)
    squared = ((z - expected) ** 2).sum(axis=(1, 2, 3)).mean()
    terms = 0.25 if ema_decay else 1.25
    np.testing.assert_allclose(host(loss), terms * squared, rtol=1e-5)


def test_the_gradient_passes_straight_through():
    layer = layers.VectorQuantizer(7, 3, beta=0.0)
    w = tensor(grid())
    gradient = input_gradient(
        lambda z: keras.ops.sum(w * layer(z)[0], axis=(1, 2, 3)), tensor(grid())
    )
    np.testing.assert_allclose(host(gradient), host(w), atol=1e-6)


def test_evaluation_changes_no_state():
    layer = layers.VectorQuantizer(7, 3, restart_below=0.5, kmeans_steps=3)
    before = [host(w).copy() for w in layer.weights]
    layer(tensor(grid()), training=False)
    for old, new in zip(before, layer.weights, strict=True):
        np.testing.assert_array_equal(old, host(new))


def test_without_memory_an_update_is_a_step_of_kmeans():
    layer = layers.VectorQuantizer(6, 3, ema_decay=0.0)
    codebook = RNG.normal(size=(6, 3)).astype("float32")
    codebook[5] = 100.0  # never the nearest
    layer.codebook.assign(codebook)
    z = grid(batch=8)
    layer(tensor(z), training=True)
    _, index = brute_force(z, codebook)
    for k in range(5):
        np.testing.assert_allclose(
            host(layer.codebook)[k], z[index == k].mean(axis=0), rtol=1e-4
        )
    np.testing.assert_array_equal(host(layer.codebook)[5], codebook[5])
    assert host(layer.counts).sum() == z[..., 0].size


def test_averages_start_where_the_codes_are():
    """N = 1, m = e: a code moves a little of the way towards its vectors."""
    layer = layers.VectorQuantizer(2, 1, ema_decay=0.9)
    layer.codebook.assign([[0.0], [10.0]])
    layer.sums.assign([[0.0], [10.0]])
    layer(tensor(np.full((1, 5, 1), 2.0)), training=True)
    # N = 0.9 + 0.1 * 5, m = 0.9 * 0 + 0.1 * 10.
    np.testing.assert_allclose(host(layer.codebook)[0], 1.0 / 1.4, rtol=1e-5)


def test_unused_codes_stay():
    layer = layers.VectorQuantizer(3, 1)
    start = np.array([[0.0], [50.0], [-50.0]], "float32")
    layer.codebook.assign(start)
    layer.sums.assign(start)
    z = tensor(np.full((1, 4, 1), 0.1))
    for _ in range(2000 if keras.backend.backend() == "torch" else 200):
        layer(z, training=True)
    np.testing.assert_array_equal(host(layer.codebook)[1:], start[1:])


def test_a_restarted_code_stays_where_it_was_put():
    layer = layers.VectorQuantizer(2, 1, ema_decay=0.5, restart_below=0.6)
    layer.codebook.assign([[0.0], [90.0]])
    layer.sums.assign([[0.0], [90.0]])
    z = tensor(np.full((1, 8, 1), 3.0))
    layer(z, training=True)  # N of the second falls to 0.5: restarted at 3
    np.testing.assert_allclose(host(layer.codebook)[1], 3.0, rtol=1e-6)
    np.testing.assert_allclose(host(layer.counts)[1], 1.0)
    np.testing.assert_allclose(host(layer.sums)[1], 3.0, rtol=1e-6)
    layer(z, training=True)
    np.testing.assert_allclose(host(layer.codebook)[1], 3.0, rtol=1e-6)


def test_a_code_restarted_at_a_high_threshold_lives():
    """Chosen by as many vectors a batch, it is not restarted again."""
    layer = layers.VectorQuantizer(2, 1, ema_decay=0.9, restart_below=4.0)
    layer.counts.assign([9.0, 4.0])
    layer.codebook.assign([[0.0], [90.0]])
    layer(tensor(np.full((1, 8, 1), 3.0)), training=True)
    np.testing.assert_allclose(host(layer.counts)[1], 4.0)
    np.testing.assert_allclose(host(layer.sums)[1], 12.0, rtol=1e-6)
    layer.codebook.assign([[90.0], [3.0]])  # which now gets 8 a batch
    layer(tensor(np.full((1, 8, 1), 3.5)), training=True)
    np.testing.assert_allclose(host(layer.counts)[1], 4.4, rtol=1e-6)
    mean = (0.9 * 12.0 + 0.1 * 28.0) / 4.4
    np.testing.assert_allclose(host(layer.codebook)[1], mean, rtol=1e-6)


def test_restarted_codes_are_spread_over_the_batch():
    """About 13 of the 64 vectors, were they drawn one by one."""
    layer = layers.VectorQuantizer(16, 1, ema_decay=0.5, restart_below=0.6)
    layer.codebook.assign([[0.0]] + 15 * [[9e3]])
    layer(tensor(np.arange(64).reshape(1, 64, 1)), training=True)
    restarted = set(host(layer.codebook)[1:, 0])
    assert restarted <= set(range(64)) and len(restarted) >= 8


def test_kmeans_places_the_codes_once():
    centres = np.array([[0.0, 0], [9, 0], [0, 9], [9, 9]])
    z = centres[np.arange(64) % 4] + 0.01 * RNG.normal(size=(64, 2))
    layer = layers.VectorQuantizer(4, 2, kmeans_steps=5, ema_decay=0.99)
    layer(tensor(z[None]), training=True)
    found = host(layer.codebook)
    found = found[np.lexsort(found.round().T)]
    expected = centres[np.lexsort(centres.T)]
    np.testing.assert_allclose(found, expected, atol=0.05)
    layer(tensor(z[None] + 100), training=True)  # no second placing
    assert np.abs(host(layer.codebook)).max() < 110
    assert (np.abs(host(layer.codebook)) < 20).any(axis=1).sum() >= 3


@pytest.mark.parametrize("steps", [1, 3])
def test_kmeans_takes_the_steps_of_lloyd(steps):
    z = RNG.normal(size=(60, 2)).astype("float32")
    layer = layers.VectorQuantizer(5, 2, kmeans_steps=steps, ema_decay=1 - 1e-7)
    layer(tensor(z[None]), training=True)
    codes = z[np.arange(5) * 7919 % 60]
    for _ in range(steps):
        nearest = np.linalg.norm(z[:, None] - codes, axis=-1).argmin(axis=1)
        codes = np.stack([z[nearest == k].mean(axis=0) for k in range(5)])
    np.testing.assert_allclose(host(layer.codebook), codes, atol=1e-4)


def test_averages_start_at_the_codebook():
    layer = layers.VectorQuantizer(4, 3)
    np.testing.assert_array_equal(host(layer.sums), host(layer.codebook))
    np.testing.assert_array_equal(host(layer.counts), 1)


@pytest.mark.parametrize("levels", [(3,), (8, 5, 5), (4, 3)])
def test_fsq_reaches_every_code_once(levels):
    layer = layers.FiniteScalarQuantizer(levels)
    axes = [np.linspace(-4, 4, 161)] * len(levels)
    z = np.stack(np.meshgrid(*axes[:2]), -1).reshape(-1, min(2, len(levels)))
    z = np.concatenate(
        [z] + [RNG.normal(0, 3, (len(z), 1))] * (len(levels) - 2), 1
    )
    z = z[:, : len(levels)]
    q, indices, _ = layer(tensor(z[None]))
    codes = np.unique(host(indices))
    assert len(codes) == np.prod(levels) == layer.num_codes
    assert codes.min() == 0 and codes.max() == layer.num_codes - 1
    every = np.arange(layer.num_codes, dtype="int32")[:, None]
    vectors = host(layer.decode(keras.ops.convert_to_tensor(every)))
    assert len(np.unique(vectors.round(5), axis=0)) == layer.num_codes
    assert np.abs(vectors).max() <= 1
    np.testing.assert_allclose(host(layer.decode(indices)), host(q), atol=1e-6)


def test_fsq_rounds_with_the_gradient_of_tanh():
    layer = layers.FiniteScalarQuantizer((5, 7))
    z = grid(dim=2)
    gradient = input_gradient(
        lambda x: keras.ops.sum(layer(x)[0], axis=(1, 2, 3)), tensor(z)
    )
    half = np.array([4, 6]) * (1 + 1e-3) / 2
    expected = (1 - np.tanh(z) ** 2) * half / np.array([2, 3])
    np.testing.assert_allclose(host(gradient), expected, atol=1e-5)


@pytest.mark.parametrize("levels", [4, 8])
def test_fsq_with_an_even_number_of_levels(levels):
    """The shift puts a level at 0, and the slope where it belongs."""
    layer = layers.FiniteScalarQuantizer((levels,))
    q, indices, _ = layer(tensor(np.zeros((1, 1, 1))))
    assert host(q).item() == 0 and host(indices).item() == levels // 2
    z = np.linspace(-2, 2, 9).reshape(1, 9, 1)
    gradient = input_gradient(
        lambda x: keras.ops.sum(layer(x)[0], axis=(1, 2)), tensor(z)
    )
    half = (levels - 1) * (1 + 1e-3) / 2
    shift = np.arctanh(0.5 / half)
    expected = (1 - np.tanh(z + shift) ** 2) * half / (levels // 2)
    np.testing.assert_allclose(host(gradient), expected, atol=1e-5)
    bounded = np.tanh(z + shift) * half - 0.5
    expected = np.round(bounded) / (levels // 2)
    np.testing.assert_allclose(host(layer(tensor(z))[0]), expected, atol=1e-6)


def test_a_codebook_without_averages_follows_its_gradient():
    """|sg(z) - e|^2 moves the codes, beta |z - sg(e)|^2 the encoder."""
    layer = layers.VectorQuantizer(2, 1, beta=0.25, ema_decay=None)
    layer.codebook.assign([[1.0], [9.0]])
    z = np.full((1, 4, 1), 3.0)
    gradient = input_gradient(
        lambda x: keras.ops.reshape(layer(x)[2], (1,)), tensor(z)
    )
    np.testing.assert_allclose(host(gradient), 2 * 0.25 * (3 - 1), rtol=1e-6)
    inputs = keras.Input((4, 1))
    model = kg.models.VQVAE(
        keras.Sequential([inputs, keras.layers.Reshape((2, 2, 1))]),
        keras.Sequential(
            [keras.Input((2, 2, 1)), keras.layers.Reshape((4, 1))]
        ),
        layer,
    )
    model.compile(keras.optimizers.SGD(0.01))
    model.train_on_batch(z.astype("float32"))
    # Four vectors chose the first code: 4 * 2 (e - z).
    np.testing.assert_allclose(
        host(layer.codebook), [[1 + 0.01 * 4 * 2 * 2], [9.0]], rtol=1e-5
    )


def residual():
    quantizers = [
        layers.VectorQuantizer(8, 3, kmeans_steps=5) for _ in range(3)
    ]
    return layers.ResidualQuantizer(quantizers)


def test_residuals_add_up_and_shrink():
    layer = residual()
    z = grid(batch=16)
    layer(tensor(z), training=True)
    q, indices, _ = layer(tensor(z), training=False)
    np.testing.assert_allclose(host(layer.decode(indices)), host(q), atol=1e-5)
    assert host(indices).shape == (16, 5, 5, 3)
    rest, norms = z, [np.square(z).sum()]
    for i, quantizer in enumerate(layer.quantizers):
        part = host(quantizer.decode(indices[..., i : i + 1]))
        expected, _ = brute_force(rest, host(quantizer.codebook))
        np.testing.assert_allclose(part, expected, atol=1e-6)
        rest = rest - part
        norms.append(np.square(rest).sum())
    assert norms == sorted(norms, reverse=True)


def test_residuals_are_of_the_codes_before_they_move():
    layer = layers.ResidualQuantizer(
        [layers.VectorQuantizer(8, 3, ema_decay=0.5) for _ in range(2)]
    )
    z = grid(batch=2)
    before = [host(quantizer.codebook).copy() for quantizer in layer.quantizers]
    q, _, loss = layer(tensor(z), training=True)
    rest, expected = z, 0
    for codebook in before:
        part, _ = brute_force(rest, codebook)
        rest = rest - part
        expected = expected + 0.25 * np.square(rest).sum() / len(z)
    np.testing.assert_allclose(host(q), z - rest, atol=1e-5)
    np.testing.assert_allclose(host(loss), expected, rtol=1e-5)


def test_the_commitment_of_every_level_reaches_the_encoder():
    layer = residual()
    z = grid()
    layer(tensor(z), training=True)
    gradient = input_gradient(
        lambda x: keras.ops.reshape(layer(x)[2], (1,)), tensor(z)
    )
    _, indices, _ = layer(tensor(z), training=False)
    rest, expected = z, 0
    for i, quantizer in enumerate(layer.quantizers):
        rest = rest - host(quantizer.decode(indices[..., i : i + 1]))
        expected = expected + 2 * 0.25 * rest / len(z)
    np.testing.assert_allclose(host(gradient), expected, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.VectorQuantizer(200, 3),
        lambda: layers.FiniteScalarQuantizer((40, 41, 42)),
        residual,
    ],
)
def test_half_precision_changes_no_index(make):
    layer, z = make(), tensor(grid(scale=0.5))
    for quantizer in getattr(layer, "quantizers", [layer]):
        for weight in quantizer.weights[:1]:
            weight.assign(0.5 * RNG.normal(size=weight.shape))
    config = keras.saving.serialize_keras_object(layer)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = make()
        loaded = keras.saving.deserialize_keras_object(config)
    finally:
        keras.config.set_dtype_policy("float32")
    expected = host(layer(z)[1])
    for copy in (half, loaded):
        copy.set_weights(layer.get_weights())
        np.testing.assert_array_equal(host(copy(z)[1]), expected)


def test_configuration():
    for layer in (
        layers.VectorQuantizer(7, 3, 0.5, 0.9, 0.1, 2),
        layers.FiniteScalarQuantizer((3, 4)),
        residual(),
    ):
        config = keras.saving.serialize_keras_object(layer)
        copy = keras.saving.deserialize_keras_object(config)
        assert copy.sizes == layer.sizes and copy.dim == layer.dim
        assert len(copy.weights) == len(layer.weights)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.VectorQuantizer(1, 3), "one code holds nothing"),
        (lambda: layers.VectorQuantizer(4, 3, beta=-1), "`beta` must be"),
        (lambda: layers.VectorQuantizer(4, 3, ema_decay=1.0), r"in \[0, 1\)"),
        (
            lambda: layers.VectorQuantizer(
                4, 3, ema_decay=None, kmeans_steps=1
            ),
            "of an averaged codebook",
        ),
        (lambda: layers.FiniteScalarQuantizer((5, 2)), r"in \[3, 1000\]"),
        (lambda: layers.FiniteScalarQuantizer((1002,)), r"in \[3, 1000\]"),
        (
            lambda: layers.ResidualQuantizer(
                [layers.VectorQuantizer(4, d) for d in (2, 3)]
            ),
            "of one `dim`",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
