"""Small networks to start from; any `keras.Model` of the shape will do."""

from keras_gen.nets.causal_transformer import causal_transformer
from keras_gen.nets.conv import conv_decoder
from keras_gen.nets.conv import conv_discriminator
from keras_gen.nets.conv import conv_encoder
from keras_gen.nets.conv import conv_generator
from keras_gen.nets.conv import grid_decoder
from keras_gen.nets.conv import grid_encoder
from keras_gen.nets.dense import dense_decoder
from keras_gen.nets.dense import dense_discriminator
from keras_gen.nets.dense import dense_encoder
from keras_gen.nets.dense import dense_generator
from keras_gen.nets.dense import label_prior
from keras_gen.nets.dit import dit
from keras_gen.nets.gan import conditional_discriminator
from keras_gen.nets.gan import conditional_generator
from keras_gen.nets.gan import dcgan_discriminator
from keras_gen.nets.gan import dcgan_generator
from keras_gen.nets.gan import residual_discriminator
from keras_gen.nets.gan import residual_generator
from keras_gen.nets.pixel_cnn import pixel_cnn
from keras_gen.nets.unet import unet

__all__ = [
    "causal_transformer",
    "conditional_discriminator",
    "conditional_generator",
    "conv_decoder",
    "conv_discriminator",
    "conv_encoder",
    "conv_generator",
    "dcgan_discriminator",
    "dcgan_generator",
    "dense_decoder",
    "dense_discriminator",
    "dense_encoder",
    "dense_generator",
    "dit",
    "grid_decoder",
    "grid_encoder",
    "label_prior",
    "pixel_cnn",
    "residual_discriminator",
    "residual_generator",
    "unet",
]
