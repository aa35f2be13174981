"""Importance weighted autoencoder."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.losses import gaussian_log_density
from keras_gen.losses import get_likelihood
from keras_gen.losses import log_mean_exp
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class IWAE(LatentModel):
    """Train a VAE on a tighter bound, from several samples an image.

        L = -E[ln 1/K sum_k w_k],    w_k = p(x|z_k) p(z_k) / q(z_k|x)
        z_k = mu(x) + sigma(x) eps_k

    K = 1 is the VAE with its KL term estimated by the same sample; as K
    grows, -L approaches ln p(x). In nats.

    Args:
        encoder: `keras.Model` from images to two tensors of shape
            `(batch, latent_dim)`, the mean and the log-variance.
        decoder: `keras.Model` from latents `(batch, latent_dim)` to tensors
            of the shape of the images.
        num_samples: Integer, K.
        likelihood: Name or object, see `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or the likelihood is
            fitted to the batch.

    Reference:
        Burda et al., Importance Weighted Autoencoders, 2015,
        arXiv:1509.00519.
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_samples=5,
        likelihood="bernoulli",
        ema_decay=None,
        **kwargs,
    ):
        super().__init__(encoder, decoder, ("loss",), num_outputs=2, **kwargs)
        self.num_samples = checks.check_positive_integer(
            num_samples, "num_samples"
        )
        self.likelihood = get_likelihood(likelihood, self.decoder)
        if getattr(self.likelihood, "depends_on_batch", False):
            raise ValueError(
                "The weights compare samples of one image, so the likelihood "
                "may not be fitted to the batch. Use another sigma."
            )
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        mu, log_var = self.encoder(x, training=training)
        mu, log_var = ops.cast(mu, "float32"), ops.cast(log_var, "float32")
        shape = (self.num_samples, ops.shape(mu)[0], self.latent_dim)
        eps = keras.random.normal(shape, seed=self.seed_generator)
        z = mu + ops.exp(0.5 * log_var) * eps  # (K, batch, latent_dim)

        flat = ops.reshape(z, (-1, self.latent_dim))
        outputs = self.decoder(flat, training=training)
        copies = ops.tile(x, (self.num_samples,) + (1,) * (len(x.shape) - 1))
        nll = self.likelihood.nll(copies, outputs)
        log_p_x = -ops.reshape(nll, (self.num_samples, -1))

        log_p_z = ops.sum(gaussian_log_density(z, 0.0, 0.0), axis=-1)
        log_q = ops.sum(gaussian_log_density(z, mu, log_var), axis=-1)
        log_w = log_p_x + log_p_z - log_q
        return {"loss": -ops.mean(log_mean_exp(log_w, axis=0))}

    def get_config(self):
        return {**super().get_config(), "num_samples": self.num_samples}
