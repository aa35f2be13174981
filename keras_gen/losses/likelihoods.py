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
        return 2.0 * ops.sigmoid(ops.cast(outputs, "float32")) - 1.0

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class _Scaled(keras.layers.Layer):
    """A likelihood with one scale for all pixels, fixed or learned."""

    def __init__(self, scale, name_of_scale, **kwargs):
        super().__init__(**kwargs)
        self.log_scale = None
        if scale == "learned":
            self.log_scale = self.add_weight(
                shape=(), initializer="zeros", dtype="float32", name="log_scale"
            )
        elif isinstance(scale, str) or not scale > 0:
            raise ValueError(
                f"`{name_of_scale}` must be positive or one of the names the "
                f"likelihood knows. Received: {name_of_scale}={scale!r}"
            )
        self.built = True

    def log_of(self, scale):
        """Return the logarithm of the scale in force."""
        if self.log_scale is None:
            return math.log(scale)
        # Bounded below: exact reconstructions would drive the scale to 0.
        return ops.maximum(ops.convert_to_tensor(self.log_scale), -7.0)

    def mean(self, outputs):
        outputs = ops.cast(outputs, "float32")
        if len(outputs.shape) < 4:  # points know no range
            return outputs
        return ops.clip(outputs, -1.0, 1.0)


@keras.saving.register_keras_serializable("keras_gen")
class Gaussian(_Scaled):
    """Treat pixels as normal around the decoder's outputs m.

        -ln p(x | m) = sum (x - m)^2 / (2 sigma^2) + D/2 ln(2 pi sigma^2)

    with D data dimensions. A density: it may exceed 1, its negative logarithm
    may fall below 0. `sigma` weighs reconstruction against the KL term; at
    `sigma**2 = 1/2` the first term is the plain squared error. The optimal
    sigma^2 is the mean squared error over batch and dimensions, which leaves
    D/2 ln(2 pi e MSE).

    Args:
        sigma: Float above 0, the standard deviation for pixels in [-1, 1];
            `"learned"` for a trained weight; `"optimal"` for the best of each
            batch.

    Reference:
        Rybkin et al., Simple and Effective VAE Training with Calibrated
        Decoders, 2020, arXiv:2006.13202, for the last two.
    """

    def __init__(self, sigma=0.5, **kwargs):
        super().__init__(
            1.0 if sigma == "optimal" else sigma, "sigma", **kwargs
        )
        self.sigma = sigma
        self.depends_on_batch = sigma == "optimal"

    def nll(self, x, outputs):
        error = ops.square(x - ops.cast(outputs, "float32"))
        if self.depends_on_batch:
            log_sigma = 0.5 * ops.log(ops.maximum(ops.mean(error), 1e-6))
        else:
            log_sigma = self.log_of(self.sigma)
        terms = error * ops.exp(-2.0 * log_sigma) + 2.0 * log_sigma
        return _sum_over_data(0.5 * (terms + math.log(2.0 * math.pi)))

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


@keras.saving.register_keras_serializable("keras_gen")
class Laplace(_Scaled):
    """Treat pixels as Laplace distributed around the decoder's outputs m.

        -ln p(x | m) = sum |x - m| / b + D ln(2 b)

    A density, like `Gaussian`, with sharper edges: its best m is the median.

    Args:
        scale: Float above 0, b for pixels in [-1, 1], or `"learned"`.
    """

    def __init__(self, scale=0.3, **kwargs):
        super().__init__(scale, "scale", **kwargs)
        self.scale = scale

    def nll(self, x, outputs):
        log_b = self.log_of(self.scale)
        error = ops.abs(x - ops.cast(outputs, "float32"))
        return _sum_over_data(error * ops.exp(-log_b) + (math.log(2.0) + log_b))

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable("keras_gen")
class DiscretizedLogistic(_Scaled):
    """Treat pixels as one of 256 levels, logistic around the outputs m.

        -ln p(x | m) = -sum ln[S((x - m + 1/255) / s) - S((x - m - 1/255) / s)]

    with S the sigmoid and the outermost levels taking the rest of the line. A
    log-probability of 8-bit pixels: divided by D ln 2, bits per dimension.

    Args:
        scale: Float above 0, s for pixels in [-1, 1], or `"learned"`.

    Reference:
        Salimans et al., PixelCNN++, 2017, arXiv:1701.05517.
    """

    def __init__(self, scale="learned", **kwargs):
        super().__init__(scale, "scale", **kwargs)
        self.scale = scale

    def nll(self, x, outputs):
        inverse = ops.exp(-ops.cast(self.log_of(self.scale), "float32"))
        centred = x - ops.cast(outputs, "float32")
        above = (centred + 1.0 / 255.0) * inverse
        below = (centred - 1.0 / 255.0) * inverse
        # ln[S(a) - S(b)] = ln(1 - e^(b - a)) + ln S(a) + ln S(-b): the
        # difference of two sigmoids close to 1 would be lost in rounding.
        inside = (
            ops.log(-ops.expm1(below - above))
            - ops.softplus(-above)
            - ops.softplus(below)
        )
        first, last = -ops.softplus(-above), -ops.softplus(below)
        level = ops.where(x < -0.999, first, inside)
        level = ops.where(x > 0.999, last, level)
        return -_sum_over_data(level)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


_LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "laplace": Laplace,
    "discretized_logistic": DiscretizedLogistic,
}


def get_likelihood(likelihood, decoder=None):
    """Return a likelihood object for its name, or the object unchanged.

    Args:
        likelihood: String or object.
        decoder: `keras.Model` whose outputs it will be given, or None.

    Raises:
        ValueError: If there is none of this name, or the decoder returns
            probabilities where the likelihood takes their logits.
    """
    if isinstance(likelihood, str) and likelihood in _LIKELIHOODS:
        likelihood = _LIKELIHOODS[likelihood]()
    if not hasattr(likelihood, "nll") or not hasattr(likelihood, "mean"):
        raise ValueError(
            f"`likelihood` must be one of {sorted(_LIKELIHOODS)} or an object "
            f"with `nll` and `mean`. Received: likelihood={likelihood!r}"
        )
    if isinstance(likelihood, Bernoulli) and decoder is not None:
        activation = last_activation(decoder)
        if activation in ("sigmoid", "tanh"):
            raise ValueError(
                "The Bernoulli likelihood takes logits, any numbers, and "
                f"`decoder` ends in {activation}. Leave out its last "
                "activation."
            )
    return likelihood


def last_activation(network):
    """Return the name of the activation a network ends in, or None."""
    # Functional models know operations that are no layers as well.
    for layer in reversed(getattr(network, "operations", network.layers)):
        if isinstance(layer, keras.Model):
            return last_activation(layer)
        if not isinstance(layer, (keras.layers.Reshape, keras.layers.Flatten)):
            return getattr(getattr(layer, "activation", None), "__name__", None)
    return None
