"""What networks predict: all predictions say the same of the data."""

import numpy as np
import pytest

import keras_gen as kg
from keras_gen.diffusion.predictions import PREDICTIONS
from tests.conftest import host
from tests.conftest import tensor

# Preserving, exploding, flow, and one whose SNR is above the 5 of "min_snr".
LEVELS = [(0.8, 0.6), (1.0, 3.0), (0.3, 0.7), (0.98, 0.2)]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 5, 3))


@pytest.mark.parametrize("alpha, sigma", LEVELS)
@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_target_gives_back_the_data(name, alpha, sigma, pair):
    x0, noise = pair
    prediction = kg.diffusion.get_prediction(name)
    target = prediction.target(x0, noise, alpha, sigma)
    x = alpha * x0 + sigma * noise
    np.testing.assert_allclose(
        prediction.data(x, target, alpha, sigma), x0, atol=1e-12
    )


@pytest.mark.parametrize("alpha, sigma", LEVELS)
@pytest.mark.parametrize("weighting", ["simple", "min_snr", "p2"])
def test_one_weighting_is_one_loss_in_every_parametrisation(
    weighting, alpha, sigma, pair
):
    """Equal estimates of the data, expressed in each way, cost the same."""
    x0, noise = pair
    x = alpha * x0 + sigma * noise
    estimate = x0 + 0.1 * np.random.default_rng(1).normal(size=x0.shape)
    implied = (x - alpha * estimate) / sigma
    snr = alpha**2 / sigma**2
    weight = {
        "simple": 1.0,
        "min_snr": min(snr, 5.0) / snr,
        "p2": 1.0 / (1.0 + snr),
    }[weighting]
    expected = weight * np.mean((noise - implied) ** 2)
    for name in PREDICTIONS:
        prediction = kg.diffusion.get_prediction(name)
        error = prediction.target(x0, noise, alpha, sigma) - prediction.target(
            estimate, implied, alpha, sigma
        )
        w = kg.diffusion.get_weighting(weighting)(
            prediction, tensor([alpha]), tensor([sigma])
        )
        loss = host(w)[0] * np.mean(error**2)
        assert loss == pytest.approx(expected, rel=1e-5), name


@pytest.mark.parametrize("name", PREDICTIONS)
def test_targets_do_not_change_with_the_scale(name, pair):
    """So that a network means the same on every schedule."""
    prediction = kg.diffusion.get_prediction(name)
    np.testing.assert_allclose(
        prediction.target(*pair, 0.8, 0.6),
        prediction.target(*pair, 2.4, 1.8),
        atol=1e-12,
    )


@pytest.mark.parametrize("alpha, sigma", [(0.8, 0.6), (0.96, 0.28)])
def test_weights_of_the_table(alpha, sigma):
    """On the errors of x0 and v at a variance-preserving level."""
    snr = alpha**2 / sigma**2
    get, kind = kg.diffusion.get_weighting, kg.diffusion.Weighting
    table = {
        get("simple"): (snr, snr / (snr + 1)),
        get("min_snr"): (min(snr, 5), min(snr, 5) / (snr + 1)),
        get("p2"): (snr / (1 + snr), snr / ((snr + 1) * (1 + snr))),
        kind("min_snr", 1.5): (min(snr, 1.5), min(snr, 1.5) / (snr + 1)),
        kind("p2", 2.0): (
            snr / (1 + snr) ** 2,
            snr / ((snr + 1) * (1 + snr) ** 2),
        ),
    }
    for weighting, expected in table.items():
        for prediction, value in zip(("data", "velocity"), expected):
            w = weighting(
                kg.diffusion.get_prediction(prediction),
                tensor([alpha]),
                tensor([sigma]),
            )
            assert host(w)[0] == pytest.approx(value, rel=1e-5)


def test_weights_are_finite_without_signal():
    for name in ("output", "simple", "min_snr", "p2"):
        for prediction in ("data", "velocity", "flow", "preconditioned"):
            w = kg.diffusion.get_weighting(name)(
                kg.diffusion.get_prediction(prediction),
                tensor([0.0]),
                tensor([1.0]),
            )
            assert np.isfinite(host(w)).all()


def test_preconditioning_is_that_of_karras():
    """c_skip, c_out, and targets of unit variance."""
    s, d = 0.7, 0.5
    prediction = kg.diffusion.PreconditionedPrediction(d)
    x, o = 1.3, -0.4
    skip, out = d**2 / (s**2 + d**2), s * d / np.sqrt(s**2 + d**2)
    assert prediction.data(x, o, 1.0, s) == pytest.approx(skip * x + out * o)
    rng = np.random.default_rng(0)
    x0, noise = d * rng.normal(size=100_000), rng.normal(size=100_000)
    for sigma in (0.01, 0.5, 20.0):
        target = prediction.target(x0, noise, 1.0, sigma)
        assert target.std() == pytest.approx(1.0, abs=0.01)


def test_bad_input():
    with pytest.raises(ValueError, match="velocity"):
        kg.diffusion.get_prediction("epsilon")
    with pytest.raises(ValueError, match="min_snr"):
        kg.diffusion.get_weighting("snr")
    with pytest.raises(ValueError, match="data_std"):
        kg.diffusion.PreconditionedPrediction(0.0)
