"""The test list: every model, as small as its method allows.

Adding a model adds one line to `CASES`; it then gets every shared check.
"""

import keras

import keras_gen as kg

SHAPE = (8, 8, 1)


def _compiled(model):
    model.compile(keras.optimizers.Adam(1e-2))
    return model


def _vae(model=kg.models.VAE, **arguments):
    return _compiled(
        model(
            kg.nets.dense_encoder(SHAPE, latent_dim=3, outputs=2, units=(16,)),
            kg.nets.dense_decoder(SHAPE, latent_dim=3, units=(16,)),
            **arguments,
        )
    )


def _conditional_vae():
    options = {"latent_dim": 3, "num_classes": 10}
    return _compiled(
        kg.models.ConditionalVAE(
            kg.nets.dense_encoder(SHAPE, outputs=2, units=(16,), **options),
            kg.nets.dense_decoder(SHAPE, units=(16,), **options),
            prior=kg.nets.label_prior(**options),
            ema_decay=0.9,
        )
    )


def _autoencoder(model=kg.models.Autoencoder, activation=None, **arguments):
    encoder = kg.nets.dense_encoder(SHAPE, latent_dim=3, units=(16,))
    if activation is not None:
        codes = keras.layers.Activation(activation)(encoder.outputs[0])
        encoder = keras.Model(encoder.inputs, codes)
    decoder = kg.nets.dense_decoder(SHAPE, latent_dim=3, units=(16,))
    return _compiled(model(encoder, decoder, **arguments))


def _tied():
    encoder = kg.nets.dense_encoder(SHAPE, latent_dim=3, units=(16,))
    return _compiled(kg.models.Autoencoder(encoder, None))


def _autoregressive():
    network = kg.nets.pixel_cnn((2, 2), 5, filters=4, blocks=1, num_classes=10)
    return _compiled(kg.models.Autoregressive(network, ema_decay=0.9))


def _image_transformer():
    network = kg.nets.causal_transformer(SHAPE[:2], 4, dim=8, heads=2, blocks=1)
    return _compiled(kg.models.Autoregressive(network, images=True))


def _vqvae(quantizer):
    prior = kg.nets.pixel_cnn((2, 2), quantizer.num_codes, 4, blocks=1)
    nets = {"filters": (4, 4), "residual_blocks": 1, "residual_filters": 4}
    return _compiled(
        kg.models.VQVAE(
            kg.nets.grid_encoder(SHAPE, quantizer.dim, **nets),
            kg.nets.grid_decoder(SHAPE, quantizer.dim, **nets),
            quantizer,
            prior=kg.models.Autoregressive(prior),
        )
    )


def _gan(**arguments):
    model = kg.models.GAN(
        kg.nets.dense_generator(SHAPE, latent_dim=3, units=(16,)),
        kg.nets.dense_discriminator(SHAPE, units=(16,)),
        **arguments,
    )
    model.compile(
        {
            "discriminator": keras.optimizers.Adam(1e-3, beta_1=0.5),
            "generator": keras.optimizers.Adam(2e-3, beta_1=0.5),
        }
    )
    return model


def _conv_gan():
    """Batch statistics, dropout, a penalty and an average at once."""
    discriminator = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model = kg.models.GAN(
        kg.nets.conv_generator(SHAPE, latent_dim=3, filters=(8, 4)),
        discriminator,
        loss="minimax",
        discriminator_steps=2,
        penalty=kg.losses.GradientPenalty(1.0, at="interpolate"),
        ema_decay=0.9,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


CASES = {
    "autoencoder": _autoencoder,
    "autoencoder_tied": _tied,
    "denoising": lambda: _autoencoder(
        kg.models.DenoisingAutoencoder, corruption=kg.layers.SaltAndPepper(0.2)
    ),
    "sparse": lambda: _autoencoder(
        kg.models.SparseAutoencoder, "sigmoid", penalty=kg.losses.KLSparsity()
    ),
    "vae": _vae,
    "vae_warmup": lambda: _vae(
        likelihood=kg.losses.Gaussian("learned"),
        beta=kg.losses.LinearWarmup(5),
        ema_decay=0.9,
    ),
    "iwae": lambda: _vae(kg.models.IWAE, num_samples=3),
    "vamp_vae": lambda: _vae(
        kg.models.VampVAE, num_pseudo_inputs=4, ema_decay=0.9
    ),
    "beta_tc_vae": lambda: _vae(kg.models.BetaTCVAE, dataset_size=1498),
    "info_vae": lambda: _vae(kg.models.InfoVAE, alpha=0.5, scale=10.0),
    "conditional_vae": _conditional_vae,
    "vqvae": lambda: _vqvae(
        kg.layers.VectorQuantizer(5, 2, restart_below=0.1, kmeans_steps=2)
    ),
    "vqvae_lookup_free": lambda: _vqvae(kg.layers.LookupFreeQuantizer(3)),
    "autoregressive": _autoregressive,
    "image_transformer": _image_transformer,
    "gan": _gan,
    "gan_conv": _conv_gan,
}
