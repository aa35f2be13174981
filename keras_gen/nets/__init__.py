"""Small networks to start from; any `keras.Model` of the shape will do."""

from keras_gen.nets.conv import conv_decoder
from keras_gen.nets.conv import conv_discriminator
from keras_gen.nets.conv import conv_encoder
from keras_gen.nets.conv import conv_generator
from keras_gen.nets.dense import dense_decoder
from keras_gen.nets.dense import dense_discriminator
from keras_gen.nets.dense import dense_encoder
from keras_gen.nets.dense import dense_generator
from keras_gen.nets.dense import label_prior

__all__ = [
    "conv_decoder",
    "conv_discriminator",
    "conv_encoder",
    "conv_generator",
    "dense_decoder",
    "dense_discriminator",
    "dense_encoder",
    "dense_generator",
    "label_prior",
]
