"""Features of other networks than the classifiers that ship."""

import re

import keras
import numpy as np
from keras import layers

from keras_gen.metrics.checks import as_images
from keras_gen.metrics.classifiers import Classifier
from keras_gen.metrics.classifiers import in_float32
from keras_gen.training import backend


class KerasFeatures:
    """Features of any Keras model, taken as they are.

    Args:
        model: `keras.Model` from images in [-1, 1] to one tensor; all but its
            first axis is flattened.
        name: String that names model and weights in the names of metrics.
    """

    def __init__(self, model, name=None):
        if len(getattr(model, "outputs", None) or []) != 1:
            raise ValueError(
                "A model for features must be functional or `Sequential`, "
                "know its input shape, and have 1 output."
            )
        self.model = model
        self.name = name or model.name
        if re.fullmatch(r"(functional|model|sequential)(_\d+)?", self.name):
            raise ValueError(
                "A model for features needs a name of its own, which becomes "
                "part of the metrics' names: `KerasFeatures(model, name=...)`. "
                f"Received: name={self.name!r}"
            )

    def __call__(self, images, batch_size=100):
        """Return float64 features `(n, d)`, and None in place of classes."""
        images = as_images("images", images)
        expected = self.model.inputs[0].shape[1:]
        if any(e not in (None, r) for e, r in zip(expected, images.shape[1:])):
            raise ValueError(
                f"The features {self.name!r} need images of shape {expected}. "
                f"Received: shape={images.shape}"
            )
        with backend.undisturbed():
            features = self.model.predict(
                images, batch_size=batch_size, verbose=0
            )
        return np.asarray(features, "float64").reshape(len(images), -1), None


def inception(shape, weights="imagenet"):
    """Return the 2048 pooled features of Keras's InceptionV3.

    Keras downloads its weights, 90 MB, on first use. They and the resizing
    are not those of published FID scores: compare numbers of this name only.

    Args:
        shape: Tuple (height, width, 1 or 3) of the images.
        weights: `"imagenet"`, or None for random ones.

    Returns:
        `KerasFeatures` called `"inception_v3_keras"`.

    Raises:
        OSError: If there are no weights and they cannot be downloaded.
    """
    with backend.undisturbed(), in_float32():
        inputs = x = keras.Input(shape)
        if shape[-1] == 1:
            x = layers.Concatenate()([x, x, x])
        x = layers.Resizing(299, 299)(x)
        try:
            body = keras.applications.InceptionV3(
                include_top=False, weights=weights, pooling="avg"
            )
        except Exception as error:  # of no other kind without a network
            raise OSError(
                f"The weights of InceptionV3 cannot be had: {error}"
            ) from error
        model = keras.Model(inputs, body(x))
    return KerasFeatures(model, "inception_v3_keras")


def get_extractor(extractor, shape):
    """Return an extractor for images of a shape: as it is, by name, a model."""
    if extractor == "inception":
        return inception(shape)
    if isinstance(extractor, str):
        return Classifier(extractor)
    if isinstance(extractor, keras.Model):
        return KerasFeatures(extractor)
    if not callable(extractor) or not hasattr(extractor, "name"):
        raise ValueError(
            "`extractor` must be the name of a classifier, 'inception', a "
            "`keras.Model`, "
            "or a callable with a `name` that returns (features, classes). "
            f"Received: {extractor!r}"
        )
    return extractor
