"""One training epoch of the VAE and the GAN, written by hand per backend.

Each function takes a model only for its networks and optimizers, and returns
a callable that trains on a list of NumPy batches. The averaged generator of
the default GAN is part of the step, as it is in the model.
"""

import keras
import numpy as np


def _module():
    import importlib

    return importlib.import_module(
        f"tests.benchmarks._by_hand_{keras.backend.backend()}"
    )


def vae(model):
    return _module().vae(model)


def gan(model):
    return _module().gan(model)


def mean_logs(logs):
    """Average the losses of an epoch on the host."""
    return np.mean([[float(value) for value in step] for step in logs], axis=0)
