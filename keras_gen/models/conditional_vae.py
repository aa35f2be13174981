"""Conditional variational autoencoder."""

import keras
import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.losses import gaussian_kl
from keras_gen.losses import get_likelihood
from keras_gen.losses.kl_terms import check_beta
from keras_gen.losses.kl_terms import weigh_kl
from keras_gen.training.latent import LatentModel
from keras_gen.training.latent import log_normal


@keras.saving.register_keras_serializable("keras_gen")
class ConditionalVAE(LatentModel):
    """Learn to draw images of a class, and what varies within it.

        L = -E_q[ln p(x|y, z)] + beta KL(q(z|x, y) || p(z|y))
        q(z|x, y) = N(mu, diag sigma^2),    p(z|y) = N(m(y), diag s(y)^2)

    Without a prior network p(z|y) is N(0, I). As the label is given to both
    networks, z is free to hold the rest: style. Encode with one label and
    decode with another to carry it over. `negative_elbo` in the logs is the
    loss at beta 1.

    Args:
        encoder: `keras.Model` from images and one-hot labels
            `(batch, num_classes)` to two tensors of shape
            `(batch, latent_dim)`, mu and ln sigma^2.
        decoder: `keras.Model` from latents `(batch, latent_dim)` and one-hot
            labels to tensors of the shape of the images.
        prior: `keras.Model` from one-hot labels to two tensors of shape
            `(batch, latent_dim)`, m and ln s^2, or None.
        beta: Float of at least 0, the weight of the KL term, or a schedule
            or bound in its place, see `VAE`.
        likelihood: Name or object, see `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or labels are
            missing or out of range.

    Reference:
        Sohn et al., Learning Structured Output Representation using Deep
        Conditional Generative Models, 2015.

    Example:
    >>> options = {"latent_dim": 8, "num_classes": 10}
    >>> model = ConditionalVAE(
    ...     keras_gen.nets.dense_encoder((8, 8, 1), outputs=2, **options),
    ...     keras_gen.nets.dense_decoder((8, 8, 1), **options),
    ...     prior=keras_gen.nets.label_prior(**options),
    ... )
    >>> model.generate(10, labels=range(10), seed=0).shape
    (10, 8, 8, 1)
    """

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        beta=1.0,
        likelihood="bernoulli",
        ema_decay=None,
        **kwargs,
    ):
        self.num_classes = _num_classes(decoder)
        logs = ("loss", "reconstruction_loss", "kl_loss", "negative_elbo")
        super().__init__(encoder, decoder, logs, num_outputs=2, **kwargs)
        if encoder.inputs[1].shape != decoder.inputs[1].shape:
            raise ValueError(
                "`encoder` and `decoder` must take the same labels. Received: "
                f"shapes {encoder.inputs[1].shape} and "
                f"{decoder.inputs[1].shape}"
            )
        averaged = ["encoder", "decoder"]
        if prior is not None:
            checks.check_network(prior, "prior", num_outputs=2)
            shapes = {output.shape for output in prior.outputs}
            if (
                shapes != {encoder.outputs[0].shape}
                or prior.inputs[0].shape != decoder.inputs[1].shape
            ):
                raise ValueError(
                    "`prior` must turn labels into two tensors like those of "
                    f"`encoder`. Received: {prior.inputs[0].shape} to {shapes}"
                )
            averaged.append("prior")
        self.prior = prior
        self.beta = check_beta(beta)
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.average_weights(ema_decay, *averaged)

    def objective(self, x, y, training):
        y = self.one_hot_batch(y)
        z, mu, log_var = self.sample_posterior([x, y], training)
        m = log_s2 = ops.zeros_like(mu)
        if self.prior is not None:
            m, log_s2 = self.prior(y, training=training)
            m, log_s2 = ops.cast(m, "float32"), ops.cast(log_s2, "float32")
        outputs = self.decoder([z, y], training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))
        kl_j = gaussian_kl(mu, log_var, m, log_s2)
        kl = ops.mean(ops.sum(kl_j, axis=-1))
        return {
            "loss": nll + weigh_kl(self.beta, kl_j, training),
            "reconstruction_loss": nll,
            "kl_loss": kl,
            "negative_elbo": nll + kl,
        }

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        m, log_s2 = self._prior_of(labels, len(noise), use_ema)
        z = m + np.exp(0.5 * log_s2) * noise
        return self.decode(z, labels, batch_size, use_ema)

    def log_prior(self, z, labels=None, use_ema=None):
        m, log_s2 = self._prior_of(labels, len(z), use_ema)
        return log_normal(z, m[:, None], log_s2[:, None])

    def _prior_of(self, labels, n, use_ema):
        """Return m(y) and ln s(y)^2 for n labels."""
        if self.prior is None:
            zeros = np.zeros((n, self.latent_dim), "float32")
            return zeros, zeros
        prior = self.sampling_network("prior", use_ema)
        return self.run_network(prior, self.one_hot(labels, n))

    def get_config(self):
        prior = self.prior and keras.saving.serialize_keras_object(self.prior)
        return {
            **super().get_config(),
            "prior": prior,
            "beta": keras.saving.serialize_keras_object(self.beta),
        }


def _num_classes(decoder):
    checks.check_network(decoder, "decoder", num_inputs=2)
    return decoder.inputs[1].shape[-1]
