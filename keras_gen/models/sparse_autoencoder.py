"""Sparse autoencoder."""

import warnings

import keras
from keras import ops

from keras_gen.layers import CodeDistribution
from keras_gen.losses import KLSparsity
from keras_gen.losses import get_likelihood
from keras_gen.losses.likelihoods import last_activation
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class SparseAutoencoder(LatentModel):
    """Rebuild images from codes of which few units are active.

        L = -ln p(x | g(h)) + penalty(h),    h = f(x)

    so that a code may have more units than the data have dimensions and still
    be forced to choose.

    Args:
        encoder: `keras.Model` from images to codes `(batch, latent_dim)`, in
            (0, 1) for `KLSparsity`.
        decoder: `keras.Model` from codes to tensors of the shape of the
            images, or None for the transposed weights of `encoder`, fully
            connected then ("tied weights").
        penalty: `keras_gen.losses.L1Sparsity()` or `KLSparsity()`.
        likelihood: `"gaussian"` for twice the squared error, or another, see
            `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or `penalty` cannot
            be called.

    Reference:
        Ng, Sparse Autoencoder, CS294A lecture notes, 2011.
    """

    def __init__(
        self,
        encoder,
        decoder,
        penalty,
        likelihood="gaussian",
        ema_decay=None,
        **kwargs,
    ):
        logs = ("loss", "mse", "penalty", "mean_activation")
        super().__init__(encoder, decoder, logs, **kwargs)
        if not callable(penalty):
            raise ValueError(
                "`penalty` must be callable on codes, such as "
                f"`keras_gen.losses.L1Sparsity()`. Received: {penalty!r}"
            )
        within = last_activation(encoder) in ("sigmoid", "hard_sigmoid")
        if isinstance(penalty, KLSparsity) and not within:
            warnings.warn(
                "`KLSparsity` is for units in (0, 1), and `encoder` does not "
                "end in a sigmoid: beyond, it has no gradient.",
                stacklevel=2,
            )
        self.penalty = penalty
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.codes = CodeDistribution(self.latent_dim)
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        h = ops.cast(self.encoder(x, training=training), "float32")
        outputs = self.decoder(h, training=training)
        if training:
            self.codes.update(h)
        penalty = self.penalty(h)
        error = ops.square(x - self.likelihood.mean(outputs))
        return {
            "loss": ops.mean(self.likelihood.nll(x, outputs)) + penalty,
            "mse": ops.mean(error) / 4.0,
            "penalty": penalty,
            "mean_activation": ops.mean(h),
        }

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        z = self.codes.sample(noise)
        return self.decode(z, labels, batch_size, use_ema)

    def get_config(self):
        return {
            **super().get_config(),
            "penalty": keras.saving.serialize_keras_object(self.penalty),
        }
