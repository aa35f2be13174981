import random

import keras
import numpy as np
import pytest

from keras_gen.metrics import KerasFeatures
from keras_gen.metrics import inception
from keras_gen.metrics.extractors import get_extractor
from tests.conftest import host


def flat_model():
    return keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)],
        name="flat",
    )


def test_any_keras_model_gives_features():
    model = flat_model()
    extractor = get_extractor(model, (8, 8, 1))
    assert isinstance(extractor, KerasFeatures) and extractor.name == "flat"
    x = np.random.default_rng(0).uniform(-1, 1, (7, 4, 4, 1))
    features, classes = extractor(x, batch_size=3)
    kernel, bias = (host(w) for w in model.weights)
    np.testing.assert_allclose(
        features, x.reshape(7, 16) @ kernel + bias, atol=1e-5
    )
    assert classes is None and features.dtype == np.float64


def test_inception_takes_grey_images_of_any_size():
    keras.config.set_dtype_policy("mixed_bfloat16")
    before = random.getstate()
    try:
        extractor = inception((28, 28, 1), weights=None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert random.getstate() == before
    assert extractor.model.compute_dtype == "float32"
    assert extractor.model.outputs[0].dtype == "float32"
    assert extractor.name == "inception_v3_keras"
    assert extractor.model.input_shape == (None, 28, 28, 1)
    assert extractor.model.output_shape == (None, 2048)


def test_bad_input():
    with pytest.raises(ValueError, match=r"need images of shape \(4, 4, 1\)"):
        KerasFeatures(flat_model())(np.zeros((2, 8, 8, 1)))
    with pytest.raises(ValueError, match="`extractor` must be the name"):
        get_extractor(3, (8, 8, 1))
    inputs = keras.Input((4,))
    with pytest.raises(ValueError, match="needs a name of its own"):
        KerasFeatures(keras.Model(inputs, inputs))
    with pytest.raises(ValueError, match="must be functional"):
        KerasFeatures(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ValueError, match="have 1 output"):
        KerasFeatures(keras.Model(inputs, [inputs, inputs]))


def test_inception_by_name_without_its_weights(monkeypatch):
    """Keras raises a bare Exception where it cannot download."""

    def no_network(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", no_network)
    with pytest.raises(OSError, match="cannot be had: URL fetch failure"):
        get_extractor("inception", (8, 8, 1))
