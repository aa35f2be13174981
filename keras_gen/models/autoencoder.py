"""Autoencoder."""

import keras
from keras import ops

from keras_gen.layers import CodeDistribution
from keras_gen.losses import get_likelihood
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class Autoencoder(LatentModel):
    """Compress images into codes from which they can be rebuilt.

        L = -ln p(x | g(f(x)))

    with encoder f and decoder g, summed over the pixels and averaged over the
    batch. With the default likelihood, a `Gaussian` of sigma 1/2 for pixels in
    [-1, 1], that is twice the squared error, up to a constant. `mse` in the
    logs is the mean squared error of pixels scaled to [0, 1], to compare with
    that of as many principal components.

    A code has no prior. `generate` draws from a Gaussian fitted to the codes
    during training.

    Args:
        encoder: `keras.Model` from images to codes `(batch, latent_dim)`.
        decoder: `keras.Model` from codes to tensors of the shape of the
            images, or None for the transposed weights of `encoder`, fully
            connected then ("tied weights").
        likelihood: `"gaussian"` for twice the squared error, `"bernoulli"` for
            binary cross-entropy, or any other, see `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other.

    Reference:
        Hinton and Salakhutdinov, Reducing the Dimensionality of Data with
        Neural Networks, 2006.
    """

    def __init__(
        self,
        encoder,
        decoder,
        likelihood="gaussian",
        ema_decay=None,
        **kwargs,
    ):
        super().__init__(encoder, decoder, ("loss", "mse"), **kwargs)
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.codes = CodeDistribution(self.latent_dim)
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        h = self.encoder(x, training=training)
        outputs = self.decoder(h, training=training)
        if training:
            self.codes.update(h)
        error = ops.square(x - self.likelihood.mean(outputs))
        return {
            "loss": ops.mean(self.likelihood.nll(x, outputs)),
            "mse": ops.mean(error) / 4.0,
        }

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        z = self.codes.sample(noise)
        return self.decode(z, labels, batch_size, use_ema)
