"""Samplers: from noise to data in a number of steps.

All samplers here are linear in what they have seen. One evaluation of the
denoiser D(x) = estimate of x_0 at level (alpha, sigma), and what follows it,
is

    x <- a x + b D(x) + c D_before + e x_before + s z,    z ~ N(0, I)

where "before" is at the evaluation before this one. A sampler is therefore a
function from levels to the numbers a, b, c, e, s of each evaluation, a `Plan`,
computed in NumPy in float64; it has no state, and repeating it gives the same.
`integrate` carries a plan out. The levels, arrays `alphas` and `sigmas`, come
from `Schedule.grid`, from noise to data.

With two levels, (alpha, sigma) now and (alpha', sigma') next, the noise that D
implies is (x - alpha D) / sigma.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Plan:
    """What a sampler does at each of K evaluations: arrays `(K,)`.

    Attributes:
        alpha: The level of the evaluation.
        sigma: The level of the evaluation.
        x: The factor of x.
        data: The factor of D(x).
        data_before: The factor of the D before.
        x_before: The factor of the x before.
        noise: The standard deviation of fresh noise; for learned variances 1,
            or 0 for none.
        next_alpha: The level after it.
        next_sigma: The level after it.
        log_small: For learned variances ln of the lower bound, else 0.
        log_large: For learned variances ln of the upper bound, else 0.
        learned: Bool, whether the network gives the variance.
    """

    alpha: np.ndarray
    sigma: np.ndarray
    x: np.ndarray
    data: np.ndarray
    data_before: np.ndarray
    x_before: np.ndarray
    noise: np.ndarray
    next_alpha: np.ndarray
    next_sigma: np.ndarray
    log_small: np.ndarray
    log_large: np.ndarray
    learned: bool = False

    def __len__(self):
        return len(self.alpha)

    def columns(self):
        """Return the numbers as one float64 array `(K, 11)`."""
        return np.stack(
            [getattr(self, f.name) for f in dataclasses.fields(self)[:-1]],
            axis=1,
        )


def plan(rows, learned=False):
    """Return a `Plan` of dicts, one an evaluation; what is missing is 0."""
    names = [f.name for f in dataclasses.fields(Plan)[:-1]]
    columns = {
        name: np.array([float(row.get(name, 0.0)) for row in rows])
        for name in names
    }
    return Plan(**columns, learned=learned)


def integrate(denoise, x, plan, noise=None):
    """Carry a plan out in NumPy.

    Args:
        denoise: Callable from x, alpha and sigma to the estimate of x_0.
        x: Array, at the first level.
        plan: `Plan`.
        noise: Array `(len(plan), *x.shape)`, or None where none is needed.

    Returns:
        Array of the shape of x, at the last level.

    Raises:
        ValueError: If the plan leaves the variance to the network.
    """
    if plan.learned:
        raise ValueError(
            "`integrate` takes no learned variance: D(x) alone does not say it."
        )
    x_before = data_before = np.zeros_like(x)
    for i in range(len(plan)):
        data = denoise(x, plan.alpha[i], plan.sigma[i])
        step = (
            plan.x[i] * x
            + plan.data[i] * data
            + plan.data_before[i] * data_before
            + plan.x_before[i] * x_before
        )
        if plan.noise[i]:
            step = step + plan.noise[i] * noise[i]
        x_before, data_before, x = x, data, step
    return x


def _pairs(alphas, sigmas):
    """Yield each level and the next."""
    return zip(alphas[:-1], sigmas[:-1], alphas[1:], sigmas[1:], strict=True)


def _row(a, s, next_a, next_s, **numbers):
    return {
        "alpha": a,
        "sigma": s,
        "next_alpha": next_a,
        "next_sigma": next_s,
        **numbers,
    }


def _posterior(a, s, next_a, next_s):
    """Return the variances of one step back: (large, small).

    Large is that of x given x', small that of x' given x and x_0.
    """
    large = max(s**2 - (a / next_a) ** 2 * next_s**2, 0.0)
    return large, large * next_s**2 / s**2


def check_variance(variance):
    """Raise unless `variance` names one that `ddpm` knows."""
    if variance not in ("small", "large", "learned"):
        raise ValueError(
            '`variance` must be "small", "large" or "learned". Received: '
            f"variance={variance!r}"
        )


def ddpm(alphas, sigmas, variance="small"):
    """Ancestral sampling: draw from the posterior of the next level.

        x' = r s'^2 / s^2 x + a' L / s^2 D + sqrt(variance) z
        r = a / a',    L = s^2 - r^2 s'^2

    with a, s for alpha, sigma. There is no noise in the last step. On a
    schedule with alpha = 1 this is the ancestral Euler method.

    Args:
        alphas: float64 array `(N + 1,)`, from noise to data.
        sigmas: float64 array `(N + 1,)`.
        variance: `"small"`: L s'^2 / s^2; `"large"`: L; `"learned"`: the
            network chooses between them, see `Diffusion(learn_variance=True)`.

    Reference:
        Ho et al., 2020, arXiv:2006.11239; Nichol and Dhariwal, 2021,
        arXiv:2102.09672, for learned variances.
    """
    check_variance(variance)
    rows = []
    for a, s, next_a, next_s in _pairs(alphas, sigmas):
        large, small = _posterior(a, s, next_a, next_s)
        row = _row(a, s, next_a, next_s)
        row["x"] = a / next_a * next_s**2 / s**2
        row["data"] = next_a * large / s**2
        if next_s > 0:
            if variance == "learned":
                row["noise"] = 1.0
                row["log_small"] = np.log(max(small, 1e-20))
                row["log_large"] = np.log(max(large, 1e-20))
            else:
                row["noise"] = np.sqrt(small if variance == "small" else large)
        rows.append(row)
    return plan(rows, variance == "learned")


def ddim(alphas, sigmas, eta=0.0):
    """Follow the implied noise, with more or less of it drawn anew.

        x' = a' D + sqrt(s'^2 - eta^2 small) (x - a D) / s + eta sqrt(small) z

    with small the variance of `ddpm`. `eta=1` is `ddpm` and `eta=0` has no
    noise: it is the Euler method for the probability flow, in sigma / alpha
    and, just as well, in the time of a rectified flow, and DPM-Solver++ of
    order 1.

    Args:
        alphas: float64 array `(N + 1,)`, from noise to data.
        sigmas: float64 array `(N + 1,)`.
        eta: Float in [0, 1].

    Reference:
        Song et al., Denoising Diffusion Implicit Models, 2020,
        arXiv:2010.02502.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"`eta` must be in [0, 1]. Received: eta={eta}")
    rows = []
    for a, s, next_a, next_s in _pairs(alphas, sigmas):
        small = eta**2 * _posterior(a, s, next_a, next_s)[1] if eta else 0.0
        kept = np.sqrt(max(next_s**2 - small, 0.0))
        row = _row(a, s, next_a, next_s, noise=np.sqrt(small))
        row["x"] = kept / s
        row["data"] = next_a - kept * a / s
        rows.append(row)
    return plan(rows)


def euler(alphas, sigmas):
    """The Euler method for the probability flow: `ddim` with `eta=0`."""
    return ddim(alphas, sigmas)


def heun(alphas, sigmas):
    """Heun's method of order 2 in sigma / alpha: two evaluations a step.

    With y = x / alpha, dy / d(sigma / alpha) is the implied noise; a step goes
    along the mean of it at both ends, the last one along the first. So do
    steps from a sigma / alpha above 100, which schedules such as the cosine
    have at their ends: a step in sigma / alpha is then too long for the mean
    to mean anything.

    Args:
        alphas: float64 array `(N + 1,)`, from noise to data, above 0.
        sigmas: float64 array `(N + 1,)`.

    Raises:
        ValueError: If an alpha is 0, where sigma / alpha is not finite.

    Reference:
        Karras et al., 2022, arXiv:2206.00364.
    """
    if np.min(alphas) <= 0:
        raise ValueError(
            'The sampler "heun" goes along sigma / alpha, which is infinite '
            'where this schedule starts, with alpha 0. Use "flow_heun".'
        )
    return _heun(alphas, sigmas, np.asarray(alphas), shift=0.0, longest=100.0)


def flow_heun(alphas, sigmas):
    """Heun's method of order 2 in the time of a rectified flow.

    With y = x / (alpha + sigma), dy / d(sigma / (alpha + sigma)) is noise - D,
    the implied flow. Like `heun` otherwise, but for any schedule.
    """
    return _heun(alphas, sigmas, alphas + sigmas, shift=1.0)


def _heun(alphas, sigmas, scales, shift, longest=np.inf):
    """Heun's method for y = x / scale in the time sigma / scale.

    The derivative is (x - alpha D) / sigma - shift D, that is p x + q D. Steps
    from a time beyond `longest` are Euler's.
    """

    def slope(a, s):
        return 1.0 / s, -a / s - shift

    times = sigmas / scales
    rows = []
    for i, (a, s, next_a, next_s) in enumerate(_pairs(alphas, sigmas)):
        k, next_k, h = scales[i], scales[i + 1], times[i + 1] - times[i]
        p, q = slope(a, s)
        x, data = next_k * (1.0 / k + h * p), next_k * h * q
        rows.append(_row(a, s, next_a, next_s, x=x, data=data))
        if next_s > 0 and times[i] <= longest:
            next_p, next_q = slope(next_a, next_s)
            correction = {
                "x": next_k * h / 2 * next_p,
                "data": next_k * h / 2 * next_q,
                "x_before": next_k * (1.0 / k + h / 2 * p),
                "data_before": next_k * h / 2 * q,
            }
            rows.append(_row(next_a, next_s, next_a, next_s, **correction))
    return plan(rows)


def dpmpp_2m(alphas, sigmas):
    """DPM-Solver++ of order 2 with memory: one evaluation a step.

        x' = s'/s x - a' (e^-h - 1) D',    h = ln(a'/s') - ln(a/s)
        D' = (1 + 1 / 2r) D - D_before / 2r,    r = h_before / h

    The first and the last step use D itself.

    Args:
        alphas: float64 array `(N + 1,)`, from noise to data.
        sigmas: float64 array `(N + 1,)`.

    Reference:
        Lu et al., DPM-Solver++, 2022, arXiv:2211.01095.
    """
    return _with_memory(ddim(alphas, sigmas), alphas, sigmas)


def dpmpp_2m_sde(alphas, sigmas):
    """SDE-DPM-Solver++ of order 2 with memory: `dpmpp_2m` with fresh noise.

        x' = e^-h s'/s x - a' (e^-2h - 1) D' + s' sqrt(1 - e^-2h) z

    h and D' as there; with D in place of D' it is `ddpm`. The noise replaces
    some of what earlier estimates got wrong, which `dpmpp_2m` carries along.

    Args:
        alphas: float64 array `(N + 1,)`, from noise to data.
        sigmas: float64 array `(N + 1,)`.

    Reference:
        Lu et al., DPM-Solver++, 2022, arXiv:2211.01095.
    """
    return _with_memory(ddpm(alphas, sigmas), alphas, sigmas)


def _with_memory(plan, alphas, sigmas):
    """Let a plan of one evaluation a step use D', see `dpmpp_2m`, for D."""
    with np.errstate(divide="ignore"):
        h = np.diff(np.log(alphas) - np.log(sigmas))
    more = np.zeros(len(h))
    # A step to sigma 0 uses D itself, and so does the first.
    more[1:] = np.where(np.isfinite(h[1:]), h[1:], 0.0) / h[:-1] / 2.0
    plan.data_before = -more * plan.data
    plan.data = (1.0 + more) * plan.data
    return plan


SAMPLERS = {
    "ddpm": ddpm,
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "flow_heun": flow_heun,
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_2m_sde": dpmpp_2m_sde,
}


def get_sampler(sampler):
    """Return a sampler given it or its name."""
    if callable(sampler):
        return sampler
    if sampler not in SAMPLERS:
        raise ValueError(
            f"`sampler` must be one of {sorted(SAMPLERS)}, or a function from "
            f"alphas and sigmas to a plan. Received: sampler={sampler!r}"
        )
    return SAMPLERS[sampler]
