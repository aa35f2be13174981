"""Fully connected networks, for small images and other short vectors."""

import math

import keras
from keras import layers


def with_labels(inputs, x, num_classes):
    """Join one-hot labels, as a second input, to the features `x`.

    Args:
        inputs: `keras.Input` of the network.
        x: Tensor `(batch, features)`.
        num_classes: Integer, or None for no labels.

    Returns:
        The input or list of inputs, and the tensor to go on with.
    """
    if num_classes is None:
        return inputs, x
    labels = keras.Input((num_classes,))
    return [inputs, labels], layers.Concatenate()([x, labels])


def label_prior(num_classes, latent_dim):
    """Build a prior that has a mean and a log-variance for each class.

    Args:
        num_classes: Integer.
        latent_dim: Integer, the length of a code.

    Returns:
        `keras.Model` from one-hot labels `(batch, num_classes)` to two tensors
        `(batch, latent_dim)`, zero to begin with: N(0, I).
    """
    labels = keras.Input((num_classes,))
    outputs = [
        layers.Dense(latent_dim, kernel_initializer="zeros")(labels)
        for _ in range(2)
    ]
    return keras.Model(labels, outputs)


def dense_encoder(
    shape,
    latent_dim,
    outputs=1,
    units=(256, 256),
    num_classes=None,
    hidden_activation="relu",
):
    """Build a fully connected encoder.

    Args:
        shape: Tuple, the shape of one sample.
        latent_dim: Integer, the length of a code.
        outputs: Integer, how many codes to return: 2 for a VAE's mean and
            log-variance.
        units: Tuple of integers, the widths of the hidden layers.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            second input, or None.
        hidden_activation: Keras activation of the hidden layers.

    Returns:
        `keras.Model` from `(batch, *shape)` to one tensor, or a list of
        `outputs` tensors, of shape `(batch, latent_dim)`.
    """
    inputs = keras.Input(shape)
    inputs, x = with_labels(inputs, layers.Flatten()(inputs), num_classes)
    for width in units:
        x = layers.Dense(width, activation=hidden_activation)(x)
    codes = [layers.Dense(latent_dim)(x) for _ in range(outputs)]
    return keras.Model(inputs, codes if outputs > 1 else codes[0])


def dense_decoder(
    shape,
    latent_dim,
    units=(256, 256),
    activation=None,
    num_classes=None,
    hidden_activation="relu",
):
    """Build a fully connected decoder.

    Args:
        shape: Tuple, the shape of one sample.
        latent_dim: Integer, the length of a code.
        units: Tuple of integers, the widths of the hidden layers.
        activation: Keras activation of the outputs; None leaves them linear,
            as the likelihoods expect.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            second input, or None.
        hidden_activation: Keras activation of the hidden layers.

    Returns:
        `keras.Model` from `(batch, latent_dim)` to `(batch, *shape)`.
    """
    z = keras.Input((latent_dim,))
    inputs, x = with_labels(z, z, num_classes)
    for width in units:
        x = layers.Dense(width, activation=hidden_activation)(x)
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
