"""Energy-based generative adversarial network."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.losses import pull_away
from keras_gen.training.adversarial import AdversarialModel


@keras.saving.register_keras_serializable("keras_gen")
class EBGAN(AdversarialModel):
    """Let an autoencoder be the discriminator: what it copies badly is fake.

        E(x) = mean over data dimensions of (x - Dec(s))^2,    s = Enc(x)
        D down  mean E(x) + max(0, margin - E(G(z)))
        G down  mean E(G(z)) + lambda PT

    with PT the mean squared cosine between the codes s of different generated
    samples, see `keras_gen.losses.pull_away`: it pulls them apart, where the
    first term alone would have them all be what is copied best.

    `real_logit` and `fake_logit` in the logs are -E.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to samples.
        discriminator: `keras.Model` from samples to copies and codes
            `(batch, dim)`.
        margin: Float above 0, the energy beyond which fakes are left alone;
            for scale, the mean image in place of each MNIST image in
            [-1, 1] has an energy of 0.27.
        pull_away: Float lambda of at least 0.
        **kwargs: See `keras_gen.training.adversarial.AdversarialModel`; `loss`,
            `label_smoothing` and `feature_matching` do not apply.

    Raises:
        ValueError: If the networks do not fit each other or an argument is
            out of range.

    Reference:
        Zhao et al., Energy-based Generative Adversarial Network, 2016,
        arXiv:1609.03126.
    """

    num_judgements, num_logits, signed_logits = 2, None, False

    def __init__(
        self, generator, discriminator, margin=0.2, pull_away=0.1, **kwargs
    ):
        for name in ("loss", "label_smoothing", "feature_matching"):
            if name in kwargs:
                raise ValueError(
                    f"`{name}` does not apply to `EBGAN`, whose losses are "
                    f"energies. Received: {name}={kwargs[name]!r}"
                )
        super().__init__(generator, discriminator, **kwargs)
        copy, code = discriminator.outputs
        if copy.shape != discriminator.inputs[0].shape or len(code.shape) != 2:
            raise ValueError(
                "`discriminator` must return copies of what it takes, and "
                "codes (batch, dim). Received: outputs of shape "
                f"{copy.shape} and {code.shape} for inputs of shape "
                f"{discriminator.inputs[0].shape}"
            )
        if not margin > 0:
            raise ValueError(f"`margin` must be above 0. Received: {margin}")
        self.margin = float(margin)
        self.pull_away = checks.check_non_negative(pull_away, "pull_away")

    def energy(self, x, training):
        """Return E(x), of shape `(batch,)`, and the codes."""
        x = self.augmented(x, training)
        copy, code = self.discriminator(x, training=training)
        error = ops.square(x - ops.cast(copy, "float32"))
        axes = tuple(range(1, len(error.shape)))
        return ops.mean(error, axis=axes), ops.cast(code, "float32")

    def logits(self, x, y, training):
        """Return -E(x): what a penalty bounds the slope of."""
        return -self.energy(x, training)[0]

    def discriminator_loss(self, x, fake, y, training):
        real_energy, _ = self.energy(x, training)
        fake_energy, _ = self.energy(fake, training)
        loss = ops.mean(real_energy + ops.relu(self.margin - fake_energy))
        return {
            "loss": loss + self.penalty_term(x, fake, y, training),
            "real_logit": -ops.mean(real_energy),
            "fake_logit": -ops.mean(fake_energy),
        }

    def generator_loss(self, x, fake, y, training):
        energy, codes = self.energy(fake, training)
        loss = ops.mean(energy)
        if self.pull_away:
            loss = loss + self.pull_away * pull_away(codes)
        return loss

    @property
    def compares_samples(self):
        return self.pull_away > 0 or super().compares_samples

    def get_config(self):
        config = super().get_config()
        for name in ("loss", "label_smoothing", "feature_matching"):
            del config[name]
        return {**config, "margin": self.margin, "pull_away": self.pull_away}
