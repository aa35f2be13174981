"""Corruption of images in [-1, 1], active in training only."""

import keras
from keras import ops

from keras_gen import checks


class _Corruption(keras.layers.Layer):
    """Draw from a generator of its own, whose state is saved."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()
        self.built = True

    def call(self, x, training=False):
        return self.corrupt(x) if training else x

    def corrupt(self, x):
        """Return `x` corrupted, in training or not."""
        raise NotImplementedError


def _check_share(rate):
    if not 0 <= rate <= 1:
        raise ValueError(f"`rate` must be in [0, 1]. Received: rate={rate}")
    return float(rate)


@keras.saving.register_keras_serializable("keras_gen")
class GaussianCorruption(_Corruption):
    """Add normal noise: c(x) = x + sigma eps.

    Args:
        sigma: Float of at least 0, for pixels in [-1, 1].
    """

    def __init__(self, sigma=0.5, **kwargs):
        super().__init__(**kwargs)
        self.sigma = checks.check_non_negative(sigma, "sigma")

    def corrupt(self, x):
        eps = keras.random.normal(ops.shape(x), seed=self.seed_generator)
        return x + self.sigma * ops.cast(eps, x.dtype)

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


@keras.saving.register_keras_serializable("keras_gen")
class MaskingCorruption(_Corruption):
    """Set each value to the minimum, -1, with probability `rate`.

    Unlike Dropout it leaves the others as they are.

    Args:
        rate: Float in [0, 1].
    """

    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = _check_share(rate)

    def corrupt(self, x):
        u = keras.random.uniform(ops.shape(x), seed=self.seed_generator)
        return ops.where(u < self.rate, ops.cast(-1.0, x.dtype), x)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("keras_gen")
class SaltAndPepper(_Corruption):
    """Set each value to -1 or to 1, with probability `rate` / 2 each.

    Args:
        rate: Float in [0, 1].
    """

    def __init__(self, rate=0.3, **kwargs):
        super().__init__(**kwargs)
        self.rate = _check_share(rate)

    def corrupt(self, x):
        u = keras.random.uniform(ops.shape(x), seed=self.seed_generator)
        x = ops.where(u < self.rate / 2, ops.cast(-1.0, x.dtype), x)
        return ops.where(u > 1 - self.rate / 2, ops.cast(1.0, x.dtype), x)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
