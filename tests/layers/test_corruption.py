import keras
import numpy as np
import pytest

from keras_gen import layers
from tests.conftest import host
from tests.conftest import tensor

GREY = np.zeros((64, 32, 32, 1), "float32")
N = GREY.size


def corrupt(layer, x=GREY, training=True):
    return host(layer(tensor(x), training=training))


def near(share, p):
    return abs(share - p) < 5 * np.sqrt(p * (1 - p) / N)


def test_masking_leaves_the_others_as_they_are():
    found = corrupt(layers.MaskingCorruption(0.3))
    assert set(np.unique(found)) == {-1.0, 0.0}
    assert near((found == 0).mean(), 0.7)


def test_salt_and_pepper_are_equally_likely():
    found = corrupt(layers.SaltAndPepper(0.4))
    assert set(np.unique(found)) == {-1.0, 0.0, 1.0}
    assert near((found == -1).mean(), 0.2) and near((found == 1).mean(), 0.2)


def test_gaussian():
    found = corrupt(layers.GaussianCorruption(0.3))
    assert abs(found.mean()) < 5 * 0.3 / np.sqrt(N)
    assert abs(found.std() - 0.3) < 0.005


@pytest.mark.parametrize(
    "make",
    [layers.GaussianCorruption, layers.MaskingCorruption, layers.SaltAndPepper],
)
def test_drawn_anew_in_training_and_not_at_all_otherwise(make):
    layer = make()
    assert not np.array_equal(corrupt(layer), corrupt(layer))
    np.testing.assert_array_equal(corrupt(layer, training=False), GREY)
    config = keras.saving.serialize_keras_object(make(0.1))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == make(0.1, name=copy.name).get_config()


def test_bad_input():
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\]"):
        layers.SaltAndPepper(1.1)
    with pytest.raises(ValueError, match="`sigma` must be a finite number"):
        layers.GaussianCorruption(-1)
