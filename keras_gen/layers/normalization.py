"""Normalisation for penalised critics, in groups, and for classes."""

import math

import keras
from keras import ops

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class LayerNormalization(keras.layers.Layer):
    """Normalise each sample over all its features, for penalised critics.

        y = gamma (x - mu) / sqrt(sigma^2 + epsilon) + beta

    mu and sigma^2 over all axes but the batch, gamma and beta for each
    channel. No sample depends on another, and mean and variance are written in
    plain operations: TensorFlow's moments, which the layers of Keras use, stop
    a gradient, and a gradient penalty behind them trains wrongly.

    Args:
        epsilon: Float above 0.

    Reference:
        Ba et al., Layer Normalization, 2016, arXiv:1607.06450.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
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
        axes = tuple(range(1, len(x.shape)))
        y = ops.cast(x, "float32")
        y = y - ops.mean(y, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(y), axis=axes, keepdims=True)
        y = ops.cast(y / ops.sqrt(variance + self.epsilon), x.dtype)
        return y * self.gamma + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


def check_groups(groups, channels):
    """Raise unless the channels fall into so many groups."""
    if channels % groups:
        raise ValueError(
            "`groups` must divide the channels. Received: "
            f"groups={groups} for {channels} channels"
        )


def group_factors(x, groups, epsilon):
    """Return a and b such that a x + b is `x` normalised in groups.

    One pass over `x` for both sums, E[x^2] - E[x]^2 in float32, and one product
    and sum for the caller: fewer passes than `keras.layers.GroupNormalization`
    takes where no compiler fuses them. The difference loses digits where the
    mean is a hundred deviations or more.

    Args:
        x: Tensor `(batch, ..., channels)`.
        groups: Integer that divides the channels.
        epsilon: Float above 0, added to the variance.

    Returns:
        Two float32 tensors `(batch, 1, ..., channels)`.
    """
    positions, channels = x.shape[1:-1], x.shape[-1]
    each = channels // groups
    count = math.prod(positions) * each
    x = ops.cast(x, "float32")

    def mean(values):
        # A sum, as the gradient of a mean divides at every position.
        sums = ops.sum(values, axis=tuple(range(1, len(x.shape) - 1)))
        return ops.sum(ops.reshape(sums, (-1, groups, each)), axis=-1) / count

    mu = mean(x)
    variance = ops.maximum(mean(ops.square(x)) - ops.square(mu), 0.0)
    a = ops.rsqrt(variance + epsilon)
    shape = (-1, *(1 for _ in positions), channels)
    return tuple(
        ops.reshape(ops.repeat(factor, each, axis=-1), shape)
        for factor in (a, -mu * a)
    )


@keras.saving.register_keras_serializable("keras_gen")
class GroupNormalization(keras.layers.Layer):
    """Normalise each sample over positions and groups of channels.

        y = gamma (x - mu) / sqrt(sigma^2 + epsilon) + beta

    mu and sigma^2 of each group of neighbouring channels over all positions,
    gamma and beta for each channel: what `keras.layers.GroupNormalization`
    computes, in less time where no compiler fuses operations.

    Args:
        groups: Integer that divides the channels.
        epsilon: Float above 0.

    Call:
        Features `(batch, ..., channels)` of a known size.

    Reference:
        Wu and He, Group Normalization, 2018, arXiv:1803.08494.
    """

    def __init__(self, groups, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.groups = checks.check_positive_integer(groups, "groups")
        self.epsilon = epsilon

    def build(self, input_shape):
        channels = input_shape[-1]
        check_groups(self.groups, channels)
        self.gamma = self.add_weight(
            shape=(channels,), initializer="ones", name="gamma"
        )
        self.beta = self.add_weight(
            shape=(channels,), initializer="zeros", name="beta"
        )

    def call(self, x):
        a, b = group_factors(x, self.groups, self.epsilon)
        gamma = ops.cast(self.gamma, a.dtype)
        a, b = a * gamma, b * gamma + ops.cast(self.beta, a.dtype)
        return ops.cast(ops.cast(x, a.dtype) * a + b, x.dtype)

    # Without it Keras traces `call` for the shape, which slows loading down.
    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "groups": self.groups,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable("keras_gen")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalisation with a scale and a shift for each class.

        y = (1 + gamma_c) (x - mu) / sqrt(sigma^2 + epsilon) + beta_c

    Called on `[x, labels]` with one-hot labels `(batch, num_classes)`. gamma
    and beta start at zero. For generators: like Keras's layer it does not suit
    gradient penalties.

    Args:
        momentum: Float, see `keras.layers.BatchNormalization`.

    Reference:
        Dumoulin et al., A Learned Representation for Artistic Style, 2016,
        arXiv:1610.07629; Miyato and Koyama, 2018, arXiv:1802.05637.
    """

    def __init__(self, momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.normalize = keras.layers.BatchNormalization(
            momentum=momentum,
            center=False,
            scale=False,
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        x, labels = input_shape
        self.normalize.build(x)
        self.gamma = self.add_weight(
            shape=(labels[-1], x[-1]), initializer="zeros", name="gamma"
        )
        self.beta = self.add_weight(
            shape=(labels[-1], x[-1]), initializer="zeros", name="beta"
        )

    def call(self, inputs, training=False):
        x, labels = inputs
        shape = (-1, *(1,) * (len(x.shape) - 2), x.shape[-1])
        gamma = ops.reshape(ops.matmul(labels, self.gamma), shape)
        beta = ops.reshape(ops.matmul(labels, self.beta), shape)
        return self.normalize(x, training=training) * (1.0 + gamma) + beta

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}
