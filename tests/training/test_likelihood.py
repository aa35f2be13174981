"""Likelihoods of diffusion models whose denoiser is known."""

import keras
import numpy as np
import pytest
from scipy.special import ndtr

import keras_gen as kg
from keras_gen.training.variational import log_discretized_normal
from tests.conftest import host
from tests.conftest import tensor
from tests.diffusion.exact import Mixture
from tests.diffusion.exact import two_normals
from tests.models.test_diffusion import exact_model
from tests.models.test_diffusion import streams_of


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_first_term_of_normal_data(variance):
    """-ln p(x_0 | x_1) against float64, for equal noise at t = 1."""
    s, schedule = 0.5, kg.diffusion.CosineSchedule(8)
    model = exact_model(Mixture([[0.0, 0.0]], s), schedule=schedule)
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (50, 2))
    terms = model.variational_bound(x, variance=variance, terms=1, seed=4)
    noise, _ = streams_of(50, 4, (2,))
    a, b = schedule.alphas, schedule.sigmas
    x_1 = a[1] * x + b[1] * noise
    mean = a[1] * s**2 / ((a[1] * s) ** 2 + b[1] ** 2) * x_1
    large = b[2] ** 2 - (a[2] / a[1]) ** 2 * b[1] ** 2
    var = large * b[1] ** 2 / b[2] ** 2 if variance == "small" else b[1] ** 2
    edges = np.stack([x + 1 / 255, x - 1 / 255])
    upper, lower = ndtr((edges - mean) / np.sqrt(var))
    expected = -np.log(upper - lower).sum(axis=1)
    np.testing.assert_allclose(
        terms["reconstruction"], expected, rtol=2e-3, atol=2e-3
    )


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_terms_of_the_bound_have_closed_forms(variance):
    """For normal data and the exact denoiser, E (x_0 - D)^2 is known."""
    s, steps = 0.5, 8
    schedule = kg.diffusion.CosineSchedule(steps)
    model = exact_model(Mixture([[0.0, 0.0]], s), schedule=schedule)
    x = np.random.default_rng(0).normal(size=(6000, 2)) * s
    terms = model.variational_bound(x.astype("float32"), variance=variance)
    a, b = schedule.alphas, schedule.sigmas
    diffusion = 0.0
    for t in range(2, steps + 1):
        large = b[t] ** 2 - (a[t] / a[t - 1]) ** 2 * b[t - 1] ** 2
        small = large * b[t - 1] ** 2 / b[t] ** 2
        error = s**2 * b[t] ** 2 / ((a[t] * s) ** 2 + b[t] ** 2)
        error *= (a[t - 1] * large / b[t] ** 2) ** 2
        chosen = small if variance == "small" else large
        kl = np.log(chosen / small) + (small + error) / chosen - 1
        diffusion += 2 * 0.5 * kl
    assert terms["diffusion"].mean() == pytest.approx(diffusion, rel=0.03)
    prior = 0.5 * (a[-1] ** 2 * x**2 + b[-1] ** 2 - 1 - np.log(b[-1] ** 2))
    np.testing.assert_allclose(terms["prior"], prior.sum(1), atol=1e-6)
    parts = ("prior", "diffusion", "reconstruction")
    total = sum(terms[part] for part in parts)
    np.testing.assert_allclose(terms["total"], total)
    np.testing.assert_allclose(terms["bits_per_dim"], total / 2 / np.log(2))
    some = model.variational_bound(
        x.astype("float32"), variance=variance, terms=3
    )
    assert some["diffusion"].mean() == pytest.approx(diffusion, rel=0.1)


@pytest.mark.parametrize("mean", [0.31, -1.3, 1.02])
def test_the_first_term_is_a_probability_of_pixels(mean):
    """Also where the estimate lies beyond the pixels."""
    levels = np.arange(256) / 127.5 - 1
    log_p = host(
        log_discretized_normal(
            tensor(levels), tensor(np.full(256, mean)), tensor([-4.0])
        )
    )
    assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1, abs=1e-4)
    sd = np.exp(-2.0)
    # By symmetry in the lower tail, where float64 keeps its digits.
    near = -np.abs(levels - mean) / sd
    expected = ndtr(near + 1 / 255 / sd) - ndtr(near - 1 / 255 / sd)
    expected[0] = ndtr((levels[0] - mean + 1 / 255) / sd)
    expected[-1] = ndtr((mean - levels[-1] + 1 / 255) / sd)
    tail = near < -4.0
    assert tail.sum() > 50
    np.testing.assert_allclose(log_p[~tail], np.log(expected[~tail]), atol=0.01)
    np.testing.assert_allclose(log_p[tail], np.log(expected[tail]), atol=0.06)


@pytest.mark.parametrize("schedule", ["cosine", "rectified_flow"])
def test_the_flow_knows_the_density(schedule):
    mixture = two_normals()
    model = exact_model(schedule=schedule)
    x = np.array([[0.5, 0.4], [-0.6, 0.3], [0.0, 0.2], [0.9, 0.9]], "float32")
    many = x.repeat(32, axis=0)
    log_p = model.flow_log_likelihood(many, num_steps=60)
    np.testing.assert_allclose(
        log_p.reshape(4, 32).mean(1), mixture.log_density(x), atol=0.12
    )
    few = {"num_steps": 4}
    np.testing.assert_allclose(
        model.flow_log_likelihood(many[:7], batch_size=3, **few),
        model.flow_log_likelihood(many[:7], **few),
        rtol=1e-4,
    )


def test_the_density_is_that_of_the_lowest_level_in_units_of_the_data():
    """Of standard normal data x_t is standard normal, and the velocity 0."""
    point, level = keras.Input((2,)), keras.Input((1,))
    model = kg.models.Diffusion(
        keras.Model([point, level], 0.0 * point), ema_decay=None
    )
    x = np.array([[0.5, 0.4], [-0.9, 0.3]], "float32")
    a = model.path(15)[0][-2]
    expected = Mixture([[0.0, 0.0]], 1.0 / a).log_density(x)
    log_p = model.flow_log_likelihood(x, num_steps=15)
    np.testing.assert_allclose(log_p, expected, atol=1e-3)
