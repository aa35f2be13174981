"""The training step shared by all models, and its two primitives."""

from keras_gen.training.backend import input_gradient
from keras_gen.training.model import GenerativeModel
from keras_gen.training.noise import sample_noise
from keras_gen.training.optimizers import OptimizerGroup

__all__ = [
    "GenerativeModel",
    "OptimizerGroup",
    "input_gradient",
    "sample_noise",
]
