"""The models. Each file is one method; adding one adds one line here."""

from keras_gen.models.gan import GAN
from keras_gen.models.vae import VAE

__all__ = ["GAN", "VAE"]
