"""Layers that Keras lacks."""

from keras_gen.layers.code_distribution import CodeDistribution
from keras_gen.layers.corruption import GaussianCorruption
from keras_gen.layers.corruption import MaskingCorruption
from keras_gen.layers.corruption import SaltAndPepper
from keras_gen.layers.lookup_free import LookupFreeQuantizer
from keras_gen.layers.masked_conv import GatedActivation
from keras_gen.layers.masked_conv import MaskedConv2D
from keras_gen.layers.position import PositionEmbedding
from keras_gen.layers.quantizers import FiniteScalarQuantizer
from keras_gen.layers.quantizers import ResidualQuantizer
from keras_gen.layers.quantizers import VectorQuantizer

__all__ = [
    "CodeDistribution",
    "FiniteScalarQuantizer",
    "GatedActivation",
    "GaussianCorruption",
    "LookupFreeQuantizer",
    "MaskedConv2D",
    "MaskingCorruption",
    "PositionEmbedding",
    "ResidualQuantizer",
    "SaltAndPepper",
    "VectorQuantizer",
]
