"""A U-Net that tells noise from data."""

import math

import keras
from keras import layers

from keras_gen.layers.noise_level import AdaptiveNormalization
from keras_gen.layers.normalization import GroupNormalization
from keras_gen.nets.conv import coarsest
from keras_gen.nets.noise_level import noise_and_class


def unet(
    image_shape,
    filters=(32, 64, 64),
    blocks=2,
    attention=(8, 7),
    num_classes=None,
    in_channels=None,
    out_channels=None,
    dropout=0.0,
):
    """Build a U-Net with residual blocks.

    On the way down each level has `blocks` residual blocks and halves the
    grid, on the way up one more; what a block on the way down returns goes to
    its counterpart on the way up. Every block is told the level of noise and
    the class. The last convolution starts at zero.

    Args:
        image_shape: Tuple (height, width, channels); height and width must be
            divisible by 2 as often as there are `filters` but the first.
        filters: Tuple of integers, the channels of each level, fine to coarse.
        blocks: Integer, residual blocks of each level on the way down.
        attention: Tuple of integers, the heights of grids with self-attention.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            third input, zeros for "unknown", or None.
        in_channels: Integer, channels of the input if not those of the image.
        out_channels: Integer, channels of the output if not those of the
            image.
        dropout: Float in [0, 1), in residual blocks.

    Returns:
        `keras.Model` from images `(batch, height, width, in_channels)`, noise
        levels `(batch, 1)`, and labels, to `(batch, height, width,
        out_channels)`.

    Raises:
        ValueError: If the image cannot be halved so often.

    Reference:
        Ho et al., Denoising Diffusion Probabilistic Models, 2020,
        arXiv:2006.11239, with the scale and shift of Nichol and Dhariwal, 2021,
        arXiv:2102.09672.
    """
    coarsest(image_shape, len(filters) - 1)
    height, width, channels = image_shape
    image = keras.Input((height, width, in_channels or channels))
    others, embedding = noise_and_class(4 * filters[0], num_classes)
    inputs = [image, *others]

    def block(x, width):
        x = _residual_block(x, embedding, width, dropout)
        return _attention(x) if x.shape[1] in attention else x

    x = layers.Conv2D(filters[0], 3, padding="same")(image)
    skips = [x]
    for level, width in enumerate(filters):
        for _ in range(blocks):
            x = block(x, width)
            skips.append(x)
        if level < len(filters) - 1:
            x = layers.Conv2D(width, 3, strides=2, padding="same")(x)
            skips.append(x)
    x = block(x, filters[-1])
    for level, width in reversed(list(enumerate(filters))):
        for _ in range(blocks + 1):
            x = block(layers.Concatenate()([x, skips.pop()]), width)
        if level > 0:
            x = layers.UpSampling2D(2)(x)
            x = layers.Conv2D(width, 3, padding="same")(x)
    x = layers.Activation("silu")(GroupNormalization(_groups(x))(x))
    return keras.Model(inputs, _last(out_channels or channels)(x))


def _groups(x):
    """Return into how many groups of two channels or more to divide."""
    groups = math.gcd(x.shape[-1], 8)
    return groups if groups < x.shape[-1] else 1


def _last(channels):
    # In float32 whatever the policy: a loss is computed on it.
    return layers.Conv2D(
        channels, 3, padding="same", kernel_initializer="zeros", dtype="float32"
    )


def _residual_block(x, embedding, width, dropout):
    y = GroupNormalization(_groups(x))(x)
    y = layers.Conv2D(width, 3, padding="same")(layers.Activation("silu")(y))
    y = AdaptiveNormalization(_groups(y))([y, embedding])
    y = layers.Dropout(dropout)(layers.Activation("silu")(y))
    # What it adds is nothing at the start.
    y = layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(y)
    if x.shape[-1] != width:
        x = layers.Conv2D(width, 1)(x)
    return layers.Add()([x, y])


def _attention(x):
    height, width, channels = x.shape[1:]
    y = GroupNormalization(_groups(x))(x)
    y = layers.Reshape((height * width, channels))(y)
    y = layers.MultiHeadAttention(
        max(1, channels // 32), min(channels, 32), use_bias=False
    )(y, y)
    return layers.Add()([x, layers.Reshape((height, width, channels))(y)])
