"""Convolutional networks that halve or double the image at each level."""

import keras
from keras import layers

from keras_gen.nets.dense import with_labels


def coarsest(image_shape, levels):
    """Return the (height, width) after halving `levels` times, or raise."""
    if len(image_shape) != 3:
        raise ValueError(
            "`image_shape` must be (height, width, channels). "
            f"Received: image_shape={tuple(image_shape)}"
        )
    height, width, _ = image_shape
    step = 2**levels
    if height % step or width % step:
        raise ValueError(
            f"{levels} levels halve an image {levels} times, so its height "
            f"and width must be multiples of {step}. Received: "
            f"image_shape={tuple(image_shape)}. Choose another image "
            "size, or a network of fewer levels."
        )
    return height // step, width // step


def conv_encoder(
    image_shape, latent_dim, outputs=1, filters=(32, 64), num_classes=None
):
    """Build a convolutional encoder.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        latent_dim: Integer, the length of a code.
        outputs: Integer, how many codes to return: 2 for a VAE's mean and
            log-variance.
        filters: Tuple of integers, the channels of each level.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            second input, or None.

    Returns:
        `keras.Model` from `(batch, *image_shape)` to one tensor, or a list of
        `outputs` tensors, of shape `(batch, latent_dim)`.
    """
    coarsest(image_shape, len(filters))
    inputs = x = keras.Input(image_shape)
    for channels in filters:
        x = layers.Conv2D(
            channels, 3, strides=2, padding="same", activation="relu"
        )(x)
    inputs, x = with_labels(inputs, layers.Flatten()(x), num_classes)
    x = layers.Dense(128, activation="relu")(x)
    codes = [layers.Dense(latent_dim)(x) for _ in range(outputs)]
    return keras.Model(inputs, codes if outputs > 1 else codes[0])


def conv_decoder(image_shape, latent_dim, filters=(64, 32), num_classes=None):
    """Build a convolutional decoder.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        latent_dim: Integer, the length of a code.
        filters: Tuple of integers, the channels of each level.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            second input, or None.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *image_shape)`,
        linear, as the likelihoods expect.
    """
    height, width = coarsest(image_shape, len(filters))
    z = keras.Input((latent_dim,))
    inputs, x = with_labels(z, z, num_classes)
    x = layers.Dense(height * width * filters[0], activation="relu")(x)
    x = layers.Reshape((height, width, filters[0]))(x)
    for channels in filters:
        x = layers.Conv2DTranspose(
            channels, 3, strides=2, padding="same", activation="relu"
        )(x)
    x = layers.Conv2D(image_shape[-1], 3, padding="same")(x)
    return keras.Model(inputs, x)


def conv_generator(image_shape, latent_dim, filters=(128, 64)):
    """Build a convolutional generator with batch normalisation.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        latent_dim: Integer, the length of z.
        filters: Tuple of integers, the channels of each level.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *image_shape)` in
        [-1, 1].
    """
    height, width = coarsest(image_shape, len(filters))
    inputs = keras.Input((latent_dim,))
    x = layers.Dense(height * width * filters[0], use_bias=False)(inputs)
    x = layers.Reshape((height, width, filters[0]))(x)
    for channels in filters:
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        # A kernel that is a multiple of the stride: no checkerboard.
        x = layers.Conv2DTranspose(
            channels, 4, strides=2, padding="same", use_bias=False
        )(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(image_shape[-1], 3, padding="same", activation="tanh")(x)
    return keras.Model(inputs, x)


def conv_discriminator(image_shape, filters=(64, 128)):
    """Build a convolutional discriminator, without normalisation.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        filters: Tuple of integers, the channels of each level.

    Returns:
        `keras.Model` from `(batch, *image_shape)` to logits `(batch, 1)`.
    """
    coarsest(image_shape, len(filters))
    inputs = x = keras.Input(image_shape)
    for channels in filters:
        x = layers.Conv2D(channels, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(1)(x))


def grid_encoder(
    image_shape, dim, filters=(64, 128), residual_blocks=2, residual_filters=32
):
    """Build an encoder to a grid of vectors, for quantizers.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        dim: Integer, the length of a vector.
        filters: Tuple of integers, the channels of each level.
        residual_blocks: Integer, blocks at the coarsest resolution.
        residual_filters: Integer, the narrow channels inside a block.

    Returns:
        `keras.Model` from `(batch, *image_shape)` to `(batch, height / 2^l,
        width / 2^l, dim)` for l levels.
    """
    coarsest(image_shape, len(filters))
    inputs = x = keras.Input(image_shape)
    for channels in filters:
        x = layers.Conv2D(
            channels, 4, strides=2, padding="same", activation="relu"
        )(x)
    x = layers.Conv2D(filters[-1], 3, padding="same")(x)
    x = _residual(x, residual_blocks, residual_filters)
    return keras.Model(inputs, layers.Conv2D(dim, 1)(x))


def grid_decoder(
    image_shape, dim, filters=(128, 64), residual_blocks=2, residual_filters=32
):
    """Build a decoder of a grid of vectors.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        dim: Integer, the length of a vector.
        filters: Tuple of integers, the channels of each level.
        residual_blocks: Integer, blocks at the coarsest resolution.
        residual_filters: Integer, the narrow channels inside a block.

    Returns:
        `keras.Model` from `(batch, height / 2^l, width / 2^l, dim)` for l
        levels to `(batch, *image_shape)`, linear.
    """
    height, width = coarsest(image_shape, len(filters))
    inputs = keras.Input((height, width, dim))
    x = layers.Conv2D(filters[0], 3, padding="same")(inputs)
    x = _residual(x, residual_blocks, residual_filters)
    for channels in filters[1:]:
        x = layers.Conv2DTranspose(
            channels, 4, strides=2, padding="same", activation="relu"
        )(x)
    x = layers.Conv2DTranspose(image_shape[-1], 4, strides=2, padding="same")(x)
    return keras.Model(inputs, x)


def _residual(x, blocks, narrow):
    for _ in range(blocks):
        y = layers.Conv2D(narrow, 3, padding="same", activation="relu")(
            layers.ReLU()(x)
        )
        x = layers.Add()([x, layers.Conv2D(x.shape[-1], 1)(y)])
    return layers.ReLU()(x)
