"""Fully connected networks, for small images and other short vectors."""

import math

import keras
from keras import layers


def dense_encoder(shape, latent_dim, outputs=1, units=(256, 256)):
    """Build a fully connected encoder.

    Args:
        shape: Tuple, the shape of one sample.
        latent_dim: Integer, the length of a code.
        outputs: Integer, how many codes to return: 2 for a VAE's mean and
            log-variance.
        units: Tuple of integers, the widths of the hidden layers.

    Returns:
        `keras.Model` from `(batch, *shape)` to one tensor, or a list of
        `outputs` tensors, of shape `(batch, latent_dim)`.
    """
    inputs = keras.Input(shape)
    x = layers.Flatten()(inputs)
    for width in units:
        x = layers.Dense(width, activation="relu")(x)
    codes = [layers.Dense(latent_dim)(x) for _ in range(outputs)]
    return keras.Model(inputs, codes if outputs > 1 else codes[0])


def dense_decoder(shape, latent_dim, units=(256, 256), activation=None):
    """Build a fully connected decoder.

    Args:
        shape: Tuple, the shape of one sample.
        latent_dim: Integer, the length of a code.
        units: Tuple of integers, the widths of the hidden layers.
        activation: Keras activation of the outputs; None leaves them linear,
            as the likelihoods expect.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *shape)`.
    """
    inputs = x = keras.Input((latent_dim,))
    for width in units:
        x = layers.Dense(width, activation="relu")(x)
    x = layers.Dense(math.prod(shape), activation=activation)(x)
    return keras.Model(inputs, layers.Reshape(shape)(x))


def dense_generator(shape, latent_dim, units=(256, 256)):
    """Build a fully connected generator: a decoder that ends in tanh.

    Args:
        shape: Tuple, the shape of one sample.
        latent_dim: Integer, the length of z.
        units: Tuple of integers, the widths of the hidden layers.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *shape)` in
        [-1, 1].
    """
    return dense_decoder(shape, latent_dim, units, activation="tanh")


def dense_discriminator(shape, units=(256, 256)):
    """Build a fully connected discriminator, without normalisation.

    Args:
        shape: Tuple, the shape of one sample.
        units: Tuple of integers, the widths of the hidden layers.

    Returns:
        `keras.Model` from `(batch, *shape)` to logits `(batch, 1)`.
    """
    inputs = keras.Input(shape)
    x = layers.Flatten()(inputs)
    for width in units:
        x = layers.Dense(width)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    return keras.Model(inputs, layers.Dense(1)(x))
