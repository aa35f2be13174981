"""One method per file."""

from keras_gen.models.autoencoder import Autoencoder
from keras_gen.models.autoregressive import Autoregressive
from keras_gen.models.beta_tc_vae import BetaTCVAE
from keras_gen.models.cogan import CoGAN
from keras_gen.models.conditional_gan import ConditionalGAN
from keras_gen.models.conditional_vae import ConditionalVAE
from keras_gen.models.ddpm import DDPM
from keras_gen.models.denoising_autoencoder import DenoisingAutoencoder
from keras_gen.models.diffusion import Diffusion
from keras_gen.models.ebgan import EBGAN
from keras_gen.models.flow_matching import FlowMatching
from keras_gen.models.gan import GAN
from keras_gen.models.info_vae import InfoVAE
from keras_gen.models.iwae import IWAE
from keras_gen.models.semi_supervised_gan import SemiSupervisedGAN
from keras_gen.models.sparse_autoencoder import SparseAutoencoder
from keras_gen.models.vae import VAE
from keras_gen.models.vamp_vae import VampVAE
from keras_gen.models.vqvae import VQVAE

__all__ = [
    "DDPM",
    "EBGAN",
    "GAN",
    "IWAE",
    "VAE",
    "VQVAE",
    "Autoencoder",
    "Autoregressive",
    "BetaTCVAE",
    "CoGAN",
    "ConditionalGAN",
    "ConditionalVAE",
    "DenoisingAutoencoder",
    "Diffusion",
    "FlowMatching",
    "InfoVAE",
    "SemiSupervisedGAN",
    "SparseAutoencoder",
    "VampVAE",
]
