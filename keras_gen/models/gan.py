"""Generative adversarial network."""

import keras
from keras import ops

from keras_gen.training.adversarial import AdversarialModel


@keras.saving.register_keras_serializable("keras_gen")
class GAN(AdversarialModel):
    """Train a generator against a discriminator that learns to tell it off.

    With r = D(x) and f = D(G(z)), z ~ N(0, I), both logits, and
    sp(a) = ln(1 + e^a), one step is

        k times   D down  mean sp(-r) + sp(f)  [+ penalties]
        once      G down  mean sp(-f)    non-saturating, or
                          mean -sp(f)    minimax

    or the losses of another game, see `keras_gen.losses.adversarial`. What
    else may be changed, and the arguments, are those of
    `keras_gen.training.adversarial.AdversarialModel`.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to samples.
        discriminator: `keras.Model` from samples to logits `(batch, 1)`.
        **kwargs: See `AdversarialModel`: `loss`, `discriminator_steps`,
            `penalty`, `label_smoothing`, `ema_decay` and others.

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

    def discriminator_loss(self, x, fake, y, training):
        r, f = self.logits(x, y, training), self.logits(fake, y, training)
        loss = self.adversarial_loss.discriminator(r, f)
        self.adapt(r, training)
        return {
            "loss": loss + self.penalty_term(x, fake, y, training),
            "real_logit": ops.mean(r),
            "fake_logit": ops.mean(f),
        }

    def generator_loss(self, x, fake, y, training):
        if self.feature_matching is not None:
            return self.feature_distance(x, fake, y, training)
        f, r = self.logits(fake, y, training), None
        if self.adversarial_loss.paired:
            r = self.logits(x, y, training)
        return self.adversarial_loss.generator(f, r)
