"""Layers that Keras lacks."""

from keras_gen.layers.code_distribution import CodeDistribution
from keras_gen.layers.corruption import GaussianCorruption
from keras_gen.layers.corruption import MaskingCorruption
from keras_gen.layers.corruption import SaltAndPepper

__all__ = [
    "CodeDistribution",
    "GaussianCorruption",
    "MaskingCorruption",
    "SaltAndPepper",
]
