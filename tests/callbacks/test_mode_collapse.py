import warnings

import numpy as np
import pytest

import keras_gen as kg
from keras_gen.callbacks.mode_collapse import mean_distance
from tests.cases import CASES

X = np.random.default_rng(0).normal(size=(7, 2, 3))


def test_mean_distance_against_a_double_loop():
    distances = [
        np.linalg.norm(X[i] - X[j])
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    np.testing.assert_allclose(mean_distance(X), np.mean(distances))


class Fixed:
    """A model that draws what it is told."""

    def __init__(self, samples):
        self.samples = samples

    def generate(self, n, seed):
        return self.samples[:n]


def test_the_ratio_and_the_warning():
    callback = kg.callbacks.ModeCollapse(X, num_samples=7)
    for scale, warns in ((0.25, True), (1.5, False)):
        callback.set_model(Fixed(scale * X + 3.0))
        logs = {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            callback.on_epoch_end(0, logs)
        np.testing.assert_allclose(logs["diversity"], scale)
        assert bool(caught) == warns
    callback.set_model(Fixed(np.ones((7, 2, 3))))
    with pytest.warns(UserWarning, match="may have collapsed"):
        callback.on_epoch_end(0, {})


def test_in_fit(digits):
    model = CASES["gan"]()
    callback = kg.callbacks.ModeCollapse(digits.images, 1e-9, 16, every=2)
    history = model.fit(
        digits, epochs=2, callbacks=[callback], verbose=0
    ).history
    assert len(history["diversity"]) == 1 and history["diversity"][0] > 0


def test_bad_arguments():
    with pytest.raises(ValueError, match="`num_samples` must be at least 2"):
        kg.callbacks.ModeCollapse(X, num_samples=1)
    with pytest.raises(ValueError, match="two different samples"):
        kg.callbacks.ModeCollapse(np.ones((4, 2)))
    with pytest.raises(ValueError, match="floating-point data"):
        kg.callbacks.ModeCollapse(np.zeros((4, 8, 8, 1), "uint8"))
    with pytest.raises(ValueError, match="`labels` must be"):
        CASES["conditional_gan"]().fit(
            np.zeros((4, 8, 8, 1)),
            np.zeros(4, int),
            callbacks=kg.callbacks.ModeCollapse(X),
            verbose=0,
        )
    with pytest.raises(ValueError, match="`threshold` must be above 0"):
        kg.callbacks.ModeCollapse(X, threshold=0)


def test_real_samples_of_another_shape():
    callback = kg.callbacks.ModeCollapse(X, num_samples=7)
    callback.set_model(Fixed(X[:, :1]))
    with pytest.raises(ValueError, match=r"\(1, 3\). Received: \(2, 3\)"):
        callback.on_train_begin()
