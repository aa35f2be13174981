"""Variational autoencoder."""

import keras
from keras import ops

from keras_gen.losses import gaussian_kl
from keras_gen.losses import get_likelihood
from keras_gen.losses.kl_terms import check_beta
from keras_gen.losses.kl_terms import weigh_kl
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class VAE(LatentModel):
    """Learn a latent space by maximising a bound on the likelihood.

        L = -E_q[ln p(x|z)] + beta KL(q(z|x) || N(0, I))
        q(z|x) = N(mu(x), diag sigma(x)^2),    z = mu + sigma eps

    The encoder returns mu and ln sigma^2, the decoder the parameters of
    p(x|z). Terms are sums over dimensions and means over the batch, in nats;
    at `beta=1` the loss is the negative evidence lower bound, which is in the
    logs as `negative_elbo` whatever beta.

    Args:
        encoder: `keras.Model` from images to two tensors of shape
            `(batch, latent_dim)`, the mean and the log-variance.
        decoder: `keras.Model` from latents `(batch, latent_dim)` to tensors
            of the shape of the images.
        beta: Float of at least 0, the weight of the KL term, or a schedule or
            bound in its place: `keras_gen.losses.LinearWarmup`,
            `CyclicalBeta`, `Capacity`, `FreeBits`.
        likelihood: `"bernoulli"`, `"gaussian"`, `"laplace"`,
            `"discretized_logistic"`, or an object such as
            `keras_gen.losses.Gaussian(sigma="learned")`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or beta is negative.

    Reference:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        arXiv:1312.6114. Higgins et al., beta-VAE, 2017, for beta.

    Example:
    >>> model = VAE(
    ...     keras_gen.nets.conv_encoder((28, 28, 1), latent_dim=16, outputs=2),
    ...     keras_gen.nets.conv_decoder((28, 28, 1), latent_dim=16),
    ... )
    >>> model.compile("adam")
    >>> model.generate(4, seed=0).shape
    (4, 28, 28, 1)
    """

    def __init__(
        self,
        encoder,
        decoder,
        beta=1.0,
        likelihood="bernoulli",
        ema_decay=None,
        **kwargs,
    ):
        logs = ("loss", "reconstruction_loss", "kl_loss", "negative_elbo")
        super().__init__(encoder, decoder, logs, num_outputs=2, **kwargs)
        self.beta = check_beta(beta)
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        z, mu, log_var = self.sample_posterior(x, training)
        outputs = self.decoder(z, training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))
        kl_j = gaussian_kl(mu, log_var)
        kl = ops.mean(ops.sum(kl_j, axis=-1))
        return {
            "loss": nll + weigh_kl(self.beta, kl_j, training),
            "reconstruction_loss": nll,
            "kl_loss": kl,
            "negative_elbo": nll + kl,
        }

    def get_config(self):
        beta = keras.saving.serialize_keras_object(self.beta)
        return {**super().get_config(), "beta": beta}
