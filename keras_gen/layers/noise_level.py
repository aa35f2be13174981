"""What denoising networks need: noise levels as features, and their use."""

import keras
import numpy as np
from keras import ops

from keras_gen.layers.normalization import check_groups
from keras_gen.layers.normalization import group_factors


@keras.saving.register_keras_serializable("keras_gen")
class NoiseLevelEmbedding(keras.layers.Layer):
    """Turn noise levels into sines and cosines of them.

        [sin(f_k l), cos(f_k l)],    f_k from 0.1 to 30, geometrically

    Args:
        dim: Even integer, the number of features.

    Call:
        Levels `(batch, 1)`, such as ln(sigma / alpha), to `(batch, dim)`.
    """

    def __init__(self, dim, **kwargs):
        # Half precision would blur neighbouring levels.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if dim % 2 or dim < 2:
            raise ValueError(f"`dim` must be even. Received: dim={dim}")
        self.dim = dim
        self.frequencies = np.geomspace(0.1, 30.0, dim // 2).astype("float32")

    def call(self, level):
        angles = level * ops.convert_to_tensor(self.frequencies)
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)

    def compute_output_shape(self, input_shape):
        return *input_shape[:-1], self.dim

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}


@keras.saving.register_keras_serializable("keras_gen")
class AdaptiveNormalization(keras.layers.Layer):
    """Normalise features, and scale and shift them as an embedding says.

        (1 + s(e)) norm(x) + b(e)

    with s and b linear and 0 at the start.

    Args:
        groups: Integer, groups of channels that are normalised together with
            all positions; None to normalise the channels of each position.

    Call:
        A list of features `(batch, ..., channels)` and embeddings
        `(batch, dim)`.

    Reference:
        Dhariwal and Nichol, 2021, arXiv:2105.05233 (groups); Peebles and Xie,
        2022, arXiv:2212.09748 (positions).
    """

    def __init__(self, groups=None, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups
        if groups is None:
            self.norm = keras.layers.LayerNormalization(
                center=False, scale=False, epsilon=1e-5, dtype=self.dtype_policy
            )

    def build(self, shapes):
        shape, embedding = shapes
        if self.groups is None:
            self.norm.build(shape)
        else:
            check_groups(self.groups, shape[-1])
        self.modulation = keras.layers.Dense(
            2 * shape[-1], kernel_initializer="zeros", dtype=self.dtype_policy
        )
        self.modulation.build(embedding)

    def call(self, inputs):
        x, embedding = inputs
        ones = (1,) * (len(x.shape) - 2)
        numbers = self.modulation(embedding)
        numbers = ops.reshape(numbers, (-1, *ones, numbers.shape[-1]))
        scale, shift = ops.split(numbers, 2, axis=-1)
        if self.groups is None:
            return (1.0 + scale) * self.norm(x) + shift
        a, b = group_factors(x, self.groups, 1e-5)
        scale, shift = ops.cast(scale, a.dtype), ops.cast(shift, a.dtype)
        a, b = a * (1.0 + scale), b * (1.0 + scale) + shift
        return ops.cast(ops.cast(x, a.dtype) * a + b, x.dtype)

    # Without it Keras traces `call` for the shape, which slows loading down.
    def compute_output_shape(self, shapes):
        return shapes[0]

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}
