"""Normalisation by a reference batch that is fixed once."""

import keras
import numpy as np
from keras import ops

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class ReferenceBatch(keras.layers.Layer):
    """Put a fixed batch in front of every batch.

    `VirtualBatchNormalization` further on takes its statistics from these
    first rows, and `DropReference` at the end takes them off again.

    Args:
        size: Integer of at least 2, the number of reference samples. They are
            normal to begin with, as suits a generator; give those of a
            discriminator with `set_reference`. The other two layers need the
            same number: it cannot be told from what they are given.

    Reference:
        Salimans et al., Improved Techniques for Training GANs, 2016,
        arXiv:1606.03498.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = _check_size(size)

    def build(self, input_shape):
        self.reference = self.add_weight(
            shape=(self.size, *input_shape[1:]),
            initializer="random_normal",
            trainable=False,
            name="reference",
        )
        self.reference.assign(keras.random.normal(self.reference.shape, seed=0))

    def set_reference(self, x):
        """Set the reference samples, an array `(size, ...)`."""
        x = np.asarray(x)
        if x.shape != tuple(self.reference.shape):
            raise ValueError(
                f"`x` must have the shape {tuple(self.reference.shape)}. "
                f"Received: {x.shape}"
            )
        self.reference.assign(x)

    def call(self, x):
        reference = ops.cast(ops.convert_to_tensor(self.reference), x.dtype)
        return ops.concatenate([reference, x], axis=0)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_gen")
class DropReference(keras.layers.Layer):
    """Take the first `size` rows off, those that `ReferenceBatch` put on."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = _check_size(size)

    def call(self, x):
        return x[self.size :]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_gen")
class VirtualBatchNormalization(keras.layers.Layer):
    """Normalise by the statistics of a reference batch, and of one's own.

        mu_i = (n mu_ref + mu(x_i)) / (n + 1),    likewise E[x^2]_i
        y_i  = gamma (x_i - mu_i) / sqrt(E[x^2]_i - mu_i^2 + epsilon) + beta

    Moments are over samples and pixels, for each channel, n is the size of the
    reference batch, the first rows of the input: see `ReferenceBatch`. These
    rows themselves get plain batch normalisation. What a sample becomes does
    not depend on the batch it is in, in training or not.

    Args:
        size: Integer n of at least 2.
        include_example: Bool; False for reference batch normalisation, where
            mu_i = mu_ref.
        epsilon: Float above 0.

    Reference:
        Salimans et al., Improved Techniques for Training GANs, 2016,
        arXiv:1606.03498.
    """

    def __init__(self, size, include_example=True, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.size = _check_size(size)
        self.include_example = include_example
        self.epsilon = epsilon

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(
            shape=shape, initializer="ones", name="gamma"
        )
        self.beta = self.add_weight(
            shape=shape, initializer="zeros", name="beta"
        )

    def call(self, x):
        n = self.size
        y = ops.cast(x, "float32")
        reference, live = y[:n], y[n:]
        pixels = tuple(range(1, len(x.shape) - 1))
        everything = (0, *pixels)
        mean = ops.mean(reference, axis=everything, keepdims=True)
        square = ops.mean(ops.square(reference), axis=everything, keepdims=True)
        own_mean, own_square = mean, square
        if self.include_example:
            own_mean, own_square = live, ops.square(live)
            if pixels:
                own_mean = ops.mean(own_mean, axis=pixels, keepdims=True)
                own_square = ops.mean(own_square, axis=pixels, keepdims=True)
            own_mean = (n * mean + own_mean) / (n + 1)
            own_square = (n * square + own_square) / (n + 1)
        y = ops.concatenate(
            [
                self._normalize(reference, mean, square),
                self._normalize(live, own_mean, own_square),
            ],
            axis=0,
        )
        return ops.cast(y, x.dtype) * self.gamma + self.beta

    def _normalize(self, x, mean, square):
        variance = ops.relu(square - ops.square(mean))
        return (x - mean) / ops.sqrt(variance + self.epsilon)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "include_example": self.include_example,
            "epsilon": self.epsilon,
        }


def _check_size(size):
    if checks.check_positive_integer(size, "size") < 2:
        raise ValueError(
            "`size` must be at least 2: one sample has no variance. "
            f"Received: size={size}"
        )
    return size
