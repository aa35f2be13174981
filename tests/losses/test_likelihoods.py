import math

import keras
import numpy as np
import pytest

from keras_gen import models
from keras_gen import nets
from keras_gen.losses import Bernoulli
from keras_gen.losses import DiscretizedLogistic
from keras_gen.losses import Gaussian
from keras_gen.losses import Laplace
from keras_gen.losses import get_likelihood
from tests.conftest import host
from tests.conftest import tensor


def test_bernoulli_is_binary_cross_entropy():
    rng = np.random.default_rng(0)
    pixels = rng.uniform(size=(3, 4, 4, 1)).astype("float32")
    logits = rng.normal(size=pixels.shape).astype("float32")
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    expected = -(pixels * np.log(p) + (1 - pixels) * np.log(1 - p))
    nll = host(Bernoulli().nll(tensor(2 * pixels - 1), tensor(logits)))
    np.testing.assert_allclose(nll, expected.sum(axis=(1, 2, 3)), rtol=1e-5)


def test_bernoulli_sums_to_one_over_binary_images():
    images = np.array(list(np.ndindex(2, 2, 2, 2)), "float32")
    images = 2 * images.reshape(-1, 2, 2, 1) - 1
    logits = np.array([0.3, -2.0, 1.0, 5.0], "float32").reshape(1, 2, 2, 1)
    nll = host(
        Bernoulli().nll(tensor(images), tensor(logits.repeat(16, axis=0)))
    )
    assert math.isclose(np.exp(-nll).sum(), 1.0, rel_tol=1e-5)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
def test_gaussian_density_integrates_to_one(sigma):
    x = np.linspace(-30, 30, 60_001).astype("float32")[:, None]
    nll = host(Gaussian(sigma).nll(tensor(x), tensor(np.full_like(x, 0.4))))
    integral = np.exp(-nll.astype("float64")).sum() * (x[1, 0] - x[0, 0])
    assert math.isclose(integral, 1.0, rel_tol=1e-3)


def test_gaussian_is_squared_error_at_variance_one_half():
    rng = np.random.default_rng(0)
    x, m = rng.normal(size=(2, 5, 3, 3, 2)).astype("float32")
    nll = host(Gaussian(math.sqrt(0.5)).nll(tensor(x), tensor(m)))
    constant = 18 / 2 * math.log(math.pi)
    squared = ((x - m) ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(nll, squared + constant, rtol=1e-5)


def test_means_are_images():
    outputs = np.reshape([-50.0, 0.0, 50.0], (1, 1, 3, 1))
    for likelihood in (Bernoulli(), Gaussian()):
        means = host(likelihood.mean(tensor(outputs))).flatten()
        np.testing.assert_allclose(means, [-1, 0, 1], atol=1e-6)


def test_configurations_and_names():
    config = keras.saving.serialize_keras_object(Gaussian(0.3))
    assert keras.saving.deserialize_keras_object(config).sigma == 0.3
    with pytest.raises(ValueError, match="`likelihood` must be one of"):
        get_likelihood("normal")
    with pytest.raises(ValueError, match="`sigma` must be positive"):
        Gaussian(0.0)


@pytest.mark.parametrize("scale", [0.1, 0.7])
def test_laplace_density_integrates_to_one(scale):
    x = np.linspace(-30, 30, 60_001).astype("float32")[:, None]
    nll = host(Laplace(scale).nll(tensor(x), tensor(np.full_like(x, 0.4))))
    integral = np.exp(-nll.astype("float64")).sum() * (x[1, 0] - x[0, 0])
    assert math.isclose(integral, 1.0, rel_tol=1e-3)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_a_decoder_of_probabilities_is_refused(activation):
    """Their logits are what the likelihood takes."""
    dense, reshape = keras.layers.Dense, keras.layers.Reshape((8, 8, 1))
    decoder = keras.Sequential(
        [keras.Input((2,)), dense(64, activation), reshape]
    )
    encoder = nets.dense_encoder((8, 8, 1), 2, outputs=2, units=(4,))
    with pytest.raises(ValueError, match=f"ends in {activation}. Leave out"):
        models.VAE(encoder, decoder)
    models.VAE(encoder, decoder, likelihood="gaussian")
    logits = keras.Model(decoder.inputs, 10.0 * decoder.outputs[0])
    models.VAE(encoder, logits)


def test_values_by_hand():
    """At 0.3 from the middle: the laws, not others that integrate to one."""
    x, m = tensor([[0.3]]), tensor([[0.0]])
    found = host(Laplace(0.5).nll(x, m)).item()
    assert math.isclose(found, math.log(2 * 0.5) + 0.3 / 0.5, rel_tol=1e-6)
    # The level 165 of 255 is 0.29412, in a bin of 1/127.5.
    x = tensor([[165 / 127.5 - 1]])
    found = host(DiscretizedLogistic(0.1).nll(x, m)).item()
    edges = [(165 + shift) / 127.5 - 1 for shift in (-0.5, 0.5)]
    low, high = (1 / (1 + math.exp(-edge / 0.1)) for edge in edges)
    assert math.isclose(found, -math.log(high - low), rel_tol=1e-4)


@pytest.mark.parametrize("scale", [0.002, 0.02, 0.5])
@pytest.mark.parametrize("m", [-1.3, -1.0, 0.1, 0.99])
def test_discretized_logistic_sums_to_one_over_the_levels(scale, m):
    x = (np.arange(256, dtype="float32") / 127.5 - 1)[:, None]
    likelihood = DiscretizedLogistic(scale)
    nll = host(likelihood.nll(tensor(x), tensor(np.full_like(x, m))))
    assert np.isfinite(nll).all()
    total = np.exp(-nll.astype("float64")).sum()
    assert math.isclose(total, 1.0, rel_tol=1e-3)


def test_optimal_sigma_leaves_the_log_of_the_error():
    rng = np.random.default_rng(0)
    x, m = rng.normal(size=(2, 5, 3, 3, 2)).astype("float32")
    nll = host(Gaussian("optimal").nll(tensor(x), tensor(m)))
    mse = ((x - m) ** 2).mean()
    expected = 0.5 * math.log(2 * math.pi * math.e * mse)
    assert math.isclose(nll.mean() / 18, expected, rel_tol=1e-5)
    best = host(Gaussian(math.sqrt(mse)).nll(tensor(x), tensor(m))).mean()
    assert math.isclose(nll.mean(), best, rel_tol=1e-5)
    for sigma in (0.9, 1.1):
        other = Gaussian(float(sigma * math.sqrt(mse)))
        assert host(other.nll(tensor(x), tensor(m))).mean() > best


@pytest.mark.parametrize("make", [Gaussian, Laplace, DiscretizedLogistic])
def test_a_learned_scale_is_one_trained_weight(make):
    learned, fixed = make("learned"), make(0.3)
    assert len(learned.trainable_weights) == 1 and not fixed.weights
    learned.log_scale.assign(math.log(0.3))
    rng = np.random.default_rng(0)
    x, m = rng.uniform(-1, 1, (2, 5, 3, 3, 2)).astype("float32")
    np.testing.assert_allclose(
        host(learned.nll(tensor(x), tensor(m))),
        host(fixed.nll(tensor(x), tensor(m))),
        rtol=1e-4,
    )
    config = keras.saving.serialize_keras_object(learned)
    assert keras.saving.deserialize_keras_object(config).log_scale is not None
    with pytest.raises(ValueError, match="must be positive or"):
        make("best")


@pytest.mark.parametrize("name", ["gaussian", "laplace"])
def test_points_are_not_clipped_as_pixels_are(name):
    likelihood = get_likelihood(name)
    points, images = (
        host(likelihood.mean(tensor(np.full(shape, 4.0))))
        for shape in ((1, 2), (1, 2, 2, 1))
    )
    assert (points == 4).all() and (images == 1).all()
