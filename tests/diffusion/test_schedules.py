"""Schedules have the endpoints of their papers."""

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.diffusion.schedules import SCHEDULES
from tests.conftest import host


def abar(schedule):
    return schedule.alphas[1:] ** 2


def test_linear_ends_where_ddpm_does():
    schedule = kg.diffusion.LinearSchedule()
    assert abar(schedule)[0] == pytest.approx(0.9999, abs=1e-12)
    assert abar(schedule)[-1] == pytest.approx(4.036e-5, rel=1e-3)
    betas = 1 - abar(schedule)[1:] / abar(schedule)[:-1]
    np.testing.assert_allclose(np.diff(betas), (0.02 - 1e-4) / 999, rtol=1e-6)


def test_linear_is_scaled_with_the_number_of_steps():
    few = kg.diffusion.LinearSchedule(100)
    assert abar(few)[0] == pytest.approx(0.999, abs=1e-12)
    assert -np.log(abar(few)[-1]) == pytest.approx(-np.log(4.036e-5), rel=0.1)


def test_cosine_ends_at_its_cap():
    schedule = kg.diffusion.CosineSchedule()
    assert abar(schedule)[-1] == pytest.approx(2.43e-9, rel=2e-3)
    t = np.array([0.0, 0.5])
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    assert schedule.alphas[500] ** 2 == pytest.approx(f[1] / f[0], rel=1e-9)


def test_sigmoid_is_symmetric_and_the_two_are_not_one():
    schedule = kg.diffusion.SigmoidSchedule()
    assert schedule.alphas[500] ** 2 == pytest.approx(0.5, abs=1e-9)
    a = schedule.alphas**2
    np.testing.assert_allclose(a[1:-1], 1 - a[1:-1][::-1], atol=1e-9)
    # sigmoid(-3), ..., sigmoid(3), stretched over [0, 1].
    np.testing.assert_allclose(a[[100, 250]], [0.960507, 0.850854], atol=1e-5)
    other = kg.diffusion.SigmoidBetaSchedule()
    betas = 1 - abar(other)[1:] / abar(other)[:-1]
    s = 1 / (1 + np.exp(-np.linspace(-6, 6, 1000)))
    np.testing.assert_allclose(betas, ((0.02 - 1e-4) * s + 1e-4)[1:], rtol=1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid_beta"])
def test_zero_terminal_snr(name):
    plain = SCHEDULES[name]()
    schedule = SCHEDULES[name](zero_terminal_snr=True)
    assert schedule.alphas[-1] == 0.0 and schedule.sigmas[-1] == 1.0
    assert schedule.alphas[1] == pytest.approx(plain.alphas[1], rel=1e-12)
    last = 1 - (schedule.alphas[-1] / schedule.alphas[-2]) ** 2
    assert last == 1.0


def test_karras_grid_ends_on_sigma_min_and_then_0():
    alphas, sigmas = kg.diffusion.KarrasSchedule().grid(10)
    assert (alphas == 1).all() and len(sigmas) == 11
    assert sigmas[0] == pytest.approx(80.0)
    assert sigmas[-2] == pytest.approx(0.002) and sigmas[-1] == 0
    i = np.arange(10)
    low, high = 0.002 ** (1 / 7), 80 ** (1 / 7)
    expected = (high + i / 9 * (low - high)) ** 7
    np.testing.assert_allclose(sigmas[:-1], expected, rtol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_grid_goes_from_noise_to_data(name):
    schedule = SCHEDULES[name]()
    alphas, sigmas = schedule.grid(7)
    assert len(alphas) == len(sigmas) == 8
    assert (alphas[-1], sigmas[-1]) == (1.0, 0.0)
    with np.errstate(divide="ignore"):
        assert (np.diff(np.log(alphas) - np.log(sigmas)) > 0).all()
    first = [levels[0] for levels in schedule.grid(4, start=0.5)]
    np.testing.assert_allclose(first, schedule.levels(0.5), rtol=1e-12)


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid"])
def test_few_steps_begin_where_something_is_left_of_the_data(name):
    schedule = SCHEDULES[name]()
    with np.errstate(divide="ignore"):
        ratios = schedule.sigmas / schedule.alphas
    alphas, sigmas = schedule.grid(20)
    assert sigmas[0] / alphas[0] == ratios[ratios <= 50].max()
    assert ratios[-1] > 50
    # All steps are those of the schedule, and a lower start is kept.
    assert schedule.grid(1000)[0][0] == schedule.alphas[-1]
    assert schedule.grid(999)[0][0] == schedule.alphas[-2]
    assert schedule.grid(20, start=0.5)[0][0] == schedule.alphas[500]
    zero = SCHEDULES[name](zero_terminal_snr=True)
    assert zero.grid(20)[0][0] == 0.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_training_draws_the_levels_of_the_schedule(name):
    schedule = SCHEDULES[name]()
    seed = keras.random.SeedGenerator(0)
    alpha, sigma = (host(a) for a in schedule.draw(4000, seed))
    assert alpha.shape == sigma.shape == (4000,)
    if name == "karras":
        assert np.log(sigma).mean() == pytest.approx(-1.2, abs=0.08)
        assert np.log(sigma).std() == pytest.approx(1.2, abs=0.08)
        assert (alpha == 1).all()
        return
    t = np.sort(sigma)
    if name == "rectified_flow":
        np.testing.assert_allclose(alpha, 1 - sigma, atol=1e-6)
        expected = (np.arange(4000) + 0.5) / 4000
    else:
        np.testing.assert_allclose(alpha**2 + sigma**2, 1, atol=1e-6)
        steps = np.arange(4000) * schedule.num_steps // 4000 + 1
        expected = schedule.sigmas[steps]
    assert np.abs(t - expected).max() < 0.05  # equal distributions


def test_training_draws_every_step():
    """From 1 to T; at 0 there is no noise to learn."""
    drawn = kg.diffusion.CosineSchedule(4).draw_steps(
        400, keras.random.SeedGenerator(0)
    )
    assert set(host(drawn)) == {1, 2, 3, 4}


def test_logit_normal_times():
    schedule = kg.diffusion.RectifiedFlow("logit_normal")
    _, t = schedule.draw(4000, keras.random.SeedGenerator(0))
    logit = np.log(host(t) / (1 - host(t)))
    assert abs(logit.mean()) < 0.08 and abs(logit.std() - 1) < 0.08


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: kg.diffusion.LinearSchedule(10), "too few steps"),
        (lambda: kg.diffusion.CosineSchedule(1), "at least 2"),
        (lambda: kg.diffusion.CosineSchedule(50).grid(51), "at most 50"),
        (lambda: kg.diffusion.CosineSchedule().grid(0), "at least 1"),
        (lambda: kg.diffusion.CosineSchedule().grid(5, start=1.5), "start"),
        (lambda: kg.diffusion.RectifiedFlow("normal"), "logit_normal"),
        (lambda: kg.diffusion.KarrasSchedule(sigma_min=100.0), "sigma_min"),
        (lambda: kg.diffusion.get_schedule("quadratic"), "karras"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
