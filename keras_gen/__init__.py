"""Generative models for Keras 3, on TensorFlow, JAX and torch."""

from keras_gen import callbacks
from keras_gen import data
from keras_gen import diffusion
from keras_gen import layers
from keras_gen import losses
from keras_gen import metrics
from keras_gen import models
from keras_gen import nets
from keras_gen import pretraining
from keras_gen import training
from keras_gen._version import __version__
from keras_gen.hub import from_preset
from keras_gen.hub import list_presets
from keras_gen.metrics import evaluate

__all__ = [
    "callbacks",
    "data",
    "diffusion",
    "evaluate",
    "from_preset",
    "layers",
    "list_presets",
    "losses",
    "metrics",
    "models",
    "nets",
    "pretraining",
    "training",
]
