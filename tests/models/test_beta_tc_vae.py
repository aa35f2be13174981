import keras
import numpy as np
import pytest

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
    model = kg.models.BetaTCVAE(*networks(), dataset_size=96, beta=1.0)
    logs = logs_of(model, x)
    mu, log_var = model.run_network(model.encoder, x)
    z = mu + np.exp(0.5 * log_var) * noise
    kl = (log_normal(z, mu, log_var) - log_normal(z, 0.0, 0.0)).mean()
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-4)
    assert logs["loss"] == pytest.approx(
        logs["reconstruction_loss"] + kl, rel=1e-5
    )


def test_each_weight_weighs_its_term(digits, noise):
    x = digits[0][0]
    nets = networks()
    base = logs_of(kg.models.BetaTCVAE(*nets, 96, beta=1.0), x)
    information, correlation = (
        base["mutual_information"],
        base["total_correlation"],
    )
    rest = base["kl_loss"] - information - correlation
    for name, term in (
        ("alpha", information),
        ("beta", correlation),
        ("gamma", rest),
    ):
        weights = {"beta": 1.0, name: 3.0}
        loss = logs_of(kg.models.BetaTCVAE(*nets, 96, **weights), x)["loss"]
        assert loss == pytest.approx(base["loss"] + 2 * term, rel=1e-5)


def test_info_vae_holds_the_vae(digits, noise):
    x = digits[0][0]
    nets = networks()
    info = logs_of(kg.models.InfoVAE(*nets, alpha=0.0, scale=1.0), x)
    vae = logs_of(kg.models.VAE(*nets), x)
    assert info["loss"] == pytest.approx(vae["loss"], rel=1e-6)
    other = logs_of(kg.models.InfoVAE(*nets, alpha=0.25, scale=5.0), x)
    expected = other["reconstruction_loss"]
    expected += 0.75 * other["kl_loss"] + 4.25 * other["mmd"]
    assert other["loss"] == pytest.approx(expected, rel=1e-5)


def test_bad_input():
    nets = networks()
    with pytest.raises(ValueError, match="`dataset_size` must be at least 1"):
        kg.models.BetaTCVAE(*nets, dataset_size=0)
    with pytest.raises(ValueError, match="`1 - alpha` must be a finite"):
        kg.models.InfoVAE(*nets, alpha=1.5)
    with pytest.raises(ValueError, match="`alpha.*scale - 1` must be a"):
        kg.models.InfoVAE(*nets, alpha=0.0, scale=0.5)
