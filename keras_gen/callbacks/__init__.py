"""Callbacks for any `GenerativeModel` under `fit`."""

from keras_gen.callbacks.checkpoint import Checkpoint
from keras_gen.callbacks.evaluate_samples import EvaluateSamples
from keras_gen.callbacks.image_grid import ImageGrid
from keras_gen.callbacks.latent_traversal import LatentTraversal
from keras_gen.callbacks.mode_collapse import ModeCollapse
from keras_gen.callbacks.stop_on_nan import StopOnNaN

__all__ = [
    "Checkpoint",
    "EvaluateSamples",
    "ImageGrid",
    "LatentTraversal",
    "ModeCollapse",
    "StopOnNaN",
]
