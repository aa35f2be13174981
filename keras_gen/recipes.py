"""Default networks and optimizers, by the names the command line knows."""

import keras
import numpy as np

from keras_gen import layers
from keras_gen import losses
from keras_gen import models
from keras_gen import nets
from keras_gen.diffusion import KarrasSchedule

# How a diffusion model draws where there is no time, and in words.
QUICK = {
    "sampler": "dpmpp_2m_sde",
    "num_steps": 20,
    "schedule": KarrasSchedule(0.02, 80.0),
}
QUICKLY = (
    "{num_steps} steps of {sampler} along KarrasSchedule({schedule.sigma_min}, "
    "{schedule.sigma_max})"
).format(**QUICK)


def denoises(model):
    """Whether a model draws in steps that can be chosen."""
    return hasattr(model, "denoising_trajectory")


# Each takes the shape of an image, the number of classes, or None, and the
# number of images, and returns a compiled model.


def _autoencoding(model, shape, outputs=1, num_classes=None, **arguments):
    """Return a model between default encoder and decoder."""
    if min(shape[:2]) < 16:
        encoder, decoder = nets.dense_encoder, nets.dense_decoder
        options = {"latent_dim": 8, "num_classes": num_classes}
    else:
        encoder, decoder = nets.conv_encoder, nets.conv_decoder
        options = {"latent_dim": 16, "num_classes": num_classes}
    if num_classes is not None:
        arguments["prior"] = nets.label_prior(**options)
    model = model(
        encoder(shape, outputs=outputs, **options),
        decoder(shape, **options),
        **arguments,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def _likelihood(shape):
    # Digits of 8x8 pixels are grey rather than black and white.
    if min(shape[:2]) < 16 or shape[-1] == 3:
        return losses.Gaussian(sigma=0.35)
    return losses.Bernoulli()


def _vae(shape, num_classes, num_images):
    return _autoencoding(models.VAE, shape, 2, likelihood=_likelihood(shape))


def _iwae(shape, num_classes, num_images):
    return _autoencoding(models.IWAE, shape, 2, likelihood=_likelihood(shape))


def _need_labels(num_classes):
    if num_classes is None:
        raise ValueError(
            "A conditional model needs a data set with labels, such as digits "
            "or a folder of pictures with a sub-folder for each class."
        )


def _conditional_vae(shape, num_classes, num_images):
    _need_labels(num_classes)
    return _autoencoding(
        models.ConditionalVAE,
        shape,
        2,
        num_classes,
        likelihood=_likelihood(shape),
    )


def _autoencoder(shape, num_classes, num_images):
    return _autoencoding(models.Autoencoder, shape)


def _denoising_autoencoder(shape, num_classes, num_images):
    return _autoencoding(
        models.DenoisingAutoencoder,
        shape,
        corruption=layers.GaussianCorruption(0.5),
    )


def _sparse_autoencoder(shape, num_classes, num_images):
    return _autoencoding(
        models.SparseAutoencoder, shape, penalty=losses.L1Sparsity(0.1)
    )


def _vamp_vae(shape, num_classes, num_images):
    return _autoencoding(
        models.VampVAE, shape, 2, likelihood=_likelihood(shape)
    )


def _info_vae(shape, num_classes, num_images):
    return _autoencoding(
        models.InfoVAE, shape, 2, likelihood=_likelihood(shape)
    )


def _beta_tc_vae(shape, num_classes, num_images):
    return _autoencoding(
        models.BetaTCVAE,
        shape,
        2,
        dataset_size=num_images,
        likelihood=_likelihood(shape),
    )


def _vqvae(shape, num_classes, num_images):
    if min(shape[:2]) < 16:
        options, num_codes, dim = {"filters": (64,)}, 32, 8
    else:
        options, num_codes, dim = {}, 256, 32
    quantizer = layers.VectorQuantizer(
        num_codes, dim, restart_below=0.1, kmeans_steps=10
    )
    model = models.VQVAE(
        nets.grid_encoder(shape, dim, **options),
        nets.grid_decoder(shape, dim, **options),
        quantizer,
        likelihood=losses.Gaussian(0.2),
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def _autoregressive(shape, num_classes, num_images):
    if shape[-1] != 1:
        raise ValueError(
            "This model draws one channel: pass --grayscale, or --codes for a "
            f"prior over the codes of a VQ-VAE. Received: images {shape}"
        )
    return prior(shape, 16, num_classes, filters=48, images=True)


def prior(shape, num_codes, num_classes, filters=64, **arguments):
    """Return a compiled `Autoregressive` model of grids of codes.

    Args:
        shape: Tuple, (height, width, 1).
        num_codes: Integer.
        num_classes: Integer, or None for no labels.
        filters: Integer, the width of the PixelCNN.
        **arguments: Passed to `Autoregressive`.
    """
    network = nets.pixel_cnn(
        shape[:2], num_codes, filters, num_classes=num_classes
    )
    model = models.Autoregressive(network, ema_decay=0.995, **arguments)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def encoded(vqvae, data):
    """Return a data set of the codes of its images, with its labels."""
    order = type(data)(data.images, data.labels, data.batch_size, False)
    codes = np.concatenate([vqvae.encode(batch[0]) for batch in order])
    return type(data)(
        codes.reshape(len(codes), *vqvae.prior_shape),
        data.labels,
        data.batch_size,
        data.shuffle,
        data.seed,
        class_names=data.class_names,
    )


def _adversarial(generator, discriminator):
    model = models.GAN(generator, discriminator, ema_decay=0.995)
    model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    return model


def _gan(shape, num_classes, num_images):
    if min(shape[:2]) < 16:
        return _adversarial(
            nets.dense_generator(shape, latent_dim=32),
            nets.dense_discriminator(shape),
        )
    return _adversarial(
        nets.conv_generator(shape, latent_dim=64),
        nets.conv_discriminator(shape),
    )


def _dcgan(shape, num_classes, num_images):
    filters = 128 if min(shape[:2]) < 64 else 512
    return _adversarial(
        nets.dcgan_generator(shape, filters=filters),
        nets.dcgan_discriminator(shape, filters=filters),
    )


def _conditional_gan(shape, num_classes, num_images):
    _need_labels(num_classes)
    filters = (128, 64)[: 1 if min(shape[:2]) < 16 else 2]
    model = models.ConditionalGAN(
        nets.conditional_generator(shape, 64, num_classes, filters),
        nets.conditional_discriminator(
            shape, num_classes, filters=filters[::-1]
        ),
        ema_decay=0.995,
    )
    model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    return model


def _ebgan(shape, num_classes, num_images):
    x = keras.Input(shape)
    code = nets.dense_encoder(shape, 64, units=(256,))(x)
    copy = nets.dense_decoder(shape, 64, units=(256,))(code)
    model = models.EBGAN(
        nets.dense_generator(shape, latent_dim=32),
        keras.Model(x, [copy, code]),
        ema_decay=0.995,
    )
    model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    return model


def _denoising(model, shape, num_classes):
    """Return a model with a small U-Net, for machines without a GPU."""
    filters = (16, 32) if min(shape[:2]) < 16 else (16, 32, 64)
    if shape[-1] == 3:
        filters = tuple(2 * n for n in filters)
    network = nets.unet(
        shape, filters, blocks=1, attention=(), num_classes=num_classes
    )
    model = model(network, ema_decay=0.995)
    model.compile(keras.optimizers.Adam(2e-3))
    return model


def _ddpm(shape, num_classes, num_images):
    return _denoising(models.DDPM, shape, num_classes)


def _flow_matching(shape, num_classes, num_images):
    return _denoising(models.FlowMatching, shape, num_classes)


def _diffusion(shape, num_classes, num_images):
    return _denoising(models.Diffusion, shape, num_classes)


RECIPES = {
    "autoencoder": _autoencoder,
    "denoising_autoencoder": _denoising_autoencoder,
    "sparse_autoencoder": _sparse_autoencoder,
    "vae": _vae,
    "iwae": _iwae,
    "conditional_vae": _conditional_vae,
    "vamp_vae": _vamp_vae,
    "info_vae": _info_vae,
    "beta_tc_vae": _beta_tc_vae,
    "vqvae": _vqvae,
    "autoregressive": _autoregressive,
    "gan": _gan,
    "dcgan": _dcgan,
    "conditional_gan": _conditional_gan,
    "ebgan": _ebgan,
    "ddpm": _ddpm,
    "flow_matching": _flow_matching,
    "diffusion": _diffusion,
}
