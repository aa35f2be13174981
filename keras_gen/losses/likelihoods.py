"""Likelihoods p(x | z) of an image given what a decoder returns.

A likelihood is one axis of a model, independent of its objective. Each has
`nll(x, outputs)`, the negative log-likelihood of each image in nats, summed
over the data dimensions, and `mean(outputs)`, the image to show, in [-1, 1].
"""

import math

import keras
from keras import ops


def _sum_over_data(terms):
    return ops.sum(terms, axis=tuple(range(1, len(terms.shape))))


@keras.saving.register_keras_serializable("keras_gen")
class Bernoulli:
    """Treat each pixel as a coin, the decoder's outputs as its logits a.

        -ln p(x | a) = sum softplus(a) - x a,    x in [0, 1]

    Pixels arrive in [-1, 1] and are converted inside. On binary pixels this
    is a log-probability; on grey pixels it is the cross-entropy score that
    much of the literature trains with, and not a likelihood.
    """

    def nll(self, x, outputs):
        x, a = (x + 1.0) / 2.0, ops.cast(outputs, "float32")
        return _sum_over_data(ops.softplus(a) - x * a)

    def mean(self, outputs):
        return 2.0 * ops.sigmoid(outputs) - 1.0

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_gen")
class Gaussian:
    """Treat pixels as normal around the decoder's outputs m, sigma fixed.

        -ln p(x | m) = sum (x - m)^2 / (2 sigma^2) + D/2 ln(2 pi sigma^2)

    with D data dimensions. A density: it may exceed 1, its negative logarithm
    may fall below 0. `sigma` weighs reconstruction against the KL term; at
    `sigma**2 = 1/2` the first term is the plain squared error.

    Args:
        sigma: Float above 0, the standard deviation for pixels in [-1, 1].
    """

    def __init__(self, sigma=0.5):
        if not sigma > 0:
            raise ValueError(
                f"`sigma` must be positive. Received: sigma={sigma}"
            )
        self.sigma = float(sigma)

    def nll(self, x, outputs):
        error = ops.square(x - ops.cast(outputs, "float32"))
        constant = 0.5 * math.log(2.0 * math.pi * self.sigma**2)
        return _sum_over_data(error / (2.0 * self.sigma**2) + constant)

    def mean(self, outputs):
        return ops.clip(outputs, -1.0, 1.0)

    def get_config(self):
        return {"sigma": self.sigma}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


_LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}


def get_likelihood(likelihood):
    """Return a likelihood object for its name, or the object unchanged."""
    if isinstance(likelihood, str) and likelihood in _LIKELIHOODS:
        return _LIKELIHOODS[likelihood]()
    if hasattr(likelihood, "nll") and hasattr(likelihood, "mean"):
        return likelihood
    raise ValueError(
        f"`likelihood` must be one of {sorted(_LIKELIHOODS)} or an object "
        f"with `nll` and `mean`. Received: likelihood={likelihood!r}"
    )
