"""A warning when a generator draws less and less."""

import warnings

import keras
import numpy as np

from keras_gen import checks


class ModeCollapse(keras.callbacks.Callback):
    """Warn when samples are far more alike than real ones.

        diversity = mean_{i != j} |g_i - g_j| / mean_{i != j} |x_i - x_j|

    over generated samples g and real ones x, in the Euclidean norm. The logs
    get `diversity` after every n epochs; `evaluate` has another, of features
    within a class. It catches a generator that draws a few images over and
    over, not one that leaves out a mode: count modes with
    `keras_gen.metrics.mode_counts`.

    Args:
        real: Array `(n, *data_shape)`, real samples, of which the first
            `num_samples` are used.
        threshold: Float above 0, the diversity below which to warn.
        num_samples: Integer of at least 2.
        every: Integer, epochs between measurements.
        seed: Integer, passed to `generate`.
        **generate_arguments: Passed to `model.generate`.
    """

    adds_logs = True  # `fit` runs it before callbacks that read them

    def __init__(
        self,
        real,
        threshold=0.5,
        num_samples=256,
        every=1,
        seed=0,
        **generate_arguments,
    ):
        super().__init__()
        if checks.check_positive_integer(num_samples, "num_samples") < 2:
            raise ValueError(
                "`num_samples` must be at least 2. Received: num_samples=1"
            )
        if not threshold > 0:
            raise ValueError(
                f"`threshold` must be above 0. Received: threshold={threshold}"
            )
        self.every = checks.check_positive_integer(every, "every")
        self.threshold = threshold
        self.num_samples = num_samples
        self.seed = seed
        self.arguments = generate_arguments
        real = np.asarray(real)[:num_samples]
        checks.check_array(real, real.shape[1:], "ModeCollapse")
        self.shape = real.shape[1:]
        self.spread = mean_distance(real)
        if not self.spread > 0:
            raise ValueError("`real` must hold at least two different samples.")

    def on_train_begin(self, logs=None):
        # Labels that are missing are better known before the training.
        samples = self.model.generate(
            self.num_samples, seed=self.seed, **self.arguments
        )
        if samples.shape[1:] != self.shape:
            raise ValueError(
                "`real` of `ModeCollapse` must have the shape of what the "
                f"model draws, {samples.shape[1:]}. Received: {self.shape}"
            )

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        samples = self.model.generate(
            self.num_samples, seed=self.seed, **self.arguments
        )
        diversity = mean_distance(samples) / self.spread
        logs["diversity"] = diversity
        if diversity < self.threshold:
            warnings.warn(
                f"Epoch {epoch + 1}: samples lie {diversity:.2f} times as far "
                "apart as real ones. The generator may have collapsed to few "
                "modes: look at a grid, and consider a gradient penalty, "
                '`loss="relativistic"` or a smaller learning rate.',
                stacklevel=2,
            )


def mean_distance(x):
    """Return the mean Euclidean distance of different rows of `x`."""
    x = x.reshape(len(x), -1).astype("float64")
    square = (x**2).sum(axis=1)
    squared = square[:, None] + square - 2.0 * x @ x.T
    distances = np.sqrt(np.maximum(squared, 0.0))
    np.fill_diagonal(distances, 0.0)
    return distances.sum() / (len(x) * (len(x) - 1))
