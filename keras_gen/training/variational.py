"""The variational bound of a discrete diffusion model."""

import math

import keras
import numpy as np
from keras import ops

from keras_gen.diffusion import samplers
from keras_gen.diffusion.schedules import DiscreteSchedule
from keras_gen.losses import gaussian_kl


def log_discretized_normal(x, mean, log_var):
    """Return the log-probability of 8-bit pixels under a normal density.

    Each pixel value, in [-1, 1], stands for the interval of 1/255 around it,
    the outermost ones for the rest of the line.
    """

    def above(z):  # the probability of more than z
        return 0.5 * (1.0 - ops.erf(z / math.sqrt(2.0)))

    scale = ops.exp(-0.5 * log_var)
    u, half = (x - mean) * scale, scale / 255.0
    near, far = ops.abs(u) - half, ops.abs(u) + half
    outermost = ops.abs(x) > 0.999
    # The open side of an outermost interval is the far or the near one.
    far_open = ops.logical_and(outermost, x * u > 0)
    near_open = ops.logical_and(outermost, x * u <= 0)
    p = ops.where(near_open, 1.0, above(near))
    p = p - ops.where(far_open, 0.0, above(far))
    # In the tail, where these differences vanish in float32, the probability
    # of more than z is e^(-z^2 / 2) / (z sqrt(2 pi)), nearly.
    z = ops.maximum(near, 4.0)
    beyond = ops.exp(-0.5 * (ops.square(far) - ops.square(z))) * z / far
    beyond = ops.where(far_open, 0.0, ops.minimum(beyond, 1.0 - 1e-6))
    tail = ops.log(1.0 - beyond) - 0.5 * ops.square(z) - ops.log(z)
    tail = tail - 0.5 * math.log(2.0 * math.pi)
    in_tail = ops.logical_and(near > 4.0, ops.logical_not(near_open))
    return ops.where(in_tail, tail, ops.log(ops.maximum(p, 1e-12)))


class VariationalBound:
    """Terms of -ln p(x_0) <= L_T + sum_{t > 1} L_{t-1} + L_0, in nats.

        L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))
        L_0 = -ln p(x_0 | x_1),   L_T = KL(q(x_T | x_0) || N(0, I))

    p has the mean of `keras_gen.diffusion.ddpm` for the estimate of the data;
    its variance at t = 1, where the smaller bound is 0, is that of t = 2.

    Args:
        schedule: `DiscreteSchedule`.
        variance: `"small"`, `"large"` or `"learned"`, see `ddpm`.
    """

    def __init__(self, schedule, variance):
        samplers.check_variance(variance)
        if not isinstance(schedule, DiscreteSchedule):
            raise ValueError(
                "The variational bound, and learning the variance, need a "
                "discrete schedule such as `CosineSchedule()`. Received: "
                f"{type(schedule).__name__}"
            )
        levels = schedule.grid(schedule.num_steps)
        # Reversed: row i is now the step from t = i + 1 to i.
        rows = samplers.ddpm(*levels, "learned").columns()[::-1]
        log_small, log_large = rows[:, 9].copy(), rows[:, 10].copy()
        # No noise is drawn at the last step; the bound needs a density there.
        log_small[0] = log_small[1]
        log_large[0] = np.log(levels[1][-2] ** 2)
        if variance == "small":
            log_large = log_small
        elif variance == "large":
            log_small = log_large
        self.tables = np.stack(
            [rows[:, 2], rows[:, 3], rows[:, 9], log_small, log_large], axis=1
        ).astype("float32")
        self.alpha, self.sigma = schedule.alphas[-1], schedule.sigmas[-1]

    def __call__(self, x, x_t, data, steps, v=None):
        """Return L_{t-1}, or L_0 where t = 1, of each sample.

        Args:
            x: Tensor `(n, *data_shape)`, x_0.
            x_t: Tensor of its shape.
            data: The estimate of x_0.
            steps: Integer tensor `(n,)`, t from 1.
            v: Tensor, the share of the larger variance, meant to be in
                [0, 1], or None.

        Returns:
            float32 tensor `(n,)`.
        """
        shape = (-1, *[1] * (len(x.shape) - 1))
        rows = ops.take(ops.convert_to_tensor(self.tables), steps - 1, axis=0)
        a, b, log_posterior, log_small, log_large = (
            ops.reshape(column, shape) for column in ops.split(rows, 5, axis=1)
        )
        log_var = log_small
        if v is not None:
            log_var = v * log_large + (1.0 - v) * log_small
        log_var = log_var + ops.zeros_like(x)
        mean = a * x_t + b * data
        kl = gaussian_kl(
            a * x_t + b * x, log_posterior + ops.zeros_like(x), mean, log_var
        )
        decoder = -log_discretized_normal(x, mean, log_var)
        first = ops.reshape(steps, shape) == 1
        terms = ops.where(first, decoder, kl)
        return ops.sum(terms, axis=tuple(range(1, len(x.shape))))

    def prior(self, x):
        """Return L_T of each sample, from an array, float64 `(n,)`."""
        variance = self.sigma**2
        terms = (self.alpha * x) ** 2 + variance - 1.0 - np.log(variance)
        return 0.5 * terms.reshape(len(x), -1).sum(axis=1, dtype="float64")


class BoundOfSteps(keras.Model):
    """Terms of the bound for a batch of steps, as a model, to be compiled."""

    def __init__(self, model, network, bound):
        super().__init__(dtype="float32")
        # Past Keras's tracking: it has no weights of its own.
        object.__setattr__(self, "denoising_model", model)
        self.network = network
        object.__setattr__(self, "bound", bound)
        self.built = True

    def call(self, inputs):
        x, noise, steps = inputs["x"], inputs["noise"], inputs["steps"]
        alpha, sigma = self.denoising_model.schedule.levels_of_steps(steps)
        shape = (-1, *[1] * (len(x.shape) - 1))
        alpha, sigma = ops.reshape(alpha, shape), ops.reshape(sigma, shape)
        x_t = alpha * x + sigma * noise
        data, v = self.denoising_model.estimate(
            self.network,
            x_t,
            alpha,
            sigma,
            inputs.get("labels"),
            ops.zeros_like(x),
        )
        if self.denoising_model.clips:
            data = ops.clip(data, -1.0, 1.0)
        return self.bound(x, x_t, data, steps, v)
