"""Variational autoencoder with a weight on the total correlation."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.losses import aggregate_log_density
from keras_gen.losses import gaussian_log_density
from keras_gen.losses import get_likelihood
from keras_gen.losses import stratified_log_weights
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class BetaTCVAE(LatentModel):
    """Charge a VAE's latents for depending on each other.

        L  = -E_q[ln p(x|z)] + alpha MI + beta TC + gamma D
        MI = E[ln q(z|x) - ln q(z)]                    (index-code information)
        TC = E[ln q(z) - sum_j ln q(z_j)]                   (total correlation)
        D  = E[sum_j (ln q(z_j) - ln p(z_j))]            (dimension-wise KL)

    with q(z) = 1/N sum_n q(z|x_n) estimated from the batch, see
    `keras_gen.losses.stratified_log_weights`. At alpha = beta = gamma = 1 the
    three add up to the KL term of a `VAE`, estimated from the same sample.

    Args:
        encoder: `keras.Model` from images to two tensors of shape
            `(batch, latent_dim)`, the mean and the log-variance.
        decoder: `keras.Model` from latents `(batch, latent_dim)` to tensors
            of the shape of the images.
        dataset_size: Integer, N, the number of training images. Batches need
            at least two of them.
        alpha: Float of at least 0.
        beta: Float of at least 0.
        gamma: Float of at least 0.
        likelihood: Name or object, see `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or a weight is
            negative.

    Reference:
        Chen et al., Isolating Sources of Disentanglement in VAEs, 2018,
        arXiv:1802.04942.
    """

    def __init__(
        self,
        encoder,
        decoder,
        dataset_size,
        alpha=1.0,
        beta=6.0,
        gamma=1.0,
        likelihood="bernoulli",
        ema_decay=None,
        **kwargs,
    ):
        logs = ("loss", "reconstruction_loss", "kl_loss")
        logs += ("mutual_information", "total_correlation")
        super().__init__(encoder, decoder, logs, num_outputs=2, **kwargs)
        self.dataset_size = checks.check_positive_integer(
            dataset_size, "dataset_size"
        )
        self.alpha = checks.check_non_negative(alpha, "alpha")
        self.beta = checks.check_non_negative(beta, "beta")
        self.gamma = checks.check_non_negative(gamma, "gamma")
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        z, mu, log_var = self.sample_posterior(x, training)
        outputs = self.decoder(z, training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))

        log_weights = stratified_log_weights(ops.shape(z)[0], self.dataset_size)
        log_q_z, log_q_zj = aggregate_log_density(z, mu, log_var, log_weights)
        log_q_zx = ops.sum(gaussian_log_density(z, mu, log_var), axis=-1)
        log_p = ops.sum(gaussian_log_density(z, 0.0, 0.0), axis=-1)
        product = ops.sum(log_q_zj, axis=-1)
        information = ops.mean(log_q_zx - log_q_z)
        correlation = ops.mean(log_q_z - product)
        dimensions = ops.mean(product - log_p)
        # One sum: TensorFlow's optimizer adds a chain of terms in any order,
        # and no two runs would log the same last digit.
        terms = [nll, self.alpha * information]
        terms += [self.beta * correlation, self.gamma * dimensions]
        return {
            "loss": ops.sum(ops.stack(terms)),
            "reconstruction_loss": nll,
            "kl_loss": ops.mean(log_q_zx - log_p),
            "mutual_information": information,
            "total_correlation": correlation,
        }

    def get_config(self):
        return {
            **super().get_config(),
            "dataset_size": self.dataset_size,
            "alpha": self.alpha,
            "beta": self.beta,
            "gamma": self.gamma,
        }
