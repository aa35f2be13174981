"""A diffusion transformer."""

import keras
from keras import layers
from keras import ops

from keras_gen.layers.noise_level import AdaptiveNormalization
from keras_gen.layers.position import PositionEmbedding
from keras_gen.nets.noise_level import noise_and_class


def dit(
    image_shape,
    patch=2,
    dim=128,
    heads=4,
    blocks=6,
    num_classes=None,
    in_channels=None,
    out_channels=None,
):
    """Build a transformer over the patches of an image.

    Each block is

        x <- x + g(e) Attention(norm(x; e)),    x <- x + g'(e) MLP(norm(x; e))

    where the embedding e of noise level and class scales and shifts what is
    normalised, see `keras_gen.layers.AdaptiveNormalization`, and the gates g
    start at zero.

    Args:
        image_shape: Tuple (height, width, channels).
        patch: Integer, the side of a patch, a divisor of height and width.
        dim: Integer, the width, a multiple of `heads`.
        heads: Integer, attention heads.
        blocks: Integer.
        num_classes: See `keras_gen.nets.unet`.
        in_channels: See `keras_gen.nets.unet`.
        out_channels: See `keras_gen.nets.unet`.

    Returns:
        `keras.Model` like that of `keras_gen.nets.unet`.

    Raises:
        ValueError: If the patches do not fit, or `dim` is not a multiple of
            `heads`.

    Reference:
        Peebles and Xie, Scalable Diffusion Models with Transformers, 2022,
        arXiv:2212.09748.
    """
    height, width, channels = image_shape
    if height % patch or width % patch:
        raise ValueError(
            "`patch` must divide height and width. Received: "
            f"patch={patch}, image_shape={tuple(image_shape)}"
        )
    if dim % heads:
        raise ValueError(
            "`dim` must be a multiple of `heads`. Received: "
            f"dim={dim}, heads={heads}"
        )
    image = keras.Input((height, width, in_channels or channels))
    out_channels = out_channels or channels
    others, embedding = noise_and_class(dim, num_classes)
    inputs = [image, *others]

    def gated(x, y):
        gate = layers.Dense(dim, kernel_initializer="zeros")(embedding)
        gate = layers.Reshape((1, dim))(gate)
        return layers.Add()([x, layers.Multiply()([gate, y])])

    rows, columns = height // patch, width // patch
    x = layers.Conv2D(dim, patch, strides=patch)(image)
    x = PositionEmbedding()(layers.Reshape((rows * columns, dim))(x))
    for _ in range(blocks):
        y = AdaptiveNormalization()([x, embedding])
        y = layers.MultiHeadAttention(heads, dim // heads, use_bias=False)(y, y)
        x = gated(x, y)
        y = AdaptiveNormalization()([x, embedding])
        y = layers.Dense(4 * dim, activation="gelu")(y)
        x = gated(x, layers.Dense(dim)(y))
    x = AdaptiveNormalization()([x, embedding])
    x = layers.Dense(
        patch * patch * out_channels,
        kernel_initializer="zeros",
        dtype="float32",
    )(x)
    # In float32 whatever the policy: a loss is computed on it.
    shape = (rows, columns, patch, patch, out_channels)
    x = ops.transpose(
        layers.Reshape(shape, dtype="float32")(x), (0, 1, 3, 2, 4, 5)
    )
    shape = (height, width, out_channels)
    return keras.Model(inputs, layers.Reshape(shape, dtype="float32")(x))
