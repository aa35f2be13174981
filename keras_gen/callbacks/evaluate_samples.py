"""Measure samples while a model trains."""

import keras

from keras_gen import checks
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.metrics.evaluation import Evaluation


class EvaluateSamples(keras.callbacks.Callback):
    """Add metrics of samples to the logs after every n epochs.

    The logs get the names that `keras_gen.evaluate` returns, such as
    `fd_mnist_lenet64_v1_1k`, for `Checkpoint(monitor=...)` and Keras's
    `ModelCheckpoint` and `EarlyStopping` (with `mode="min"` or `"max"`). `fit`
    of a model of this package runs it before other callbacks. As with Keras's
    `validation_freq`, epochs without a measurement, such as those after which
    the model is no longer finite, have no such log. Training is not disturbed:
    the samples have a fixed seed.

    Args:
        dataset: The data, as for `keras_gen.evaluate`.
        num_samples: Integer. The fewer, the more a Frechet distance is biased
            upwards: compare values of one name.
        metrics: List of strings, see `keras_gen.evaluate`.
        every: Integer, epochs between measurements.
        seed: Integer, passed to `generate`.
        extractor: As for `keras_gen.evaluate`.
        image_size: The same.
        grayscale: The same.
        data_dir: The same.
        **generate_arguments: Passed to `model.generate`.

    Raises:
        ValueError: If a metric does not apply, or the model generates NaN.

    Example:
    >>> metric = "fd_mnist_lenet64_v1_1k"
    >>> model.fit(
    ...     train,
    ...     epochs=20,
    ...     callbacks=[
    ...         keras_gen.callbacks.EvaluateSamples("mnist", 1000, ["fd"]),
    ...         keras_gen.callbacks.Checkpoint("runs/vae", monitor=metric),
    ...     ],
    ... )
    """

    adds_logs = True  # `fit` runs it before callbacks that read them

    def __init__(
        self,
        dataset,
        num_samples=1000,
        metrics=("fd",),
        every=1,
        seed=0,
        extractor=None,
        image_size=None,
        grayscale=False,
        data_dir=None,
        **generate_arguments,
    ):
        super().__init__()
        self.every = checks.check_positive_integer(every, "every")
        self.seed = seed
        self.arguments = generate_arguments
        self._evaluation = Evaluation(
            dataset,
            num_samples,
            metrics,
            extractor=extractor,
            image_size=image_size,
            grayscale=grayscale,
            data_dir=data_dir,
        )

    def on_train_begin(self, logs=None):
        # A metric that does not apply is better known before the training.
        samples = self._evaluation.draw(self.model, self.seed, **self.arguments)
        self._evaluation.check(samples)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every or not_finite(logs, self.model):
            return
        samples = self._evaluation.draw(self.model, self.seed, **self.arguments)
        logs.update(self._evaluation.of_samples(samples))
