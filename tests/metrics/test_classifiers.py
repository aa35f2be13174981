import json

import numpy as np
import pytest

import keras_gen as kg
from keras_gen.metrics import classifiers
from keras_gen.metrics.classifiers import Classifier
from tests.conftest import data_folder

STORED = [
    [-1.12309, 0.78061, -0.56509],
    [-1.13323, 0.77439, -0.59173],
    [-1.15547, 0.76263, -0.54481],
    [-1.15343, 0.78385, -0.57672],
]


def test_digits_accuracy_is_the_one_on_the_card():
    test = kg.data.load("digits", "test", 500)
    x, y = test[0]
    classifier = Classifier("digits_lenet64_v1")
    features, classes = classifier(x)
    assert abs((classes == y).mean() - classifier.card["test_accuracy"]) < 1e-4
    assert features.shape == (299, 64) and features.dtype == np.float64


def test_features_are_centred_and_scaled_over_the_training_set():
    train = kg.data.load("digits", "train", 2000)
    features, _ = Classifier("digits_lenet64_v1")(train[0][0])
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    assert abs(features.var(axis=0).mean() - 1) < 1e-4


def test_batching_does_not_matter():
    x, _ = kg.data.load("digits", "test", 100)[0]
    classifier = Classifier("digits_lenet64_v1")
    whole, _ = classifier(x)
    parts, _ = classifier(x, batch_size=7)
    np.testing.assert_allclose(whole, parts, atol=1e-4)


def test_features_are_equal_on_all_backends():
    """Stored from one backend, recomputed on this one."""
    x = np.cos(np.arange(4 * 28 * 28)).reshape(4, 28, 28, 1)
    features, classes = Classifier("mnist_lenet64_v1")(x)
    np.testing.assert_allclose(features[:, :3], STORED, atol=1e-4)
    assert classes.shape == (4,)


@pytest.mark.parametrize("seed", ["", "_seed1", "_seed2"])
def test_mnist_accuracy_is_the_one_on_the_card(seed):
    pytest.importorskip("tensorflow_datasets")
    test = kg.data.load("mnist", "test", 10_000, data_dir=data_folder("tfds"))
    x, y = test[0]
    classifier = Classifier(f"mnist_lenet64_v1{seed}")
    _, classes = classifier(x[:2000])
    right = (classes == y[:2000]).mean()
    assert abs(right - classifier.card["test_accuracy"]) < 0.006


def test_bad_input(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Unknown classifier 'mnist'"):
        Classifier("mnist")
    classifier = Classifier("digits_lenet64_v1")
    with pytest.raises(ValueError, match=r"images of shape \(8, 8, 1\)"):
        classifier(np.zeros((2, 28, 28, 1)))
    with pytest.raises(ValueError, match=r"Received values in \[255, 255\]"):
        classifier(np.full((2, 8, 8, 1), 255.0))
    with pytest.raises(ValueError, match="NaN or infinity in 2 of 2"):
        classifier(np.full((2, 8, 8, 1), np.nan))

    name = "digits_lenet64_v1"
    card = json.loads((classifiers.FOLDER / f"{name}.json").read_text())
    (tmp_path / f"{name}.json").write_text(json.dumps(card))
    weights = (classifiers.FOLDER / f"{name}.weights.h5").read_bytes()
    (tmp_path / f"{name}.weights.h5").write_bytes(weights[:-1] + b"x")
    monkeypatch.setattr(classifiers, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        Classifier(name)
