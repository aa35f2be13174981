"""Conditional generative adversarial network."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.training.adversarial import AdversarialModel


@keras.saving.register_keras_serializable("keras_gen")
class ConditionalGAN(AdversarialModel):
    """Draw samples of the class that is asked for.

    The generator takes z and a label. What the discriminator does with it
    follows from its inputs and outputs:

    - it takes `[x, y]` and returns a logit D(x, y): the losses are those of a
      `GAN`, of samples with the label they have or were made for. With the
      label joined to the features this is the conditional GAN, with an inner
      product psi(h(x)) + <e_y, h(x)> the projection discriminator;
    - it takes x and returns a logit D(x) and K class logits c(x), the
      auxiliary classifier: with w `classifier_weight`

          D down  its loss + w mean CE(y, c(x))
          G down  its loss + w mean CE(y, c(G(z, y)))

      (in the paper D also learns the classes of generated samples).

    Logs `classifier_loss`, the generator's cross-entropy, 0 without classifier.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` and one-hot
            labels `(batch, num_classes)` to samples.
        discriminator: `keras.Model` from samples and one-hot labels to logits
            `(batch, 1)`, or from samples to logits and class logits `(batch,
            num_classes)`.
        classifier_weight: Float of at least 0, for the auxiliary classifier.
        **kwargs: See `keras_gen.training.adversarial.AdversarialModel`.

    Raises:
        ValueError: If the networks do not fit each other or an argument is
            out of range.

    Reference:
        Mirza and Osindero, Conditional Generative Adversarial Nets, 2014,
        arXiv:1411.1784; Odena et al., 2016, arXiv:1610.09585 (auxiliary
        classifier); Miyato and Koyama, 2018, arXiv:1802.05637 (projection).
    """

    def __init__(
        self, generator, discriminator, classifier_weight=1.0, **kwargs
    ):
        checks.check_network(generator, "generator", num_inputs=2)
        self.num_classes = generator.inputs[1].shape[-1]
        super().__init__(
            generator, discriminator, logs=("classifier_loss",), **kwargs
        )
        labels = (*discriminator.inputs[1:], *discriminator.outputs[1:])
        if len(labels) != 1 or labels[0].shape != generator.inputs[1].shape:
            raise ValueError(
                "`discriminator` must take labels, or return class logits, of "
                f"shape {generator.inputs[1].shape}. Received: "
                f"{[t.shape for t in labels]} beside samples and logits"
            )
        self.classifies = len(discriminator.outputs) == 2
        self.classifier_weight = checks.check_non_negative(
            classifier_weight, "classifier_weight"
        )

    def logits(self, x, y, training):
        """Return D(x, y); of an auxiliary classifier D(x)."""
        return self.judge_and_classify(x, y, training)[0]

    def judge_and_classify(self, x, y, training):
        """Return the logits, and the mean cross-entropy of the classifier."""
        x = self.augmented(x, training)
        if not self.classifies:
            return self.judge(x, y, training), 0.0
        logits, classes = self.discriminator(x, training=training)
        entropy = keras.losses.categorical_crossentropy(
            y, ops.cast(classes, "float32"), from_logits=True
        )
        return ops.cast(logits, "float32"), ops.mean(entropy)

    def discriminator_loss(self, x, fake, y, training):
        r, entropy = self.judge_and_classify(x, y, training)
        f = self.logits(fake, y, training)
        loss = self.adversarial_loss.discriminator(r, f)
        loss = loss + self.classifier_weight * entropy
        self.adapt(r, training)
        return {
            "loss": loss + self.penalty_term(x, fake, y, training),
            "real_logit": ops.mean(r),
            "fake_logit": ops.mean(f),
        }

    def generator_loss(self, x, fake, y, training):
        f, entropy = self.judge_and_classify(fake, y, training)
        if self.feature_matching is not None:
            loss = self.feature_distance(x, fake, y, training)
        else:
            r = None
            if self.adversarial_loss.paired:
                r = self.logits(x, y, training)
            loss = self.adversarial_loss.generator(f, r)
        return {
            "loss": loss + self.classifier_weight * entropy,
            "classifier_loss": ops.convert_to_tensor(entropy),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "classifier_weight": self.classifier_weight,
        }
