"""Variational autoencoder with a mixture of posteriors as its prior."""

import keras
import numpy as np
from keras import ops
from scipy.special import logsumexp
from scipy.special import ndtr

from keras_gen import checks
from keras_gen.losses import aggregate_log_density
from keras_gen.losses import gaussian_log_density
from keras_gen.losses import get_likelihood
from keras_gen.training.latent import LatentModel
from keras_gen.training.latent import log_normal


@keras.saving.register_keras_serializable("keras_gen")
class VampVAE(LatentModel):
    """Learn the prior along with a VAE, from inputs that do not exist.

        L = -E_q[ln p(x|z)] + E_q[ln q(z|x) - ln p(z)]
        p(z) = 1/K sum_k q(z|u_k)

    with K trained pseudo-inputs u_k, images kept in [-1, 1]. The best prior
    for the bound is the aggregate posterior 1/N sum_n q(z|x_n); this is one of
    fewer terms. The KL term is estimated from the sample of z.

    Args:
        encoder: `keras.Model` from images to two tensors of shape
            `(batch, latent_dim)`, the mean and the log-variance.
        decoder: `keras.Model` from latents `(batch, latent_dim)` to tensors
            of the shape of the images.
        num_pseudo_inputs: Integer, K; 500 in the paper.
        likelihood: Name or object, see `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other.

    Reference:
        Tomczak and Welling, VAE with a VampPrior, 2017, arXiv:1705.07120.
    """

    def __init__(
        self,
        encoder,
        decoder,
        num_pseudo_inputs=100,
        likelihood="bernoulli",
        ema_decay=None,
        **kwargs,
    ):
        logs = ("loss", "reconstruction_loss", "kl_loss")
        super().__init__(encoder, decoder, logs, num_outputs=2, **kwargs)
        self.num_pseudo_inputs = checks.check_positive_integer(
            num_pseudo_inputs, "num_pseudo_inputs"
        )
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.pseudo_inputs = PseudoInputs(num_pseudo_inputs, self.data_shape)
        # One number more, to choose a component by.
        self.noise_shape = (self.latent_dim + 1,)
        self.average_weights(ema_decay, "encoder", "decoder", "pseudo_inputs")

    def objective(self, x, y, training):
        z, mu, log_var = self.sample_posterior(x, training)
        outputs = self.decoder(z, training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))

        images = ops.convert_to_tensor(self.pseudo_inputs.images)
        m, log_s2 = self.encoder(images, training=training)
        m, log_s2 = ops.cast(m, "float32"), ops.cast(log_s2, "float32")
        log_w = -ops.log(ops.ones((1, 1)) * self.num_pseudo_inputs)
        log_p, _ = aggregate_log_density(z, m, log_s2, log_w)
        log_q = ops.sum(gaussian_log_density(z, mu, log_var), axis=-1)
        kl = ops.mean(log_q - log_p)
        return {
            "loss": nll + kl,
            "reconstruction_loss": nll,
            "kl_loss": kl,
        }

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        m, log_s2 = self._components(use_ema)
        u, eps = ndtr(noise[:, 0].astype("float64")), noise[:, 1:]
        k = np.minimum((u * len(m)).astype(int), len(m) - 1)
        z = m[k] + np.exp(0.5 * log_s2[k]) * eps
        return self.decode(z, labels, batch_size, use_ema)

    def log_prior(self, z, labels=None, use_ema=None):
        components = zip(*self._components(use_ema), strict=True)
        terms = [log_normal(z, m, log_s2) for m, log_s2 in components]
        return logsumexp(terms, axis=0) - np.log(len(terms))

    def _components(self, use_ema):
        """Return mean and log-variance of q(z|u_k) for each k."""
        inputs = self.sampling_network("pseudo_inputs", use_ema)
        images = ops.convert_to_numpy(inputs.images)
        encoder = self.sampling_network("encoder", use_ema)
        return self.run_network(encoder, images)

    def get_config(self):
        config = super().get_config()
        return {**config, "num_pseudo_inputs": self.num_pseudo_inputs}


class _InRange(keras.constraints.Constraint):
    """Return to [-1, 1] after each step."""

    def __call__(self, images):
        return ops.clip(images, -1.0, 1.0)


class PseudoInputs(keras.layers.Layer):
    """K trained images in [-1, 1]."""

    def __init__(self, count, shape, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.count, self.shape = count, tuple(shape)
        self.images = self.add_weight(
            shape=(count, *shape),
            initializer=keras.initializers.RandomUniform(-1.0, 0.0),
            # Not a clip of the output: pixels outside would have no gradient.
            constraint=_InRange(),
            name="images",
        )
        self.built = True

    def get_config(self):
        return {
            **super().get_config(),
            "count": self.count,
            "shape": list(self.shape),
        }
