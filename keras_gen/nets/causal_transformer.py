"""A causal transformer over grids of codes."""

import math

import keras
from keras import layers

from keras_gen.layers.position import PositionEmbedding


def causal_transformer(
    grid_shape, num_codes, dim=64, heads=4, blocks=4, num_classes=None
):
    """Build a transformer that reads a grid code by code.

    The grid in reading order is shifted by one, a start token in front, so
    that position i holds code i - 1; attention looks back only. Each block is

        x <- x + Attention(LayerNorm(x)),    x <- x + MLP(LayerNorm(x))

    Args:
        grid_shape: Tuple (height, width).
        num_codes: Integer, codes to tell apart.
        dim: Integer, the width, a multiple of `heads`.
        heads: Integer, attention heads.
        blocks: Integer.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            second input, or None.

    Returns:
        `keras.Model` from int32 grids `(batch, height, width, 1)` to logits
        `(batch, height, width, num_codes)`.

    Raises:
        ValueError: If `dim` is not a multiple of `heads`.

    Reference:
        Radford et al., Improving Language Understanding by Generative
        Pre-Training, 2018; normalisation before each part as in Radford et
        al., Language Models are Unsupervised Multitask Learners, 2019.
    """
    if dim % heads:
        raise ValueError(
            "`dim` must be a multiple of `heads`. Received: "
            f"dim={dim}, heads={heads}"
        )
    inputs = codes = keras.Input((*grid_shape, 1), dtype="int32")
    x = layers.Reshape((math.prod(grid_shape),))(codes)
    x = layers.Embedding(num_codes, dim)(x)
    # Shift by one. The start token is zero; the first position is learned.
    x = layers.Cropping1D((0, 1))(layers.ZeroPadding1D((1, 0))(x))
    x = PositionEmbedding()(x)
    if num_classes is not None:
        label = keras.Input((num_classes,))
        inputs = [codes, label]
        shift = layers.Dense(dim, use_bias=False)(label)
        x = layers.Add()([x, layers.Reshape((1, dim))(shift)])
    for _ in range(blocks):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(heads, dim // heads)(
            y, y, use_causal_mask=True
        )
        x = layers.Add()([x, y])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(4 * dim, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(dim)(y)])
    logits = layers.Dense(num_codes)(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Reshape((*grid_shape, num_codes))(logits))
