"""Networks of generative adversarial models."""

import keras
from keras import layers

from keras_gen.layers import ConditionalBatchNormalization
from keras_gen.nets.conv import coarsest


def dcgan_generator(image_shape=(64, 64, 3), latent_dim=100, filters=1024):
    """Build the generator of DCGAN, or one like it for smaller images.

    z to a grid of `filters` channels, then transposed convolutions 5x5 of
    stride 2, each with half the channels of the one before; batch
    normalisation and ReLU everywhere but at the output, which is tanh. At
    64x64 the grid is 4x4 and there are four convolutions, at 32x32 three, at
    28x28 two from a grid of 7x7.

    Args:
        image_shape: Tuple (height, width, channels).
        latent_dim: Integer, the length of z.
        filters: Integer, channels of the grid, 1,024 in the paper.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *image_shape)` in
        [-1, 1].

    Reference:
        Radford et al., Unsupervised Representation Learning with Deep
        Convolutional Generative Adversarial Networks, 2015, arXiv:1511.06434.
    """
    levels = _levels(image_shape)
    height, width = coarsest(image_shape, levels)
    z = keras.Input((latent_dim,))
    x = layers.Dense(
        height * width * filters, use_bias=False, kernel_initializer=_normal()
    )(z)
    x = layers.Reshape((height, width, filters))(x)
    for level in range(1, levels + 1):
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        last = level == levels
        x = layers.Conv2DTranspose(
            image_shape[-1] if last else filters // 2**level,
            5,
            strides=2,
            padding="same",
            use_bias=last,
            activation="tanh" if last else None,
            kernel_initializer=_normal(),
        )(x)
    return keras.Model(z, x)


def dcgan_discriminator(image_shape=(64, 64, 3), filters=1024):
    """Build the discriminator of DCGAN: its generator the other way round.

    Convolutions 5x5 of stride 2 with LeakyReLU(0.2) and, but for the first,
    batch normalisation; each has twice the channels of the one before.

    Args:
        image_shape: Tuple (height, width, channels).
        filters: Integer, channels of the last convolution.

    Returns:
        `keras.Model` from `(batch, *image_shape)` to logits `(batch, 1)`.

    Reference:
        Radford et al., 2015, arXiv:1511.06434.
    """
    levels = _levels(image_shape)
    x = inputs = keras.Input(image_shape)
    for level in range(levels - 1, -1, -1):
        first = level == levels - 1
        x = layers.Conv2D(
            filters // 2**level,
            5,
            strides=2,
            padding="same",
            use_bias=first,
            kernel_initializer=_normal(),
        )(x)
        if not first:
            x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Dense(1, kernel_initializer=_normal())(layers.Flatten()(x))
    return keras.Model(inputs, x)


def residual_generator(image_shape, latent_dim, filters=(128, 64)):
    """Build a residual generator without normalisation.

    A grid from z, then for each of `filters` two residual blocks and a
    doubling of the grid. The last convolution of a block starts at zero, so
    that each block starts as the identity.

    Args:
        image_shape: Tuple (height, width, channels).
        latent_dim: Integer, the length of z.
        filters: Tuple of integers, the channels at each resolution but the
            last, coarse to fine.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *image_shape)` in
        [-1, 1].

    Reference:
        Huang et al., The GAN is dead; long live the GAN! A Modern GAN
        Baseline, 2024, arXiv:2501.05441.
    """
    height, width = coarsest(image_shape, len(filters))
    z = keras.Input((latent_dim,))
    x = layers.Dense(height * width * filters[0])(z)
    x = layers.Reshape((height, width, filters[0]))(x)
    for channels in filters:
        if x.shape[-1] != channels:
            x = layers.Conv2D(channels, 1)(x)
        x = _residual_block(_residual_block(x))
        x = layers.UpSampling2D(2)(x)
    x = _residual_block(x)
    x = layers.Conv2D(image_shape[-1], 3, padding="same", activation="tanh")(x)
    return keras.Model(z, x)


def residual_discriminator(image_shape, filters=(64, 128)):
    """Build a residual discriminator without normalisation.

    The mirror image of `residual_generator`; grids are halved by averaging.

    Args:
        image_shape: Tuple (height, width, channels).
        filters: Tuple of integers, the channels at each resolution, fine to
            coarse.

    Returns:
        `keras.Model` from `(batch, *image_shape)` to logits `(batch, 1)`.

    Reference:
        Huang et al., 2024, arXiv:2501.05441.
    """
    coarsest(image_shape, len(filters))
    inputs = keras.Input(image_shape)
    x = layers.Conv2D(filters[0], 3, padding="same")(inputs)
    for channels in filters:
        if x.shape[-1] != channels:
            x = layers.Conv2D(channels, 1)(x)
        x = _residual_block(_residual_block(x))
        x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(_residual_block(x))
    return keras.Model(inputs, layers.Dense(1)(x))


def conditional_generator(
    image_shape, latent_dim, num_classes, filters=(128, 64)
):
    """Build a convolutional generator whose normalisation knows the class.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        latent_dim: Integer, the length of z.
        num_classes: Integer.
        filters: Tuple of integers, the channels of each level.

    Returns:
        `keras.Model` from latents `(batch, latent_dim)` and one-hot labels
        `(batch, num_classes)` to `(batch, *image_shape)` in [-1, 1].
    """
    height, width = coarsest(image_shape, len(filters))
    z, y = keras.Input((latent_dim,)), keras.Input((num_classes,))
    x = layers.Concatenate()([z, y])
    x = layers.Dense(height * width * filters[0], use_bias=False)(x)
    x = layers.Reshape((height, width, filters[0]))(x)
    for channels in filters:
        x = layers.ReLU()(ConditionalBatchNormalization(0.9)([x, y]))
        # A kernel that is a multiple of the stride: no checkerboard.
        x = layers.Conv2DTranspose(
            channels, 4, strides=2, padding="same", use_bias=False
        )(x)
    x = layers.ReLU()(ConditionalBatchNormalization(0.9)([x, y]))
    x = layers.Conv2D(image_shape[-1], 3, padding="same", activation="tanh")(x)
    return keras.Model([z, y], x)


def conditional_discriminator(
    image_shape, num_classes, head="projection", filters=(64, 128)
):
    """Build a convolutional discriminator that knows, or tells, the class.

    Args:
        image_shape: Tuple (height, width, channels); height and width must
            be divisible by 2 as often as there are `filters`.
        num_classes: Integer.
        head: `"concat"`: labels are joined to the image as channels;
            `"projection"`: psi(h(x)) + <e_y, h(x)>; `"classifier"`: the
            network returns class logits beside the logit, and takes no labels.
        filters: Tuple of integers, the channels of each level.

    Returns:
        `keras.Model` from images and one-hot labels to logits `(batch, 1)`, or
        from images to logits and class logits `(batch, num_classes)`.

    Reference:
        Mirza and Osindero, 2014, arXiv:1411.1784 (concat); Miyato and Koyama,
        2018, arXiv:1802.05637 (projection); Odena et al., 2016,
        arXiv:1610.09585 (classifier).
    """
    if head not in ("concat", "projection", "classifier"):
        raise ValueError(
            '`head` must be "concat", "projection" or "classifier". '
            f"Received: head={head!r}"
        )
    height, width = coarsest(image_shape, 0)
    x = image = keras.Input(image_shape)
    y = keras.Input((num_classes,))
    if head == "concat":
        plane = layers.Dense(height * width)(y)
        plane = layers.Reshape((height, width, 1))(plane)
        x = layers.Concatenate()([x, plane])
    coarsest(image_shape, len(filters))
    for channels in filters:
        x = layers.Conv2D(channels, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Flatten()(x)
    logit = layers.Dense(1)(x)
    if head == "classifier":
        return keras.Model(image, [logit, layers.Dense(num_classes)(x)])
    if head == "projection":
        x = layers.Dense(128)(x)
        embedding = layers.Dense(128, use_bias=False)(y)
        logit = layers.Add()([logit, layers.Dot(1)([x, embedding])])
    return keras.Model([image, y], logit)


def _levels(image_shape):
    """Return how often the shorter side may be halved, down to 4 or so."""
    levels = 0
    side = min(image_shape[:2])
    while side % 2 == 0 and side > 4:
        side, levels = side // 2, levels + 1
    if levels == 0:
        raise ValueError(
            "DCGAN halves its images: height and width must be even and above "
            f"4. Received: image_shape={tuple(image_shape)}"
        )
    return levels


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)


def _residual_block(x):
    y = layers.LeakyReLU(negative_slope=0.2)(x)
    y = layers.Conv2D(x.shape[-1], 3, padding="same")(y)
    y = layers.LeakyReLU(negative_slope=0.2)(y)
    y = layers.Conv2D(
        x.shape[-1], 3, padding="same", kernel_initializer="zeros"
    )(y)
    return layers.Add()([x, y])
