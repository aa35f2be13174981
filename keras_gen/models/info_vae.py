"""Information maximising variational autoencoder."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.losses import gaussian_kl
from keras_gen.losses import get_likelihood
from keras_gen.losses import squared_mmd
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class InfoVAE(LatentModel):
    """Match all codes together to the prior, rather than each.

        L = -E_q[ln p(x|z)] + (1 - alpha) KL(q(z|x) || N(0, I))
            + (alpha + lambda - 1) MMD^2(q(z), N(0, I))

    The KL term alone pushes each posterior onto the prior, until z may say
    nothing of x. At alpha = 1 it is gone, and z is free to inform (the
    MMD-VAE); at alpha = 0, lambda = 1 this is the `VAE`.

    Args:
        encoder: `keras.Model` from images to two tensors of shape
            `(batch, latent_dim)`, the mean and the log-variance.
        decoder: `keras.Model` from latents `(batch, latent_dim)` to tensors
            of the shape of the images.
        alpha: Float of at most 1.
        scale: Float, lambda, so that alpha + lambda is at least 1.
        likelihood: Name or object, see `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or a term would
            have a negative weight.

    Reference:
        Zhao et al., InfoVAE: Information Maximizing Variational Autoencoders,
        2017, arXiv:1706.02262.
    """

    def __init__(
        self,
        encoder,
        decoder,
        alpha=1.0,
        scale=1000.0,
        likelihood="bernoulli",
        ema_decay=None,
        **kwargs,
    ):
        logs = ("loss", "reconstruction_loss", "kl_loss", "mmd")
        super().__init__(encoder, decoder, logs, num_outputs=2, **kwargs)
        self.kl_weight = checks.check_non_negative(1.0 - alpha, "1 - alpha")
        self.mmd_weight = checks.check_non_negative(
            alpha + scale - 1.0, "alpha + scale - 1"
        )
        self.alpha = float(alpha)
        self.scale = float(scale)
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        z, mu, log_var = self.sample_posterior(x, training)
        outputs = self.decoder(z, training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))
        kl = ops.mean(ops.sum(gaussian_kl(mu, log_var), axis=-1))
        prior = keras.random.normal(ops.shape(z), seed=self.seed_generator)
        mmd = squared_mmd(z, prior)
        terms = [nll, self.kl_weight * kl, self.mmd_weight * mmd]
        return {
            "loss": ops.sum(ops.stack(terms)),  # as in `BetaTCVAE`
            "reconstruction_loss": nll,
            "kl_loss": kl,
            "mmd": mmd,
        }

    def get_config(self):
        config = super().get_config()
        return {**config, "alpha": self.alpha, "scale": self.scale}
