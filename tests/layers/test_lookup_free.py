import keras
import numpy as np
import pytest
from scipy.special import softmax

from keras_gen import layers
from keras_gen.training import input_gradient
from tests.conftest import host
from tests.conftest import tensor


def test_indices_are_the_bits_of_the_signs():
    layer = layers.LookupFreeQuantizer(3)
    codes = np.arange(8).reshape(8, 1, 1, 1).astype("int32")
    vectors = host(layer.decode(keras.ops.convert_to_tensor(codes)))
    bits = (codes[:, 0, 0] >> np.arange(3)) & 1
    np.testing.assert_array_equal(vectors[:, 0, 0], 2 * bits - 1)
    q, indices, _ = layer(tensor(0.3 * vectors))
    np.testing.assert_allclose(host(q), vectors, atol=1e-6)
    np.testing.assert_array_equal(host(indices), codes)
    _, indices, _ = layer(tensor(np.zeros((1, 1, 1, 3))))
    assert host(indices).item() == 7  # sign(0) = 1


def test_the_loss_is_commitment_and_entropies():
    z = np.random.default_rng(0).normal(size=(4, 2, 2, 3)).astype("float32")
    layer = layers.LookupFreeQuantizer(3, 0.25, 0.1, temperature=2.0)
    _, _, loss = layer(tensor(z))
    codes = 2 * ((np.arange(8)[:, None] >> np.arange(3)) & 1) - 1
    squared = ((z.reshape(-1, 1, 3) - codes) ** 2).sum(axis=-1)
    p = softmax(-squared / 2.0, axis=1)
    each = -(p * np.log(p)).sum(axis=1).mean()
    together = -(p.mean(axis=0) * np.log(p.mean(axis=0))).sum()
    commitment = squared.min(axis=1).sum() / 4
    expected = 0.25 * commitment + 0.1 * 4 * (each - together)
    np.testing.assert_allclose(host(loss), expected, rtol=1e-4)


def test_the_gradient_passes_straight_through():
    layer = layers.LookupFreeQuantizer(2)
    z = tensor(np.random.default_rng(0).normal(size=(3, 1, 1, 2)))
    gradient = input_gradient(lambda z: 3.0 * layer(z)[0], z)
    np.testing.assert_allclose(host(gradient), 3.0, rtol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="`dim` must be at most 14"):
        layers.LookupFreeQuantizer(15)
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        layers.LookupFreeQuantizer(2, temperature=0)
