import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES
from tests.conftest import host
from tests.conftest import tensor

SHAPE = (8, 8, 1)


def test_the_kl_term_is_that_between_posterior_and_prior(digits):
    model = CASES["conditional_vae"]()
    rng = np.random.default_rng(0)
    model.prior.set_weights(
        [0.5 * rng.normal(size=w.shape) for w in model.prior.get_weights()]
    )
    x, y = digits[0]
    one_hot = np.eye(10, dtype="float32")[y]
    mu, log_var = (host(t) for t in model.encoder([tensor(x), tensor(one_hot)]))
    m, log_s2 = (host(t) for t in model.prior(tensor(one_hot)))
    eps = rng.standard_normal((20_000, *mu.shape))
    z = mu + np.exp(0.5 * log_var) * eps
    log_q = -0.5 * ((z - mu) ** 2 / np.exp(log_var) + log_var)
    log_p = -0.5 * ((z - m) ** 2 / np.exp(log_s2) + log_s2)
    expected = (log_q - log_p).sum(axis=-1).mean()
    logs = model.objective(tensor(x), y, training=False)
    assert abs(float(host(logs["kl_loss"])) - expected) < 0.01 * expected + 0.01
    total = logs["reconstruction_loss"] + logs["kl_loss"]
    np.testing.assert_allclose(host(logs["loss"]), host(total), rtol=1e-6)


def test_the_decoder_sees_the_draw_and_its_label(digits, monkeypatch):
    """Reconstruction by hand, and beta times the KL term beside it."""
    eps = np.random.default_rng(0).normal(size=(32, 3))
    monkeypatch.setattr(keras.random, "normal", lambda shape, seed: tensor(eps))
    options = {"latent_dim": 3, "num_classes": 10}
    model = kg.models.ConditionalVAE(
        kg.nets.dense_encoder(SHAPE, outputs=2, **options),
        kg.nets.dense_decoder(SHAPE, **options),
        beta=4.0,
    )
    x, y = digits[0]
    one_hot = np.eye(10, dtype="float32")[y]
    mu, log_var = model.run_network(model.encoder, [x, one_hot])
    z = mu + np.exp(0.5 * log_var) * eps
    outputs = model.run_network(model.decoder, [z, one_hot])
    expected = host(model.likelihood.nll(tensor(x), tensor(outputs))).mean()
    logs = model.objective(tensor(x), y, training=False)
    nll = host(logs["reconstruction_loss"])
    np.testing.assert_allclose(nll, expected, rtol=1e-5)
    expected = nll + 4.0 * host(logs["kl_loss"])
    np.testing.assert_allclose(host(logs["loss"]), expected, rtol=1e-6)


def test_a_fresh_prior_is_the_standard_normal():
    prior = kg.nets.label_prior(10, 3)
    for output in prior(tensor(np.eye(10))):
        assert not host(output).any()


def test_samples_come_from_the_prior_of_the_class():
    model = CASES["conditional_vae"]()
    kernel = np.zeros((10, 3), "float32")
    kernel[4] = [1.0, -2.0, 0.5]
    log_variance = np.zeros((10, 3), "float32")
    log_variance[4] = [0.5, -1.0, -3.0]
    mean_bias, _, variance_bias = model.prior.get_weights()[1:]
    model.prior.set_weights([kernel, mean_bias, log_variance, variance_bias])
    noise = np.array([[0.3, -1.2, 0.8]], "float32")
    found = model.from_noise(noise, [4], use_ema=False)
    z = kernel[4] + np.exp(0.5 * log_variance[4]) * noise
    expected = model.decode(z, [4], use_ema=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_style_is_carried_over(digits):
    """Decoding with the label it was encoded with is reconstruction."""
    model = CASES["conditional_vae"]()
    x, y = digits[0]
    z = model.encode(x, y)
    np.testing.assert_allclose(
        model.decode(z, y), model.reconstruct(x, y), atol=1e-6
    )
    other = model.decode(z, (y + 1) % 10)
    assert np.abs(other - model.decode(z, y)).max() > 1e-3


def test_log_prior_integrates_to_one():
    model = CASES["conditional_vae"]()
    rng = np.random.default_rng(0)
    model.prior.set_weights(
        [0.3 * rng.normal(size=w.shape) for w in model.prior.get_weights()]
    )
    axis = np.linspace(-6, 6, 61)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(1, -1, 3)
    density = np.exp(model.log_prior(grid, np.array([3]), use_ema=False))
    assert abs(density.sum() * 0.2**3 - 1) < 1e-3


def test_bad_input(digits):
    model = CASES["conditional_vae"]()
    x, y = digits[0]
    with pytest.raises(ValueError, match="`labels` must be an integer"):
        model.generate(3)
    with pytest.raises(ValueError, match=r"in \[0, 10\).*\[3, 10\]"):
        model.generate(2, labels=[3, 10])
    with pytest.raises(ValueError, match="or 2 integers"):
        model.generate(2, labels=[1, 2, 3])
    with pytest.raises(ValueError, match="`labels` must be an integer"):
        model.encode(x)
    with pytest.raises(ValueError, match="labels=None"):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match=r"\[0, 10\).*Received values"):
        model.fit(x, y + 5, verbose=0)
    options = {"latent_dim": 3, "num_classes": 10}
    encoder = kg.nets.dense_encoder(SHAPE, outputs=2, **options)
    decoder = kg.nets.dense_decoder(SHAPE, **options)
    with pytest.raises(ValueError, match=r"`decoder` must have 2 input\(s\)"):
        kg.models.ConditionalVAE(encoder, kg.nets.dense_decoder(SHAPE, 3))
    with pytest.raises(ValueError, match="must take the same labels"):
        kg.models.ConditionalVAE(
            encoder, kg.nets.dense_decoder(SHAPE, 3, num_classes=9)
        )
    with pytest.raises(ValueError, match="`prior` must turn labels"):
        kg.models.ConditionalVAE(
            encoder, decoder, prior=kg.nets.label_prior(10, 4)
        )
    assert model.generate(2, labels=7, seed=0).shape == (2, *SHAPE)


def test_conv_networks_take_labels():
    options = {"latent_dim": 3, "num_classes": 4}
    model = kg.models.ConditionalVAE(
        kg.nets.conv_encoder(SHAPE, outputs=2, filters=(4,), **options),
        kg.nets.conv_decoder(SHAPE, filters=(4,), **options),
    )
    model.compile(keras.optimizers.Adam(1e-3))
    x = np.zeros((8, *SHAPE), "float32")
    model.fit(x, np.arange(8) % 4, verbose=0)
    assert model.generate(2, labels=[0, 3]).shape == (2, *SHAPE)
