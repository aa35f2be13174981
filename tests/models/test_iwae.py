import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.losses import gaussian_log_density
from tests.conftest import host
from tests.conftest import tensor
from tests.models.test_vae import linear_gaussian_vae


def linear_gaussian_iwae(k):
    vae = linear_gaussian_vae()
    return kg.models.IWAE(
        vae.encoder, vae.decoder, k, likelihood=vae.likelihood
    )


@pytest.mark.parametrize(
    "k, expected", [(1, -2.16861), (2, -2.0537), (5, -2.0098), (20, -1.9931)]
)
def test_the_bound_of_a_linear_gaussian_model(k, expected):
    x = tensor(np.full((100_000, 1), 1.7))
    loss = linear_gaussian_iwae(k).objective(x, None, training=False)["loss"]
    assert abs(-float(host(loss)) - expected) < 5 / np.sqrt(100_000 * k)


W = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 2)))[0] * [1.5, 0.7]


def with_exact_posterior(make, *arguments):
    """z ~ N(0, I), x|z ~ N(W z, 0.64 I), W'W diagonal, q(z|x) = p(z|x)."""
    var = 1 / (1 + (W**2).sum(axis=0) / 0.64)
    x, z = keras.Input((3,)), keras.Input((2,))
    mean, log_var = keras.layers.Dense(2), keras.layers.Dense(2)
    encoder = keras.Model(x, [mean(x), log_var(x)])
    mean.set_weights([W * var / 0.64, np.zeros(2)])
    log_var.set_weights([np.zeros((3, 2)), np.log(var)])
    decode = keras.layers.Dense(3, use_bias=False)
    decoder = keras.Model(z, decode(z))
    decode.set_weights([W.T])
    likelihood = kg.losses.Gaussian(sigma=0.8)
    return make(encoder, decoder, *arguments, likelihood=likelihood)


def test_with_the_exact_posterior_every_weight_is_the_density():
    """Whatever the noise, and only if each x meets its own z."""
    x = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    cov = W @ W.T + 0.64 * np.eye(3)
    square = (x * np.linalg.solve(cov, x.T).T).sum(axis=1)
    log_p = -0.5 * (square + np.log(np.linalg.det(2 * np.pi * cov)))
    model = with_exact_posterior(kg.models.IWAE, 3)
    loss = model.objective(tensor(x), None, training=True)["loss"]
    np.testing.assert_allclose(-host(loss), log_p.mean(), rtol=1e-4)
    for make in (kg.models.VAE, kg.models.IWAE):
        model = with_exact_posterior(make)
        for n in (1, 3):
            found = model.log_likelihood(x, num_samples=n)
            np.testing.assert_allclose(found, log_p, rtol=1e-4)


class SampledKL(kg.models.VAE):
    """A VAE whose KL term is estimated by the sample it decodes."""

    def objective(self, x, y, training):
        mu, log_var = self.encoder(x, training=training)
        eps = keras.random.normal(keras.ops.shape(mu), seed=self.seed_generator)
        z = mu + keras.ops.exp(0.5 * log_var) * eps
        nll = self.likelihood.nll(x, self.decoder(z, training=training))
        kl = gaussian_log_density(z, mu, log_var)
        kl = kl - gaussian_log_density(z, 0.0, 0.0)
        loss = keras.ops.mean(nll + keras.ops.sum(kl, axis=-1))
        return dict.fromkeys(self.log_means, loss)


def test_one_sample_moves_the_weights_as_a_vae_does(monkeypatch, digits):
    """Equal noise: one step of plain gradient descent, equal weights."""

    def noise(shape, seed):
        eps = tensor(np.random.default_rng(0).normal(size=(32, 2)))
        return keras.ops.reshape(eps, [int(n) for n in shape])

    monkeypatch.setattr(keras.random, "normal", noise)
    weights = []
    for make in (lambda e, d: kg.models.IWAE(e, d, 1), SampledKL):
        keras.utils.set_random_seed(3)
        model = make(
            kg.nets.dense_encoder((8, 8, 1), 2, outputs=2, units=(8,)),
            kg.nets.dense_decoder((8, 8, 1), 2, units=(8,)),
        )
        model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
        before = [host(w).copy() for w in model.trainable_weights]
        model.train_on_batch(tensor(digits[0][0]))
        weights.append([host(w) for w in model.trainable_weights])
    for start, a, b in zip(before, *weights, strict=True):
        assert not np.array_equal(start, a)
        np.testing.assert_allclose(a, b, atol=1e-6)


def move_of_the_posterior(make, x):
    """The gradient of the loss in the mean and log-variance of q(z|x)."""
    inputs = keras.Input((1,))
    encoder = keras.Model(
        inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)]
    )
    start = [np.zeros((1, 1)), np.array([0.51])]
    start += [np.zeros((1, 1)), np.array([np.log(0.8)])]
    encoder.set_weights(start)
    z = keras.Input((1,))
    decoder = keras.Model(z, keras.layers.Rescaling(1.0)(z))
    model = make(encoder, decoder, likelihood=kg.losses.Gaussian(1.0))
    model.seed_generator = keras.random.SeedGenerator(5)
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(tensor(x))
    return [a - b for a, b in zip(start, encoder.get_weights(), strict=True)]


def test_one_sample_moves_the_weights_as_the_closed_form_on_average():
    """At x = 1.7 the gradient in the mean m is 2 m - x, in ln v v - 1/2."""

    def iwae(encoder, decoder, **arguments):
        return kg.models.IWAE(encoder, decoder, 1, **arguments)

    many, one = np.full((400_000, 1), 1.7), np.full((1, 1), 1.7)
    for make in (kg.models.VAE, iwae):
        _, mean, _, log_var = move_of_the_posterior(make, many)
        assert abs(mean[0] - (2 * 0.51 - 1.7)) < 0.01
        assert abs(log_var[0] - (0.8 - 0.5)) < 0.01
    a, b = (move_of_the_posterior(m, one)[1] for m in (kg.models.VAE, iwae))
    assert abs(a[0] - b[0]) > 0.01  # one sample is not the average


def test_bad_input():
    encoder = kg.nets.dense_encoder((8, 8, 1), 2, outputs=2)
    decoder = kg.nets.dense_decoder((8, 8, 1), 2)
    with pytest.raises(ValueError, match="`num_samples` must be at least 1"):
        kg.models.IWAE(encoder, decoder, 0)
    with pytest.raises(ValueError, match="may not be fitted to the batch"):
        optimal = kg.losses.Gaussian("optimal")
        kg.models.IWAE(encoder, decoder, 2, likelihood=optimal)
