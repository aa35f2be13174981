"""Layers that Keras lacks."""

from keras_gen.layers.augment import DiffAugment
from keras_gen.layers.code_distribution import CodeDistribution
from keras_gen.layers.corruption import GaussianCorruption
from keras_gen.layers.corruption import MaskingCorruption
from keras_gen.layers.corruption import SaltAndPepper
from keras_gen.layers.degradation import Grayscale
from keras_gen.layers.degradation import LowResolution
from keras_gen.layers.image_pool import ImagePool
from keras_gen.layers.lookup_free import LookupFreeQuantizer
from keras_gen.layers.masked_conv import GatedActivation
from keras_gen.layers.masked_conv import MaskedConv2D
from keras_gen.layers.minibatch import MinibatchDiscrimination
from keras_gen.layers.minibatch import MinibatchStd
from keras_gen.layers.noise_level import AdaptiveNormalization
from keras_gen.layers.noise_level import NoiseLevelEmbedding
from keras_gen.layers.normalization import ConditionalBatchNormalization
from keras_gen.layers.normalization import GroupNormalization
from keras_gen.layers.normalization import LayerNormalization
from keras_gen.layers.position import PositionEmbedding
from keras_gen.layers.quantizers import FiniteScalarQuantizer
from keras_gen.layers.quantizers import ResidualQuantizer
from keras_gen.layers.quantizers import VectorQuantizer
from keras_gen.layers.reference import DropReference
from keras_gen.layers.reference import ReferenceBatch
from keras_gen.layers.reference import VirtualBatchNormalization
from keras_gen.layers.spectral import SpectralConv2D
from keras_gen.layers.spectral import SpectralDense
from keras_gen.layers.weight_norm import WeightNormDense
from keras_gen.layers.weight_norm import initialize_from_data

__all__ = [
    "AdaptiveNormalization",
    "CodeDistribution",
    "ConditionalBatchNormalization",
    "DiffAugment",
    "DropReference",
    "FiniteScalarQuantizer",
    "GatedActivation",
    "GaussianCorruption",
    "Grayscale",
    "GroupNormalization",
    "ImagePool",
    "LayerNormalization",
    "LookupFreeQuantizer",
    "LowResolution",
    "MaskedConv2D",
    "MaskingCorruption",
    "MinibatchDiscrimination",
    "MinibatchStd",
    "NoiseLevelEmbedding",
    "PositionEmbedding",
    "ReferenceBatch",
    "ResidualQuantizer",
    "SaltAndPepper",
    "SpectralConv2D",
    "SpectralDense",
    "VectorQuantizer",
    "VirtualBatchNormalization",
    "WeightNormDense",
    "initialize_from_data",
]
