"""Layers that let a discriminator see the whole batch."""

import keras
from keras import ops

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class MinibatchDiscrimination(keras.layers.Layer):
    """Append to each sample's features how close they are to the others'.

        M_i = f_i T,    o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1),    [f_i, o_i]

    with M_i of `kernels` rows b and `dim` columns. A generator that makes one
    image over and over gives itself away.

    Args:
        kernels: Integer, the number of features appended.
        dim: Integer.
        include_self: Bool, whether j = i counts, which adds 1 to all; it does
            in the paper, and not in its authors' code.

    Raises:
        ValueError: In training, for a batch of one, which has no others.

    Reference:
        Salimans et al., Improved Techniques for Training GANs, 2016,
        arXiv:1606.03498.
    """

    mixes_samples = True

    def __init__(self, kernels=50, dim=5, include_self=True, **kwargs):
        super().__init__(**kwargs)
        self.kernels = checks.check_positive_integer(kernels, "kernels")
        self.dim = checks.check_positive_integer(dim, "dim")
        self.include_self = include_self

    def build(self, input_shape):
        if len(input_shape) != 2:
            raise ValueError(
                "`MinibatchDiscrimination` takes features of shape (batch, n). "
                f"Received: {tuple(input_shape)}. Put a `Flatten` before it."
            )
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.kernels * self.dim),
            initializer="glorot_uniform",
            name="kernel",
        )

    def call(self, x, training=False):
        _refuse_one(x, self, training)
        m = ops.reshape(
            ops.matmul(x, self.kernel), (-1, self.kernels, self.dim)
        )
        distance = ops.sum(ops.abs(m[:, None] - m[None]), axis=-1)
        closeness = ops.sum(ops.exp(-distance), axis=1)
        if not self.include_self:
            closeness = closeness - 1.0
        return ops.concatenate([x, closeness], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + self.kernels)

    def get_config(self):
        return {
            **super().get_config(),
            "kernels": self.kernels,
            "dim": self.dim,
            "include_self": self.include_self,
        }


@keras.saving.register_keras_serializable("keras_gen")
class MinibatchStd(keras.layers.Layer):
    """Append one channel that says how much the batch varies.

        s = mean over features of sqrt(Var over the batch + 1e-8)

    The same number for every sample and pixel.

    Raises:
        ValueError: In training, for a batch of one, which does not vary.

    Reference:
        Karras et al., Progressive Growing of GANs, 2017, arXiv:1710.10196.
    """

    mixes_samples = True

    def call(self, x, training=False):
        _refuse_one(x, self, training)
        y = ops.cast(x, "float32")  # float16 would round 1e-8 to zero
        mean = ops.mean(y, axis=0, keepdims=True)
        variance = ops.mean(ops.square(y - mean), axis=0)
        std = ops.mean(ops.sqrt(variance + 1e-8))
        channel = ops.ones_like(x[..., :1]) * ops.cast(std, x.dtype)
        return ops.concatenate([x, channel], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)


def _refuse_one(x, layer, training):
    if training and x.shape[0] == 1:
        raise ValueError(
            f"`{type(layer).__name__}` compares the samples of a batch, so it "
            "needs at least two. Received: a batch of one."
        )
