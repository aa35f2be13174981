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


def test_g_and_v_are_trained():
    keras.utils.set_random_seed(0)
    x = keras.Input((4,))
    model = keras.Model(x, WeightNormDense(2)(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [host(w).copy() for w in model.trainable_weights]
    model.train_on_batch(tensor(X), tensor(np.ones((50, 2))))
    assert len(before) == 3
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, host(new))
