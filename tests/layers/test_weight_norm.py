import keras
import numpy as np
import pytest

from keras_gen.layers import WeightNormDense
from keras_gen.layers import initialize_from_data
from tests.conftest import host
from tests.conftest import tensor

X = np.random.default_rng(0).normal(1.0, 2.0, size=(50, 4)).astype("float32")


def test_length_and_direction():
    layer = WeightNormDense(3)
    layer.build((None, 4))
    g, b = np.array([0.5, -2.0, 3.0]), np.array([1.0, 0.0, -1.0])
    layer.g.assign(g)
    layer.bias.assign(b)
    v = host(layer.kernel).copy()
    expected = X @ (g * v / np.linalg.norm(v, axis=0)) + b
    np.testing.assert_allclose(host(layer(tensor(X))), expected, rtol=1e-4)
    layer.kernel.assign(7 * v)  # the length of v does not matter
    np.testing.assert_allclose(host(layer(tensor(X))), expected, rtol=1e-4)


def test_initialised_from_data(tmp_path):
    x = keras.Input((4,))
    first = WeightNormDense(5)(x)
    second = WeightNormDense(2)(keras.layers.ReLU()(first))
    network = keras.Model(x, [first, second])
    initialize_from_data(network, X)
    for y in network(tensor(X)):
        np.testing.assert_allclose(host(y).mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(host(y).std(axis=0), 1, rtol=1e-3)
    network.save(tmp_path / "m.keras")
    copy = keras.saving.load_model(tmp_path / "m.keras")
    for a, b in zip(network(tensor(X)), copy(tensor(X)), strict=True):
        np.testing.assert_allclose(host(a), host(b), rtol=1e-6)
    with pytest.raises(ValueError, match="at least two samples"):
        initialize_from_data(network, X[:1])


def test_initialised_behind_noise():
    x = keras.Input((4,))
    layer = WeightNormDense(3)
    noisy = keras.layers.GaussianNoise(1.0, seed=0)(x)
    data = np.tile(X, (400, 1))
    initialize_from_data(keras.Model(x, layer(noisy)), data)
    # Directions have length one, so noise adds its own variance.
    v = host(layer.kernel) / np.linalg.norm(host(layer.kernel), axis=0)
    std = np.sqrt((data @ v).std(axis=0) ** 2 + 1.0)
    np.testing.assert_allclose(host(layer.g), 1 / std, rtol=0.02)


@pytest.mark.parametrize("train_scale", [True, False])
def test_v_is_trained_and_g_if_told(train_scale):
    keras.utils.set_random_seed(0)
    x = keras.Input((4,))
    layer = WeightNormDense(2, train_scale=train_scale)
    layer = WeightNormDense.from_config(layer.get_config())
    model = keras.Model(x, layer(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [host(w).copy() for w in model.weights]
    model.train_on_batch(tensor(X), tensor(np.ones((50, 2))))
    assert len(before) == 3
    for weight, old in zip(model.weights, before, strict=True):
        fixed = weight is layer.g and not train_scale
        assert np.array_equal(old, host(weight)) == fixed
