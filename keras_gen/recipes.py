"""Default networks and optimizers, by the names the command line knows."""

import keras

from keras_gen import losses
from keras_gen import models
from keras_gen import nets


def vae(shape):
    """Return a compiled VAE for images of `shape`."""
    if min(shape[:2]) < 16:
        encoder = nets.dense_encoder(shape, latent_dim=8, outputs=2)
        decoder = nets.dense_decoder(shape, latent_dim=8)
        likelihood = losses.Gaussian(sigma=0.35)
    else:
        encoder = nets.conv_encoder(shape, latent_dim=16, outputs=2)
        decoder = nets.conv_decoder(shape, latent_dim=16)
        likelihood = losses.Bernoulli()
    model = models.VAE(encoder, decoder, likelihood=likelihood)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def gan(shape):
    """Return a compiled GAN for images of `shape`."""
    if min(shape[:2]) < 16:
        generator = nets.dense_generator(shape, latent_dim=32)
        discriminator = nets.dense_discriminator(shape)
    else:
        generator = nets.conv_generator(shape, latent_dim=64)
        discriminator = nets.conv_discriminator(shape)
    model = models.GAN(generator, discriminator, ema_decay=0.995)
    model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    return model


RECIPES = {"vae": vae, "gan": gan}
