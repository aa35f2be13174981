import keras
import numpy as np
import pytest
from scipy.special import logsumexp

import keras_gen as kg
from keras_gen.training.latent import log_normal
from tests.conftest import host
from tests.conftest import tensor

SHAPE = (8, 8, 1)


def vamp(count, images=None):
    model = kg.models.VampVAE(
        kg.nets.dense_encoder(SHAPE, 3, outputs=2, units=(8,)),
        kg.nets.dense_decoder(SHAPE, 3, units=(8,)),
        num_pseudo_inputs=count,
    )
    if images is not None:
        model.pseudo_inputs.images.assign(images)
    return model


@pytest.mark.parametrize("count", [1, 32])
def test_the_prior_is_the_mean_of_the_posteriors(count, digits):
    """With the data as pseudo-inputs, the aggregate posterior."""
    x = digits[0][0][:count]
    model = vamp(count, x)
    z = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    mu, log_var = model.run_network(model.encoder, x)
    terms = log_normal(z[..., None, :], mu, log_var)
    expected = logsumexp(terms, axis=-1) - np.log(count)
    np.testing.assert_allclose(model.log_prior(z), expected, rtol=1e-5)


def test_the_loss_is_the_bound(digits, monkeypatch):
    eps = np.random.default_rng(0).normal(size=(32, 3))
    monkeypatch.setattr(keras.random, "normal", lambda shape, seed: tensor(eps))
    model = vamp(4)
    x = digits[0][0]
    logs = model.objective(tensor(x), None, training=False)
    mu, log_var = model.run_network(model.encoder, x)
    z = mu + np.exp(0.5 * log_var) * eps
    log_p = model.log_prior(z[:, None])[:, 0]
    kl = (log_normal(z, mu, log_var) - log_p).mean()
    outputs = model.decoder(tensor(z))
    nll = host(model.likelihood.nll(tensor(x), outputs)).mean()
    np.testing.assert_allclose(host(logs["kl_loss"]), kl, rtol=1e-4)
    np.testing.assert_allclose(host(logs["loss"]), nll + kl, rtol=1e-5)


def test_samples_are_drawn_from_every_component(monkeypatch, digits):
    model = vamp(3, digits[0][0][:3])
    monkeypatch.setattr(model, "decode", lambda z, *_: z)
    noise = np.random.default_rng(0).normal(size=(60_000, 4))
    z = model.from_noise(noise)
    mu, log_var = model.run_network(model.encoder, digits[0][0][:3])
    mean = mu.mean(axis=0)
    second = (np.exp(log_var) + mu**2).mean(axis=0)
    spread = 5 * z.std(axis=0) / np.sqrt(len(z))
    assert (np.abs(z.mean(axis=0) - mean) < spread).all()
    spread = 5 * (z**2).std(axis=0) / np.sqrt(len(z))
    assert (np.abs((z**2).mean(axis=0) - second) < spread).all()


def test_pseudo_inputs_stay_in_range_and_move(digits):
    model = vamp(2)
    before = host(model.pseudo_inputs.images).copy()
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(digits, epochs=5, verbose=0)
    after = host(model.pseudo_inputs.images)
    assert before.min() >= -1 and before.max() <= 0
    assert after.min() == -1 or after.max() == 1
    assert np.abs(after).max() <= 1
    assert (before != after).mean() > 0.9


def test_bad_input():
    with pytest.raises(ValueError, match="`num_pseudo_inputs` must be at"):
        vamp(0)
