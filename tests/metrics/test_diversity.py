import numpy as np
import pytest

from keras_gen.metrics import within_class_diversity

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(3000, 5)) + 10 * (np.arange(3000) % 3)[:, None]
CLASSES = np.arange(3000) % 3


def test_the_set_itself_is_as_diverse():
    value = within_class_diversity(REAL, CLASSES, REAL, CLASSES)
    assert value == pytest.approx(1)


def test_shrinking_each_class_shrinks_it_by_as_much():
    means = 10.0 * CLASSES[:, None]
    shrunk = means + 0.3 * (REAL - means)
    value = within_class_diversity(REAL, CLASSES, shrunk, CLASSES)
    assert value == pytest.approx(0.3)


def test_it_is_half_the_mean_squared_distance():
    few, classes = REAL[:30], CLASSES[:30]
    one = few[classes == 0]
    d2 = ((one[:, None] - one[None]) ** 2).sum(axis=-1)
    mean = d2.sum() / (len(one) * (len(one) - 1))
    trace = np.trace(np.cov(one, rowvar=False))
    assert mean / 2 == pytest.approx(trace)
    spread = within_class_diversity(
        REAL[CLASSES == 0], CLASSES[CLASSES == 0], one, classes[classes == 0]
    )
    real = np.trace(np.cov(REAL[CLASSES == 0], rowvar=False))
    assert spread == pytest.approx(np.sqrt(mean / 2 / real))


def test_collapse_and_missing_classes_count_zero():
    one_each = np.repeat(REAL[:3], 100, axis=0)
    labels = np.repeat(CLASSES[:3], 100)
    value = within_class_diversity(REAL, CLASSES, one_each, labels)
    assert value == pytest.approx(0, abs=1e-9)
    rows = CLASSES < 2
    value = within_class_diversity(REAL, CLASSES, REAL[rows], CLASSES[rows])
    assert value == pytest.approx(2 / 3)


def test_bad_input():
    with pytest.raises(ValueError, match="a class with two different real"):
        within_class_diversity(REAL[[0, 0]], CLASSES[:2] * 0 + 1, REAL, CLASSES)
    with pytest.raises(ValueError, match="as many features"):
        within_class_diversity(REAL, CLASSES, REAL[:, :2], CLASSES)
