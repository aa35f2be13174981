import numpy as np
import pytest

import keras_gen as kg
from keras_gen.data.toy import stack_digits


@pytest.mark.parametrize(
    "name, count, radius", [("ring", 8, 1), ("grid", 25, 4)]
)
def test_mixtures(name, count, radius):
    means, std = kg.data.MIXTURES[name]
    assert means.shape == (count, 2)
    assert len(np.unique(means.round(6), axis=0)) == count
    assert np.abs(means).max() == pytest.approx(radius)
    data = kg.data.load(name, batch_size=30_000)
    x, y = data[0]
    assert data.element_shape == (2,) and x.dtype == np.float32
    for mode in range(count):
        points = x[y == mode]
        error = std / np.sqrt(len(points))
        np.testing.assert_allclose(
            points.mean(axis=0), means[mode], atol=5 * error
        )
        np.testing.assert_allclose(points.std(axis=0), std, rtol=0.15)
    test, _ = kg.data.load(name, "test", batch_size=30_000)[0]
    assert len(test) == 5_000
    assert not np.isin(test[:, 0], x[:, 0]).all()
    with pytest.raises(ValueError, match="must be one of"):
        kg.data.load(name, "validation")


def test_stacked_digits_spell_their_label():
    labels = np.arange(50) % 10
    images = np.broadcast_to(
        labels[:, None, None, None].astype("uint8"), (50, 2, 2, 1)
    )
    stacked, numbers = stack_digits(images, labels, seed=0)
    assert stacked.shape == (50, 2, 2, 3) and stacked.dtype == np.uint8
    digits = stacked[:, 0, 0].astype(int)
    np.testing.assert_array_equal(digits @ [100, 10, 1], numbers)
    assert len(np.unique(numbers)) > 30
    again, _ = stack_digits(images, labels, seed=0)
    np.testing.assert_array_equal(stacked, again)
