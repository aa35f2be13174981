"""Schedules: how much of the data, and how much noise, at each time.

A schedule gives alpha_t and sigma_t of

    x_t = alpha_t x_0 + sigma_t noise,    t from 0 (data) to 1 (noise).

Everything is computed in NumPy in float64, and cast once where a training step
needs it. The signal-to-noise ratio is SNR = alpha^2 / sigma^2.
"""

import keras
import numpy as np
from keras import ops

from keras_gen import checks


class Schedule:
    """The base of schedules.

    A subclass has `levels(t)`, which returns alpha_t and sigma_t as float64
    arrays, and `draw`.
    """

    def levels(self, t):
        raise NotImplementedError

    def draw(self, n, seed):
        """Return alpha and sigma of n random times, for a training step.

        Args:
            n: Integer or scalar tensor.
            seed: `keras.random.SeedGenerator`.

        Returns:
            Two float32 tensors of shape `(n,)`.
        """
        raise NotImplementedError

    def grid(self, num_steps, start=1.0):
        """Return alpha and sigma along the way of a sampler.

        Args:
            num_steps: Integer of at least 1.
            start: Float in (0, 1], the time to start from.

        Returns:
            Two float64 arrays `(num_steps + 1,)`, from noise to data; the last
            level is free of noise, alpha 1 and sigma 0.
        """
        checks.check_positive_integer(num_steps, "num_steps")
        if not 0 < start <= 1:
            raise ValueError(
                f"`start` must be in (0, 1]. Received: start={start}"
            )
        return self.levels(self.times(num_steps, start))

    def times(self, num_steps, start):
        """Return the times of a sampler, from `start` to 0."""
        return np.linspace(start, 0.0, num_steps + 1)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class DiscreteSchedule(Schedule):
    """A variance-preserving schedule of `num_steps` steps, T.

    alpha_t^2 = abar_t = prod_{i <= t} (1 - beta_i) and alpha^2 + sigma^2 = 1.
    The time t is i / T for a whole i. A subclass has `products()`, the array
    abar_1, ..., abar_T. Fewer steps than T begin where sigma / alpha is at most
    50, or as near to it as there are steps.

    Args:
        num_steps: Integer T of at least 2.
        zero_terminal_snr: Bool, whether to shift and scale alpha so that x_T is
            noise alone, alpha_1 kept. The network must then predict something
            else than the noise, which says nothing about the data there.

    Reference:
        Lin et al., Common Diffusion Noise Schedules and Sample Steps are
        Flawed, 2023, arXiv:2305.08891, for `zero_terminal_snr`.
    """

    def __init__(self, num_steps=1000, zero_terminal_snr=False):
        checks.check_positive_integer(num_steps, "num_steps")
        if num_steps < 2:
            raise ValueError("`num_steps` must be at least 2. Received: 1")
        self.num_steps = num_steps
        self.zero_terminal_snr = zero_terminal_snr
        alphas = np.sqrt(self.products())
        if zero_terminal_snr:
            first, last = alphas[0], alphas[-1]
            alphas = (alphas - last) * first / (first - last)
        self.alphas = np.concatenate([[1.0], alphas])
        self.sigmas = np.sqrt(1.0 - self.alphas**2)

    def products(self):
        raise NotImplementedError

    def _from_betas(self, betas):
        """Return abar of betas that are meant for 1,000 steps."""
        betas = betas * 1000.0 / self.num_steps
        if betas[-1] >= 1.0:
            raise ValueError(
                "This schedule has too few steps: its last beta, made for "
                f"1,000 steps, exceeds 1. Received: num_steps={self.num_steps}"
            )
        return np.cumprod(1.0 - betas)

    def _capped(self, f):
        """Return abar = f(t) / f(0) at t = 1/T, ..., 1, no beta above 0.999."""
        return np.cumprod(1.0 - np.minimum(1.0 - f[1:] / f[:-1], 0.999))

    def levels(self, t):
        i = np.rint(np.asarray(t, "float64") * self.num_steps).astype(int)
        return self.alphas[i], self.sigmas[i]

    def levels_of_steps(self, i):
        """Return alpha and sigma at integer tensors `i`, as float32."""
        alphas = ops.convert_to_tensor(self.alphas.astype("float32"))
        sigmas = ops.convert_to_tensor(self.sigmas.astype("float32"))
        return ops.take(alphas, i), ops.take(sigmas, i)

    def draw_steps(self, n, seed):
        """Return n random steps in 1, ..., T, an int32 tensor."""
        return keras.random.randint((n,), 1, self.num_steps + 1, seed=seed)

    def draw(self, n, seed):
        return self.levels_of_steps(self.draw_steps(n, seed))

    def times(self, num_steps, start):
        first = max(1, round(start * self.num_steps))
        if num_steps > first:
            raise ValueError(
                f"`num_steps` must be at most {first}, the steps that this "
                f"schedule has from there. Received: num_steps={num_steps}. A "
                "schedule in continuous time, such as `RectifiedFlow`, takes "
                "any number."
            )
        if not self.zero_terminal_snr:
            # Where x is next to noise, what a network gets wrong of the noise
            # is sigma / alpha times as wrong of the data. All T steps are the
            # sampler as published; fewer leave those levels out.
            useful = np.flatnonzero(self.sigmas <= 50.0 * self.alphas)[-1]
            first = max(num_steps, min(first, useful))
        steps = np.rint(np.linspace(first, 0, num_steps + 1))
        return steps / self.num_steps

    def get_config(self):
        return {
            "num_steps": self.num_steps,
            "zero_terminal_snr": self.zero_terminal_snr,
        }


@keras.saving.register_keras_serializable("keras_gen")
class LinearSchedule(DiscreteSchedule):
    """beta from 1e-4 to 0.02 in equal steps at T = 1000, else times 1000 / T.

    Reference:
        Ho et al., Denoising Diffusion Probabilistic Models, 2020,
        arXiv:2006.11239.
    """

    def products(self):
        return self._from_betas(np.linspace(1e-4, 0.02, self.num_steps))


@keras.saving.register_keras_serializable("keras_gen")
class CosineSchedule(DiscreteSchedule):
    """abar_t = f(t) / f(0), f(t) = cos^2((t + s) / (1 + s) pi / 2), s = 0.008.

    No beta exceeds 0.999.

    Reference:
        Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models,
        2021, arXiv:2102.09672.
    """

    def products(self):
        t = np.linspace(0.0, 1.0, self.num_steps + 1)
        f = np.cos((t + 0.008) / 1.008 * np.pi / 2.0) ** 2
        return self._capped(f)


@keras.saving.register_keras_serializable("keras_gen")
class SigmoidBetaSchedule(DiscreteSchedule):
    """beta from 1e-4 to 0.02 along a sigmoid on [-6, 6], times 1000 / T.

    Reference:
        Xu et al., GeoDiff, 2022, arXiv:2203.02923.
    """

    def products(self):
        a = np.linspace(-6.0, 6.0, self.num_steps)
        return self._from_betas((0.02 - 1e-4) / (1.0 + np.exp(-a)) + 1e-4)


@keras.saving.register_keras_serializable("keras_gen")
class SigmoidSchedule(DiscreteSchedule):
    """abar_t = (S(e) - S(b + t (e - b))) / (S(e) - S(b)), S(a) = sigmoid(a).

    With b = -3 and e = 3, and no beta above 0.999.

    Reference:
        Jabri et al., Scalable Adaptive Computation for Iterative Generation,
        2022, arXiv:2212.11972.
    """

    def products(self):
        t = np.linspace(0.0, 1.0, self.num_steps + 1)
        sigmoid = 1.0 / (1.0 + np.exp(3.0 - 6.0 * t))
        abar = (sigmoid[-1] - sigmoid) / (sigmoid[-1] - sigmoid[0])
        return self._capped(abar)


@keras.saving.register_keras_serializable("keras_gen")
class RectifiedFlow(Schedule):
    """alpha_t = 1 - t and sigma_t = t: a straight line from data to noise.

    Args:
        times: `"uniform"` to train on all times alike, or `"logit_normal"` for
            more of those in the middle, ln(t / (1 - t)) ~ N(0, 1).

    Reference:
        Liu et al., Flow Straight and Fast, 2022, arXiv:2209.03003; Lipman et
        al., Flow Matching for Generative Modeling, 2022, arXiv:2210.02747;
        Esser et al., Scaling Rectified Flow Transformers, 2024,
        arXiv:2403.03206, for logit-normal times.
    """

    def __init__(self, times="uniform"):
        if times not in ("uniform", "logit_normal"):
            raise ValueError(
                '`times` must be "uniform" or "logit_normal". Received: '
                f"times={times!r}"
            )
        self.distribution = times

    def levels(self, t):
        t = np.asarray(t, "float64")
        return 1.0 - t, t

    def draw(self, n, seed):
        if self.distribution == "uniform":
            # Never 0, where there is no noise to speak of.
            t = keras.random.uniform((n,), 1e-5, 1.0, seed=seed)
        else:
            t = ops.sigmoid(keras.random.normal((n,), seed=seed))
        return 1.0 - t, t

    def get_config(self):
        return {"times": self.distribution}


@keras.saving.register_keras_serializable("keras_gen")
class KarrasSchedule(Schedule):
    """Noise is added and the data not scaled: alpha = 1, sigma up to 80.

        sigma_i = (max^(1/rho) + i / (N - 1) (min^(1/rho) - max^(1/rho)))^rho

    for i = 0, ..., N - 1, and then 0. Training draws ln sigma from N(mean,
    std^2).

    Args:
        sigma_min: Float above 0.
        sigma_max: Float above `sigma_min`.
        rho: Float above 0; the larger, the more steps at low noise.
        mean: Float, of ln sigma in training.
        std: Float above 0, of ln sigma in training.

    Reference:
        Karras et al., Elucidating the Design Space of Diffusion-Based
        Generative Models, 2022, arXiv:2206.00364.
    """

    def __init__(
        self, sigma_min=0.002, sigma_max=80.0, rho=7.0, mean=-1.2, std=1.2
    ):
        if not 0 < sigma_min < sigma_max or not rho > 0 or not std > 0:
            raise ValueError(
                "`KarrasSchedule` needs 0 < sigma_min < sigma_max, and rho and "
                f"std above 0. Received: sigma_min={sigma_min}, "
                f"sigma_max={sigma_max}, rho={rho}, std={std}"
            )
        self.sigma_min, self.sigma_max, self.rho = sigma_min, sigma_max, rho
        self.mean, self.std = mean, std

    def levels(self, t):
        t = np.asarray(t, "float64")
        low, high = (
            s ** (1 / self.rho) for s in (self.sigma_min, self.sigma_max)
        )
        return np.ones_like(t), (low + t * (high - low)) ** self.rho

    def grid(self, num_steps, start=1.0):
        # The lowest level of the formula is not yet free of noise.
        alphas, sigmas = super().grid(num_steps, start)
        sigmas[-1] = 0.0
        return alphas, sigmas

    def times(self, num_steps, start):
        return np.append(np.linspace(start, 0.0, num_steps), 0.0)

    def draw(self, n, seed):
        z = keras.random.normal((n,), self.mean, self.std, seed=seed)
        return ops.ones_like(z), ops.exp(z)

    def get_config(self):
        names = ("sigma_min", "sigma_max", "rho", "mean", "std")
        return {name: getattr(self, name) for name in names}


SCHEDULES = {
    "linear": LinearSchedule,
    "cosine": CosineSchedule,
    "sigmoid": SigmoidSchedule,
    "sigmoid_beta": SigmoidBetaSchedule,
    "rectified_flow": RectifiedFlow,
    "karras": KarrasSchedule,
}


def get_schedule(schedule):
    """Return a schedule given it or its name."""
    if isinstance(schedule, Schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise ValueError(
            f"`schedule` must be a schedule or one of {sorted(SCHEDULES)}. "
            f"Received: schedule={schedule!r}"
        )
    return SCHEDULES[schedule]()
