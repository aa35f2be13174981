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
    shape = (2, 2 * quantizer.num_codebooks)
    prior = kg.nets.pixel_cnn(shape, quantizer.sizes[0], 4, blocks=1)
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


def _alternating(model, generator, discriminator, *arguments, **options):
    model = model(generator, discriminator, *arguments, **options)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    return model


def _stabilised_gan():
    """Penalties, one of them lazy, split batches and memory at once.

    Only differences of logits count in this loss, so there is no last bias.
    """
    x = inputs = keras.Input(SHAPE)
    x = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(x))
    x = kg.layers.LayerNormalization()(x)
    x = kg.layers.SpectralDense(4, activation="tanh")(x)
    return _alternating(
        kg.models.GAN,
        kg.nets.dense_generator(SHAPE, latent_dim=3, units=(16,)),
        keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(x)),
        loss="relativistic",
        discriminator_steps=2,
        discriminator_batches="split",
        penalty=[
            kg.losses.GradientPenalty(1.0, at="real", center=0.0, every=2),
            kg.losses.GradientPenalty(1.0, at="fake", center=0.0),
        ],
        historical_averaging=0.1,
        replay=kg.layers.ImagePool(8, SHAPE),
        log_gradients=True,
    )


def _reference_gan():
    """Fixed batches, minibatch layers, clipped weights and augmentation."""
    z = keras.Input((3,))
    x = kg.layers.ReferenceBatch(4)(z)
    x = keras.layers.Dense(16, use_bias=False)(x)
    x = kg.layers.VirtualBatchNormalization(4)(x)
    x = kg.layers.DropReference(4)(keras.layers.ReLU()(x))
    x = keras.layers.Dense(64, activation="tanh")(x)
    generator = keras.Model(z, keras.layers.Reshape(SHAPE)(x))
    x = inputs = keras.Input(SHAPE)
    x = kg.layers.SpectralConv2D(4, 3, strides=2)(x)
    x = keras.layers.Dense(16)(keras.layers.Flatten()(x))
    x = keras.layers.LeakyReLU(0.2, name="features")(x)
    x = kg.layers.MinibatchStd()(kg.layers.MinibatchDiscrimination(3, 2)(x))
    discriminator = keras.Model(
        inputs, keras.layers.Dense(1, use_bias=False)(x)
    )
    return _alternating(
        kg.models.GAN,
        generator,
        discriminator,
        loss="wasserstein",
        clip_weights=0.5,
        feature_matching="features",
        augmentation=kg.layers.DiffAugment(p=0.5),
    )


def _conditional_gan(head):
    z, y = keras.Input((3,)), keras.Input((10,))
    x = keras.layers.Dense(16)(z)
    x = kg.layers.ConditionalBatchNormalization()([x, y])
    x = keras.layers.Dense(64, activation="tanh")(keras.layers.ReLU()(x))
    generator = keras.Model([z, y], keras.layers.Reshape(SHAPE)(x))
    x = inputs = keras.Input(SHAPE)
    x = keras.layers.Dense(16, "leaky_relu")(keras.layers.Flatten()(x))
    if head == "classifier":
        outputs = [keras.layers.Dense(1)(x), keras.layers.Dense(10)(x)]
        discriminator = keras.Model(inputs, outputs)
    else:
        x = keras.layers.Concatenate()([x, y])
        discriminator = keras.Model([inputs, y], keras.layers.Dense(1)(x))
    return _alternating(
        kg.models.ConditionalGAN, generator, discriminator, ema_decay=0.9
    )


def _ebgan():
    x = inputs = keras.Input(SHAPE)
    code = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(x))
    copy = keras.layers.Reshape(SHAPE)(keras.layers.Dense(64)(code))
    return _alternating(
        kg.models.EBGAN,
        kg.nets.dense_generator(SHAPE, latent_dim=3, units=(16,)),
        keras.Model(inputs, [copy, code]),
    )


def _cogan():
    def network(shape, *layers):
        return keras.Sequential([keras.Input(shape), *layers])

    dense, reshape = keras.layers.Dense, keras.layers.Reshape
    model = kg.models.CoGAN(
        network((3,), dense(16, "relu")),
        [network((16,), dense(64, "tanh"), reshape(SHAPE)) for _ in range(2)],
        [
            network(SHAPE, keras.layers.Flatten(), dense(16, "leaky_relu"))
            for _ in range(2)
        ],
        network((16,), dense(1)),
        ema_decay=0.9,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def _semi_supervised_gan():
    x = inputs = keras.Input(SHAPE)
    x = keras.layers.Dense(16)(keras.layers.Flatten()(x))
    x = keras.layers.LeakyReLU(0.2, name="features")(x)
    model = _alternating(
        kg.models.SemiSupervisedGAN,
        kg.nets.dense_generator(SHAPE, latent_dim=3, units=(16,)),
        keras.Model(inputs, keras.layers.Dense(10)(x)),
        num_labelled=20,
        feature_matching="features",
        ema_decay=0.9,
    )
    data = kg.data.load("digits")
    model.set_labelled(data.images[:20], data.labels[:20])
    return model


def _transformer(**arguments):
    return kg.nets.dit(SHAPE, dim=8, heads=2, blocks=1, **arguments)


def _diffusion():
    """Self-conditioning, a learned variance, labels and a condition at once."""
    return _compiled(
        kg.models.Diffusion(
            _transformer(num_classes=10, in_channels=3, out_channels=2),
            schedule=kg.diffusion.CosineSchedule(6),
            weighting="min_snr",
            self_conditioning=True,
            learn_variance=True,
            condition=kg.layers.LowResolution(2),
            sampler="ddpm",
            num_steps=None,
        )
    )


def _ddpm():
    network = kg.nets.unet(SHAPE, (4,), 1, attention=(), num_classes=10)
    return _compiled(kg.models.DDPM(network, num_steps=4, ema_decay=0.9))


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
    "vqvae_residual": lambda: _vqvae(
        kg.layers.ResidualQuantizer(
            [
                kg.layers.VectorQuantizer(5, 2, kmeans_steps=1),
                kg.layers.VectorQuantizer(5, 2, ema_decay=None),
            ]
        )
    ),
    "vqvae_lookup_free": lambda: _vqvae(kg.layers.LookupFreeQuantizer(3)),
    "autoregressive": _autoregressive,
    "image_transformer": _image_transformer,
    "gan": _gan,
    "gan_conv": _conv_gan,
    "gan_stabilised": _stabilised_gan,
    "gan_reference": _reference_gan,
    "conditional_gan": lambda: _conditional_gan("labels"),
    "auxiliary_classifier_gan": lambda: _conditional_gan("classifier"),
    "ebgan": _ebgan,
    "cogan": _cogan,
    "semi_supervised_gan": _semi_supervised_gan,
    "ddpm": _ddpm,
    "flow_matching": lambda: _compiled(
        kg.models.FlowMatching(_transformer(), num_steps=4)
    ),
    "diffusion": _diffusion,
}
