"""Generative adversarial network."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.losses import get_adversarial_loss
from keras_gen.training import GenerativeModel
from keras_gen.training import input_gradient


@keras.saving.register_keras_serializable("keras_gen")
class GAN(GenerativeModel):
    """Train a generator against a discriminator that learns to tell it off.

    With r = D(x) and f = D(G(z)), z ~ N(0, I), both logits, and
    sp(a) = ln(1 + e^a), one step is

        k times   D down  mean sp(-r) + sp(f)  [+ penalty]
        once      G down  mean sp(-f)    non-saturating, or
                          mean -sp(f)    minimax

    The k discriminator steps see the same real batch and fresh z each.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to samples.
        discriminator: `keras.Model` from samples to logits `(batch, 1)`.
        loss: `"non_saturating"` or `"minimax"`.
        discriminator_steps: Integer k of at least 1.
        penalty: `keras_gen.losses.GradientPenalty` or None.
        label_smoothing: Float s in [0, 0.5): the target of real samples is
            1 - s, that of generated ones stays 0.
        ema_decay: Float in [0, 1) to sample with an averaged generator, or
            None.

    Raises:
        ValueError: If the networks do not fit each other or an argument is
            out of range.

    Reference:
        Goodfellow et al., Generative Adversarial Networks, 2014,
        arXiv:1406.2661.

    Example:
    >>> model = GAN(
    ...     keras_gen.nets.conv_generator((28, 28, 1), latent_dim=64),
    ...     keras_gen.nets.conv_discriminator((28, 28, 1)),
    ... )
    >>> model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    >>> model.generate(4, seed=0).shape
    (4, 28, 28, 1)
    """

    networks = ("discriminator", "generator")

    def __init__(
        self,
        generator,
        discriminator,
        loss="non_saturating",
        discriminator_steps=1,
        penalty=None,
        label_smoothing=0.0,
        ema_decay=None,
        **kwargs,
    ):
        super().__init__(
            logs=("discriminator_loss", "generator_loss"), **kwargs
        )
        checks.check_network(generator, "generator")
        checks.check_network(discriminator, "discriminator")
        sample_shape = generator.outputs[0].shape
        if sample_shape != discriminator.inputs[0].shape:
            raise ValueError(
                "`discriminator` must take what `generator` returns. Received: "
                f"generator output of shape {sample_shape}, discriminator "
                f"input of shape {discriminator.inputs[0].shape}"
            )
        if not 0 <= label_smoothing < 0.5:
            raise ValueError(
                "`label_smoothing` must be in [0, 0.5). "
                f"Received: label_smoothing={label_smoothing}"
            )
        self.generator = generator
        self.discriminator = discriminator
        self.loss_name = loss
        self.adversarial_loss = get_adversarial_loss(loss)
        self.discriminator_steps = checks.check_positive_integer(
            discriminator_steps, "discriminator_steps"
        )
        self.penalty = penalty
        self.label_smoothing = float(label_smoothing)
        self.noise_shape = tuple(generator.inputs[0].shape[1:])
        self.data_shape = tuple(sample_shape[1:])
        self.average_weights(ema_decay, "generator")

    def fake(self, num_samples, training):
        """Return generated samples for fresh z."""
        shape = (num_samples, *self.noise_shape)
        z = keras.random.normal(shape, seed=self.seed_generator)
        return ops.cast(self.generator(z, training=training), "float32")

    def logits(self, x, training):
        """Return D(x) in float32."""
        return ops.cast(self.discriminator(x, training=training), "float32")

    def discriminator_loss(self, x, training):
        """Return what the discriminator minimises, penalty included."""
        fake = ops.stop_gradient(self.fake(ops.shape(x)[0], training))
        loss = self.adversarial_loss.discriminator(
            self.logits(x, training),
            self.logits(fake, training),
            self.label_smoothing,
        )
        if self.penalty is not None:
            loss = loss + self.penalty(
                lambda at: input_gradient(
                    lambda x: self.logits(x, training), at
                ),
                x,
                fake,
                self.seed_generator,
            )
        return loss

    def generator_loss(self, num_samples, training):
        """Return what the generator minimises."""
        fake = self.fake(num_samples, training)
        return self.adversarial_loss.generator(self.logits(fake, training))

    def training_step(self, x, y=None):
        for _ in range(self.discriminator_steps):
            d_loss = self.minimize(
                lambda: self.discriminator_loss(x, training=True),
                "discriminator",
            )
        g_loss = self.minimize(
            lambda: self.generator_loss(ops.shape(x)[0], training=True),
            "generator",
        )
        return {"discriminator_loss": d_loss, "generator_loss": g_loss}

    def evaluation_step(self, x, y=None):
        return {
            "discriminator_loss": self.discriminator_loss(x, training=False),
            "generator_loss": self.generator_loss(
                ops.shape(x)[0], training=False
            ),
        }

    def call(self, z, training=False):
        return self.generator(z, training=training)

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        generator = self.sampling_network("generator", use_ema)
        return self.run_network(generator, noise, batch_size)

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(
                self.discriminator
            ),
            "loss": self.loss_name,
            "discriminator_steps": self.discriminator_steps,
            "penalty": keras.saving.serialize_keras_object(self.penalty),
            "label_smoothing": self.label_smoothing,
            "ema_decay": self.ema_decay,
        }
