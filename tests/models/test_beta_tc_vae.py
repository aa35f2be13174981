import keras
import numpy as np
import pytest
from scipy.special import logsumexp

import keras_gen as kg
from keras_gen.training.latent import log_normal
from tests.conftest import host
from tests.conftest import tensor

SHAPE = (8, 8, 1)


def networks():
    return (
        kg.nets.dense_encoder(SHAPE, 3, outputs=2, units=(8,)),
        kg.nets.dense_decoder(SHAPE, 3, units=(8,)),
    )


@pytest.fixture
def noise(monkeypatch):
    eps = np.random.default_rng(0).normal(size=(32, 3))
    monkeypatch.setattr(keras.random, "normal", lambda shape, seed: tensor(eps))
    return eps


def logs_of(model, x):
    logs = model.objective(tensor(x), None, training=False)
    return {name: float(host(value)) for name, value in logs.items()}


def test_equal_weights_are_the_sampled_kl(digits, noise):
    x = digits[0][0]
    nets = networks()
    model = kg.models.BetaTCVAE(*nets, dataset_size=96, beta=1.0)
    logs, vae = logs_of(model, x), logs_of(kg.models.VAE(*nets), x)
    mu, log_var = model.run_network(model.encoder, x)
    z = mu + np.exp(0.5 * log_var) * noise
    kl = (log_normal(z, mu, log_var) - log_normal(z, 0.0, 0.0)).mean()
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-4)
    assert logs["loss"] == pytest.approx(
        vae["reconstruction_loss"] + kl, rel=1e-5
    )


def test_the_terms_are_those_of_the_batch(digits, noise):
    """Information and total correlation by hand, from the weights of MSS."""
    x = digits[0][0]
    nets = networks()
    base = logs_of(kg.models.BetaTCVAE(*nets, 96, beta=1.0), x)
    mu, log_var = kg.models.VAE(*nets)._encoder_outputs(x, None, None, None)
    z = mu + np.exp(0.5 * log_var) * noise
    weights = np.full((32, 32), 1 / 31)
    weights[np.arange(32), (np.arange(32) + 1) % 32] = (96 - 31) / (96 * 31)
    np.fill_diagonal(weights, 1 / 96)
    parts = [
        log_normal(
            z[:, None, j : j + 1], mu[:, j : j + 1], log_var[:, j : j + 1]
        )
        for j in range(3)
    ]
    log_q_z = logsumexp(sum(parts), axis=1, b=weights)
    product = sum(logsumexp(part, axis=1, b=weights) for part in parts)
    information = (log_normal(z, mu, log_var) - log_q_z).mean()
    correlation = (log_q_z - product).mean()
    rest = (product - log_normal(z, 0.0, 0.0)).mean()
    assert base["mutual_information"] == pytest.approx(information, rel=1e-4)
    assert base["total_correlation"] == pytest.approx(correlation, rel=1e-4)
    for name, term in (
        ("alpha", information),
        ("beta", correlation),
        ("gamma", rest),
    ):
        weights = {"beta": 1.0, name: 3.0}
        loss = logs_of(kg.models.BetaTCVAE(*nets, 96, **weights), x)["loss"]
        assert loss == pytest.approx(base["loss"] + 2 * term, rel=1e-4)


def test_info_vae_holds_the_vae(digits, noise):
    x = digits[0][0]
    nets = networks()
    info = logs_of(kg.models.InfoVAE(*nets, alpha=0.0, scale=1.0), x)
    vae = logs_of(kg.models.VAE(*nets), x)
    assert info["loss"] == pytest.approx(vae["loss"], rel=1e-6)


def test_the_mmd_is_between_codes_and_prior(digits, monkeypatch):
    rng = np.random.default_rng(0)
    draws = [rng.normal(size=(32, 3)) for _ in range(2)]
    queue = list(draws)
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: tensor(queue.pop(0))
    )
    x = digits[0][0]
    model = kg.models.InfoVAE(*networks(), alpha=0.25, scale=5.0)
    logs = logs_of(model, x)
    mu, log_var = model.run_network(model.encoder, x)
    z = mu + np.exp(0.5 * log_var) * draws[0]
    mmd = float(host(kg.losses.squared_mmd(tensor(z), tensor(draws[1]))))
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1).mean()
    assert logs["mmd"] == pytest.approx(mmd, rel=1e-3)
    expected = logs["reconstruction_loss"] + 0.75 * kl + 4.25 * mmd
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)


def test_bad_input():
    nets = networks()
    with pytest.raises(ValueError, match="`dataset_size` must be at least 1"):
        kg.models.BetaTCVAE(*nets, dataset_size=0)
    with pytest.raises(ValueError, match="`1 - alpha` must be a finite"):
        kg.models.InfoVAE(*nets, alpha=1.5)
    with pytest.raises(ValueError, match="`alpha.*scale - 1` must be a"):
        kg.models.InfoVAE(*nets, alpha=0.0, scale=0.5)
