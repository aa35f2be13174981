"""A Gaussian fitted to codes, so that models without a prior can draw."""

import keras
import numpy as np
from keras import ops


class CodeDistribution(keras.layers.Layer):
    """Follow mean and covariance of the codes during training.

        m <- d m + (1 - d) mean_b z,    S <- d S + (1 - d) mean_b z z^T
        z' = m + L eps,                 L L^T = S - m m^T

    Running moments with decay d, corrected for their start at 0. An
    autoencoder has no prior over its codes; this one is the simplest.

    Args:
        dim: Integer, the length of a code.
        decay: Float in [0, 1).
    """

    def __init__(self, dim, decay=0.99, **kwargs):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.decay = decay
        options = {
            "initializer": "zeros",
            "trainable": False,
            "aggregation": "mean",
        }
        self.first = self.add_weight(shape=(dim,), name="first", **options)
        self.second = self.add_weight(
            shape=(dim, dim), name="second", **options
        )
        self.mass = self.add_weight(shape=(), name="mass", **options)
        self.built = True

    def update(self, z):
        """Move the moments towards those of codes `(batch, dim)`."""
        z = ops.stop_gradient(ops.cast(z, "float32"))
        n = ops.cast(ops.shape(z)[0], "float32")
        moments = (
            (self.first, ops.mean(z, axis=0)),
            (self.second, ops.matmul(ops.transpose(z), z) / n),
            (self.mass, 1.0),
        )
        for mean, value in moments:
            mean.assign(self.decay * mean + (1.0 - self.decay) * value)

    def sample(self, eps):
        """Turn standard normal noise `(n, dim)` into codes, on the host."""
        mass = float(ops.convert_to_numpy(self.mass))
        if mass == 0:  # untrained
            return eps
        mean = ops.convert_to_numpy(self.first).astype("float64") / mass
        second = ops.convert_to_numpy(self.second).astype("float64") / mass
        values, vectors = np.linalg.eigh(second - np.outer(mean, mean))
        # The symmetric root: unlike Cholesky's it exists for any covariance.
        root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
        return (mean + eps @ root).astype("float32")
