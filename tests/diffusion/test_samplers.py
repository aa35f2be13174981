"""Samplers against exact denoisers: orders, equivalences, marginals."""

import functools

import numpy as np
import pytest

import keras_gen as kg
from keras_gen.diffusion import integrate
from keras_gen.diffusion import samplers
from keras_gen.diffusion.schedules import SCHEDULES
from tests.diffusion.exact import Mixture
from tests.diffusion.exact import two_normals

D = kg.diffusion


def run(sampler, schedule, num_steps, x=None, target=None, noise=None):
    """Sample from 50 starting points, or from those given."""
    target = target or two_normals()
    alphas, sigmas = schedule.grid(num_steps)
    if x is None:
        x = np.random.default_rng(0).normal(size=(50, 2))
        x = x * np.hypot(alphas[0], sigmas[0])
    return integrate(target.denoise, x, sampler(alphas, sigmas), noise)


def test_heun_corrects_no_step_from_almost_noise_alone():
    alphas, sigmas = D.CosineSchedule().grid(1000)
    assert (sigmas > 100 * alphas).sum() == 7
    # Nor the last step.
    assert len(D.heun(alphas, sigmas)) == 2 * 1000 - 7 - 1


@pytest.mark.parametrize(
    "sampler, schedule, order",
    [
        ("euler", D.KarrasSchedule(), 1),
        ("heun", D.KarrasSchedule(), 2),
        ("dpmpp_2m", D.KarrasSchedule(), 2),
        ("ddim", D.RectifiedFlow(), 1),
        ("flow_heun", D.RectifiedFlow(), 2),
    ],
)
def test_order_of_convergence(sampler, schedule, order):
    """Halving the steps divides the error by 2^order, from 64 steps on.

    The reference is as fine as the finest grid to sigma_min, for which the
    error of the last step to 0 is the same.
    """
    sampler = samplers.SAMPLERS[sampler]
    exact = run(samplers.SAMPLERS["heun"], D.KarrasSchedule(), 4096)
    if isinstance(schedule, D.RectifiedFlow):
        exact = run(D.flow_heun, schedule, 4096)
    errors = [
        np.abs(run(sampler, schedule, n) - exact).mean() for n in (64, 128, 256)
    ]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    if order == 1:
        np.testing.assert_allclose(orders, 1.0, atol=0.2)
    else:
        assert (orders > 1.8).all(), orders


def test_the_flow_of_a_normal_distribution_is_followed():
    """The solution is m + (x - m) sqrt((s^2 + s1^2) / (s^2 + s0^2))."""
    m, s = 0.3, 0.5
    schedule = D.KarrasSchedule(sigma_max=10.0)
    x = np.linspace(-20, 20, 41)[:, None]
    y = run(D.heun, schedule, 400, x, Mixture([[m]], s))
    expected = m + (x - m) * s / np.sqrt(s**2 + 10.0**2)
    np.testing.assert_allclose(y, expected, atol=1e-4)


def test_the_straight_flow_of_a_normal_distribution_is_followed():
    """From N(0, 1) at t = 1 the solution is m + s x, to second order."""
    m, s = 0.3, 0.5
    x = np.linspace(-3, 3, 41)[:, None]
    target = Mixture([[m]], s)
    flow = D.RectifiedFlow()
    errors = [
        np.abs(run(D.flow_heun, flow, n, x, target) - (m + s * x)).mean()
        for n in (16, 32, 64)
    ]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] < 1e-3 and (orders > 1.8).all(), (errors, orders)


def test_ddim_is_euler_in_the_other_coordinates():
    """In (x / alpha, sigma / alpha), by a loop written out."""
    schedule = D.CosineSchedule()
    alphas, sigmas = schedule.grid(20)
    x = np.random.default_rng(0).normal(size=(50, 2))
    y, times = x / alphas[0], sigmas / alphas
    for i in range(20):
        data = two_normals().denoise(y * alphas[i], alphas[i], sigmas[i])
        y = y + (times[i + 1] - times[i]) * (y - data) / times[i]
    np.testing.assert_allclose(run(D.ddim, schedule, 20, x), y, rtol=1e-9)


def test_ddim_is_euler_of_the_rectified_flow_on_the_same_levels():
    """t = s / (1 + s) with s = sigma / alpha, by a loop written out."""
    schedule = D.CosineSchedule()
    alphas, sigmas = schedule.grid(20)
    x = np.random.default_rng(0).normal(size=(50, 2))
    times = sigmas / (alphas + sigmas)
    y = x / (alphas[0] + sigmas[0])
    for i in range(20):
        t, s = times[i], times[i + 1]
        data = two_normals().denoise(y, 1 - t, t)
        y = y + (s - t) * ((y - (1 - t) * data) / t - data)
    np.testing.assert_allclose(run(D.ddim, schedule, 20, x), y, rtol=1e-9)


def test_dpm_solver_of_order_1_is_ddim():
    schedule = D.LinearSchedule()
    alphas, sigmas = schedule.grid(10)
    x = start = np.random.default_rng(0).normal(size=(50, 2))
    for a, s, b, u in zip(alphas[:-1], sigmas[:-1], alphas[1:], sigmas[1:]):
        data = two_normals().denoise(x, a, s)
        decay = 0.0 if u == 0 else np.exp(np.log(a / s) - np.log(b / u))
        x = u / s * x - b * (decay - 1.0) * data
    np.testing.assert_allclose(run(D.ddim, schedule, 10, start), x, rtol=1e-9)
    # One step of a method with memory has nothing to remember.
    for memory, without in ((D.dpmpp_2m, D.ddim), (D.dpmpp_2m_sde, D.ddpm)):
        np.testing.assert_allclose(
            run(memory, schedule, 1, start), run(without, schedule, 1, start)
        )


@pytest.mark.parametrize("sampler, k", [("dpmpp_2m", 1), ("dpmpp_2m_sde", 2)])
def test_dpmpp_2m_is_its_formula(sampler, k):
    """The stochastic one, k = 2, has e^-2h for e^-h, and noise."""
    sampler = samplers.SAMPLERS[sampler]
    schedule = D.LinearSchedule()
    alphas, sigmas = schedule.grid(6)
    noise = np.random.default_rng(1).normal(size=(6, 50, 2))
    x = start = np.random.default_rng(0).normal(size=(50, 2))
    before, h_before = None, None
    for i in range(6):
        data = two_normals().denoise(x, alphas[i], sigmas[i])
        if sigmas[i + 1] == 0:
            x = data
            break
        h = np.log(alphas[i + 1] / sigmas[i + 1]) - np.log(
            alphas[i] / sigmas[i]
        )
        mixed = data
        if before is not None:
            r = h_before / h
            mixed = (1 + 1 / (2 * r)) * data - before / (2 * r)
        x = sigmas[i + 1] / sigmas[i] * np.exp((1 - k) * h) * x
        x = x - alphas[i + 1] * np.expm1(-k * h) * mixed
        if k == 2:
            x = x + sigmas[i + 1] * np.sqrt(-np.expm1(-2 * h)) * noise[i]
        before, h_before = data, h
    found = run(sampler, schedule, 6, start, noise=noise)
    np.testing.assert_allclose(found, x)


@pytest.mark.parametrize(
    "name, order", [("ddpm", 1), ("dpmpp_2m", 2), ("dpmpp_2m_sde", 2)]
)
def test_order_of_the_variance(name, order):
    """Of samples of a normal, whose variance is known at each level.

    x and the D before are linear in what they were and in the noise, so their
    covariance is exact. Levels of much noise are left out.
    """
    s, errors = 0.5, []
    for num_steps in (128, 256, 512):
        alphas, sigmas = D.KarrasSchedule().grid(num_steps)
        plan = samplers.SAMPLERS[name](alphas, sigmas)
        cov = np.diag([(alphas[0] * s) ** 2 + sigmas[0] ** 2, 0.0])
        worst = 0.0
        for i in range(num_steps - 1):
            v = (plan.alpha[i] * s) ** 2 + plan.sigma[i] ** 2
            gain = plan.alpha[i] * s**2 / v  # D = gain x, of mean 0
            move = np.array(
                [
                    [plan.x[i] + plan.data[i] * gain, plan.data_before[i]],
                    [gain, 0.0],
                ]
            )
            cov = move @ cov @ move.T
            cov[0, 0] += plan.noise[i] ** 2
            right = (plan.next_alpha[i] * s) ** 2 + plan.next_sigma[i] ** 2
            if plan.next_sigma[i] < 2.0:
                worst = max(worst, abs(cov[0, 0] - right))
        errors.append(worst)
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders, order, atol=0.1)


@pytest.mark.parametrize("schedule", [D.LinearSchedule(), D.RectifiedFlow()])
def test_ancestral_is_ddim_with_eta_1(schedule):
    noise = np.random.default_rng(1).normal(size=(20, 50, 2))
    np.testing.assert_allclose(
        run(D.ddpm, schedule, 20, noise=noise),
        run(functools.partial(D.ddim, eta=1.0), schedule, 20, noise=noise),
        rtol=1e-7,
        atol=1e-9,
    )


def test_ddim_draws_the_share_eta_of_the_noise():
    """Of the standard deviation, and keeps the level."""
    alphas, sigmas = D.LinearSchedule().grid(20)
    plan = D.ddim(alphas, sigmas, eta=0.5)
    np.testing.assert_allclose(plan.noise, 0.5 * D.ddpm(alphas, sigmas).noise)
    kept = plan.x * plan.sigma
    np.testing.assert_allclose(np.hypot(kept, plan.noise), plan.next_sigma)
    np.testing.assert_allclose(plan.alpha * plan.x + plan.data, plan.next_alpha)


def test_ancestral_step_of_the_textbook():
    """Mean and both variances, with abar as in the paper, from 500 to 400."""
    schedule = D.LinearSchedule()
    abar_t, abar_s = schedule.alphas[500] ** 2, schedule.alphas[400] ** 2
    alphas, sigmas = schedule.levels(np.array([0.5, 0.4, 0.0]))
    b = 1 - abar_t / abar_s
    small = D.ddpm(alphas, sigmas)
    assert small.x[0] == pytest.approx(
        np.sqrt(abar_t / abar_s) * (1 - abar_s) / (1 - abar_t)
    )
    assert small.data[0] == pytest.approx(np.sqrt(abar_s) * b / (1 - abar_t))
    assert small.noise[0] ** 2 == pytest.approx(b * (1 - abar_s) / (1 - abar_t))
    large = D.ddpm(alphas, sigmas, "large")
    assert large.noise[0] ** 2 == pytest.approx(b)
    learned = D.ddpm(alphas, sigmas, "learned")
    assert np.exp(learned.log_large[0]) == pytest.approx(b)
    for plan in (small, large, learned):  # the last step
        assert plan.noise[-1] == 0
        assert (plan.x[-1], plan.data[-1]) == (0.0, pytest.approx(1.0))


def test_ancestral_without_scaling_splits_10_to_5():
    """Down to 2.5 by Euler, and up by noise of 4.3301."""
    plan = D.ddpm(np.ones(3), np.array([10.0, 5.0, 0.0]))
    assert plan.noise[0] == pytest.approx(4.3301, abs=1e-4)
    # x + (x - D) / 10 * (2.5 - 10)
    assert plan.x[0] == pytest.approx(0.25)
    assert plan.data[0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "variance, schedule",
    [
        ("small", D.LinearSchedule()),
        ("small", D.RectifiedFlow()),
        ("small", D.KarrasSchedule()),
        ("large", D.LinearSchedule()),
    ],
)
def test_ancestral_moments(variance, schedule):
    """A normal distribution is kept by steps that are affine in x.

    Mean and variance are propagated exactly, without random numbers. For data
    of variance 1 at a preserving schedule "large" is exact at any number of
    steps; for a point "small" is.
    """
    _propagate(variance, schedule, 1.0 if variance == "large" else 0.0, 30)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_ancestral_moments_with_many_steps(variance):
    """Between these two extremes both become exact, to the first order."""
    errors = [
        _propagate(variance, D.LinearSchedule(steps), 0.5, steps)
        for steps in (500, 1000, 2000)
    ]
    assert errors[2] < 0.02
    np.testing.assert_allclose(
        np.divide(errors[:-1], errors[1:]), 2.0, atol=0.3
    )


def _propagate(variance, schedule, s, num_steps):
    """Return the largest error of a variance, exact ones being asserted."""
    m, exact, errors = 0.4, s in (0.0, 1.0), []
    alphas, sigmas = schedule.grid(num_steps)
    plan = D.ddpm(alphas, sigmas, variance)
    mean, var = alphas[0] * m, (alphas[0] * s) ** 2 + sigmas[0] ** 2
    for i in range(len(plan)):
        v = (plan.alpha[i] * s) ** 2 + plan.sigma[i] ** 2
        gain = plan.alpha[i] * s**2 / v  # D = m + gain (x - alpha m)
        factor = plan.x[i] + plan.data[i] * gain
        mean = factor * mean + plan.data[i] * m * (1 - gain * plan.alpha[i])
        var = factor**2 * var + plan.noise[i] ** 2
        if i == len(plan) - 1:
            break
        a, b = plan.next_alpha[i], plan.next_sigma[i]
        errors.append(abs(var - (a * s) ** 2 - b**2))
        if exact:
            assert mean == pytest.approx(a * m, abs=1e-9)
            assert var == pytest.approx((a * s) ** 2 + b**2, rel=1e-7)
    assert mean == pytest.approx(m, abs=1e-9 if exact else 0.01)
    return max(errors)


@pytest.mark.parametrize("name", samplers.SAMPLERS)
@pytest.mark.parametrize(
    "schedule, zero_snr",
    [(schedule, False) for schedule in SCHEDULES]
    + [("linear", True), ("cosine", True), ("sigmoid_beta", True)],
)
def test_every_sampler_finds_the_mixture(name, schedule, zero_snr):
    options = {"zero_terminal_snr": True} if zero_snr else {}
    alphas, sigmas = SCHEDULES[schedule](**options).grid(200)
    sampler = samplers.SAMPLERS[name]
    if name == "heun" and alphas[0] == 0:
        with pytest.raises(ValueError, match="flow_heun"):
            sampler(alphas, sigmas)
        return
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2)) * np.hypot(alphas[0], sigmas[0])
    plan = sampler(alphas, sigmas)
    noise = rng.normal(size=(len(plan), 4000, 2)) if plan.noise.any() else None
    y = integrate(two_normals().denoise, x, plan, noise)
    # Means and shares of the components, within four standard errors or so.
    right = y[:, 0] > -0.1
    assert right.mean() == pytest.approx(0.6, abs=0.04)
    np.testing.assert_allclose(y[right].mean(0), [0.5, 0.4], atol=0.03)
    np.testing.assert_allclose(y[~right].mean(0), [-0.7, 0.1], atol=0.03)
    assert y[right].std(0) == pytest.approx([0.25, 0.25], abs=0.02)


def test_bad_input():
    alphas, sigmas = D.CosineSchedule().grid(3)
    with pytest.raises(ValueError, match="variance"):
        D.ddpm(alphas, sigmas, "medium")
    with pytest.raises(ValueError, match="eta"):
        D.ddim(alphas, sigmas, eta=2.0)
    with pytest.raises(ValueError, match="dpmpp_2m"):
        D.get_sampler("unipc")
    with pytest.raises(ValueError, match="learned variance"):
        integrate(lambda x, *_: x, 0.0, D.ddpm(alphas, sigmas, "learned"))
