"""Gradient penalties on a discriminator: one family, one implementation."""

import keras
from keras import ops

from keras_gen import checks

_PLACES = ("real", "fake", "interpolate", "noise")


@keras.saving.register_keras_serializable("keras_gen")
class GradientPenalty:
    """Penalise the slope of a discriminator at chosen points.

        P = weight * mean_i phi(n_i),    n_i = || grad D(x_i) ||_2

    with one norm per sample, over all its axes. phi(n) = (n - center)^2, or
    max(0, n - center)^2 when one-sided. The known members:

    | name    | at            | center | weight    |
    |---------|---------------|--------|-----------|
    | WGAN-GP | "interpolate" | 1      | lambda=10 |
    | WGAN-LP | "interpolate" | 1, one-sided | lambda |
    | R1      | "real"        | 0      | gamma / 2 |
    | R2      | "fake"        | 0      | gamma / 2 |
    | DRAGAN  | "noise"       | 1      | lambda=10 |

    Where u ~ U(0, 1) per sample, "interpolate" is u x + (1 - u) G(z), and
    "noise" is x + noise_scale * eps with standard normal eps, where the authors
    of DRAGAN draw uniform noise as wide as the data deviate. The gradient is
    per sample only if the discriminator does not mix samples: no batch
    normalisation in it.

    Args:
        weight: Float of at least 0.
        at: String, one of "real", "fake", "interpolate", "noise".
        center: Float of at least 0, the slope that costs nothing.
        one_sided: Bool, whether slopes below `center` are free.
        noise_scale: Float, for `at="noise"` only.
        every: Integer i: with i > 1 the penalty is charged at every i-th step
            of the discriminator, times i ("lazy"), at about 1/i of the cost;
            on TensorFlow with XLA at the full cost.

    Reference:
        Gulrajani et al., 2017, arXiv:1704.00028 (WGAN-GP); Mescheder et al.,
        2018, arXiv:1801.04406 (R1, R2); Kodali et al., 2017, arXiv:1705.07215
        (DRAGAN); Karras et al., 2019, arXiv:1912.04958 (lazy).
    """

    def __init__(
        self,
        weight=10.0,
        at="interpolate",
        center=1.0,
        one_sided=False,
        noise_scale=0.5,
        every=1,
    ):
        if at not in _PLACES:
            raise ValueError(
                f"`at` must be one of {_PLACES}. Received: at={at!r}"
            )
        for name, value in (("weight", weight), ("center", center)):
            if not value >= 0:
                raise ValueError(
                    f"`{name}` must be at least 0. Received: {name}={value}"
                )
        self.weight = float(weight)
        self.at = at
        self.center = float(center)
        self.one_sided = one_sided
        self.noise_scale = float(noise_scale)
        self.every = checks.check_positive_integer(every, "every")

    def points(self, real, fake, seed):
        """Return where the slope is measured, of the shape of `real`."""
        if self.at == "real":
            return real
        if self.at == "fake":
            return fake
        if self.at == "noise":
            eps = keras.random.normal(ops.shape(real), seed=seed)
            return real + self.noise_scale * eps
        shape = (ops.shape(real)[0],) + (1,) * (len(real.shape) - 1)
        u = keras.random.uniform(shape, seed=seed)
        return u * real + (1.0 - u) * fake

    def __call__(self, gradient, real, fake, seed):
        """Return the penalty, a scalar.

        Args:
            gradient: Callable from points to the gradient of the summed
                logits there, of the same shape.
            real: Tensor `(batch, ...)`, real samples.
            fake: Tensor of the same shape, generated samples.
            seed: `keras.random.SeedGenerator`.
        """
        g = gradient(self.points(real, fake, seed))
        axes = tuple(range(1, len(g.shape)))
        squared = ops.sum(ops.square(ops.cast(g, "float32")), axis=axes)
        if self.center == 0:  # no square root: its gradient at 0 is infinite
            return self.weight * ops.mean(squared)
        excess = ops.sqrt(squared + 1e-12) - self.center
        if self.one_sided:
            excess = ops.relu(excess)
        return self.weight * ops.mean(ops.square(excess))

    def get_config(self):
        return {
            "weight": self.weight,
            "at": self.at,
            "center": self.center,
            "one_sided": self.one_sided,
            "noise_scale": self.noise_scale,
            "every": self.every,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
