"""Variational autoencoder."""

import keras
import numpy as np
from keras import ops

from keras_gen.losses import gaussian_kl
from keras_gen.losses import get_likelihood
from keras_gen.training import GenerativeModel
from keras_gen.training import checks


@keras.saving.register_keras_serializable("keras_gen")
class VAE(GenerativeModel):
    """Learn a latent space by maximising a bound on the likelihood.

        L = -E_q[ln p(x|z)] + beta KL(q(z|x) || N(0, I))
        q(z|x) = N(mu(x), diag sigma(x)^2),    z = mu + sigma eps

    The encoder returns mu and ln sigma^2, the decoder the parameters of
    p(x|z). Terms are sums over dimensions and means over the batch, in nats;
    at `beta=1` the loss is the negative evidence lower bound.

    Args:
        encoder: `keras.Model` from images to two tensors of shape
            `(batch, latent_dim)`, the mean and the log-variance.
        decoder: `keras.Model` from latents `(batch, latent_dim)` to tensors
            of the shape of the images.
        beta: Float of at least 0, the weight of the KL term.
        likelihood: `"bernoulli"`, `"gaussian"`, or an object such as
            `keras_gen.losses.Gaussian(sigma=0.3)`.
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
        super().__init__(
            logs=("loss", "reconstruction_loss", "kl_loss"), **kwargs
        )
        checks.check_network(encoder, "encoder", num_outputs=2)
        checks.check_network(decoder, "decoder")
        mean, log_var = encoder.outputs
        if len(mean.shape) != 2:
            raise ValueError(
                "`encoder` must return vectors, of shape (batch, latent_dim). "
                f"Received: outputs of shape {mean.shape}"
            )
        if not mean.shape == log_var.shape == decoder.inputs[0].shape:
            raise ValueError(
                "The latents of `encoder` and `decoder` must agree. Received: "
                f"encoder outputs of shape {mean.shape} and {log_var.shape}, "
                f"decoder input of shape {decoder.inputs[0].shape}"
            )
        if encoder.inputs[0].shape != decoder.outputs[0].shape:
            raise ValueError(
                "`decoder` must return what `encoder` takes. Received: "
                f"encoder input of shape {encoder.inputs[0].shape}, decoder "
                f"output of shape {decoder.outputs[0].shape}"
            )
        self.encoder = encoder
        self.decoder = decoder
        self.beta = checks.check_non_negative(beta, "beta")
        self.likelihood = get_likelihood(likelihood)
        self.latent_dim = decoder.inputs[0].shape[-1]
        self.noise_shape = (self.latent_dim,)
        self.data_shape = tuple(encoder.inputs[0].shape[1:])
        self.average_weights(ema_decay, "encoder", "decoder")

    def bound(self, x, training):
        """Return the loss and its two terms."""
        mu, log_var = self.encoder(x, training=training)
        mu, log_var = ops.cast(mu, "float32"), ops.cast(log_var, "float32")
        eps = keras.random.normal(ops.shape(mu), seed=self.seed_generator)
        z = mu + ops.exp(0.5 * log_var) * eps

        outputs = self.decoder(z, training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))
        kl = ops.mean(gaussian_kl(mu, log_var))
        return {
            "loss": nll + self.beta * kl,
            "reconstruction_loss": nll,
            "kl_loss": kl,
        }

    def training_step(self, x, y=None):
        return self.minimize(lambda: self.bound(x, training=True))

    def evaluation_step(self, x, y=None):
        return self.bound(x, training=False)

    def call(self, x, training=False):
        mu, _ = self.encoder(x, training=training)
        return self.likelihood.mean(self.decoder(mu, training=training))

    def encode(self, x, batch_size=None, use_ema=None):
        """Return the posterior means, `(n, latent_dim)`, of images `x`."""
        checks.check_batch(np.asarray(x), self.data_shape, "VAE")
        encoder = self.sampling_network("encoder", use_ema)
        return self.run_network(encoder, np.asarray(x), batch_size)[0]

    def decode(self, z, batch_size=None, use_ema=None):
        """Return the mean images of latents `z` of shape `(n, latent_dim)`."""
        checks.check_batch(np.asarray(z), (self.latent_dim,), "VAE.decode")
        decoder = self.sampling_network("decoder", use_ema)
        outputs = self.run_network(decoder, np.asarray(z), batch_size)
        return ops.convert_to_numpy(self.likelihood.mean(outputs))

    def reconstruct(self, x, batch_size=None, use_ema=None):
        """Return images `x` after encoding to the mean and decoding."""
        z = self.encode(x, batch_size, use_ema)
        return self.decode(z, batch_size, use_ema)

    def from_noise(self, noise, batch_size=None, use_ema=None):
        return self.decode(noise, batch_size, use_ema)

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "beta": self.beta,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "ema_decay": self.ema_decay,
        }
