"""Denoising autoencoder."""

import keras
from keras import ops

from keras_gen.layers import CodeDistribution
from keras_gen.losses import get_likelihood
from keras_gen.training.latent import LatentModel


@keras.saving.register_keras_serializable("keras_gen")
class DenoisingAutoencoder(LatentModel):
    """Rebuild clean images from corrupted ones.

        L = -ln p(x | g(f(c(x))))

    with encoder f, decoder g and a corruption c that is drawn anew in every
    training step. The target is the clean x. Validation and `reconstruct`
    corrupt nothing: pass noisy images to clean them.

    Args:
        encoder: `keras.Model` from images to codes `(batch, latent_dim)`.
        decoder: `keras.Model` from codes to tensors of the shape of the
            images, or None for the transposed weights of `encoder`, fully
            connected then ("tied weights").
        corruption: Layer such as `keras_gen.layers.GaussianCorruption()`,
            `MaskingCorruption()` or `SaltAndPepper()`.
        likelihood: `"gaussian"` for twice the squared error, or another, see
            `VAE`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.

    Raises:
        ValueError: If the networks do not fit each other, or `corruption` is
            no layer.

    Reference:
        Vincent et al., Extracting and Composing Robust Features with
        Denoising Autoencoders, 2008.
    """

    def __init__(
        self,
        encoder,
        decoder,
        corruption,
        likelihood="gaussian",
        ema_decay=None,
        **kwargs,
    ):
        super().__init__(encoder, decoder, ("loss", "mse"), **kwargs)
        if not isinstance(corruption, keras.layers.Layer):
            raise ValueError(
                "`corruption` must be a layer, such as "
                "`keras_gen.layers.GaussianCorruption()`. "
                f"Received: {corruption!r}"
            )
        self.corruption = corruption
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.codes = CodeDistribution(self.latent_dim)
        self.average_weights(ema_decay, "encoder", "decoder")

    def objective(self, x, y, training):
        corrupted = self.corruption(x, training=training)
        h = self.encoder(corrupted, training=training)
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

    def get_config(self):
        return {
            **super().get_config(),
            "corruption": keras.saving.serialize_keras_object(self.corruption),
        }
