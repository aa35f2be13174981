import numpy as np
import pytest

from keras_gen.metrics import PixelNeighbours

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(100, 100))


def draw(n):
    """Images with correlated pixels, as real ones are."""
    return (RNG.normal(size=(n, 100)) @ MIX / 10).reshape(n, 10, 10, 1)


def test_copies_are_counted():
    train, test, fresh = draw(3000), draw(3000), draw(2000)
    neighbours = PixelNeighbours(train, test)
    assert neighbours.share_of_copies(train[:1000]) == 1.0
    assert neighbours.share_of_copies(fresh) < 0.005
    mixed = np.concatenate([train[:200], fresh[:1800]])
    assert abs(neighbours.share_of_copies(mixed) - 0.1) < 0.01
    distances, indices = neighbours.nearest(train[5:8])
    assert indices.tolist() == [5, 6, 7]
    np.testing.assert_allclose(distances, 0, atol=1e-5)


def test_bad_input():
    with pytest.raises(ValueError, match="at least 2 images"):
        PixelNeighbours(draw(1), draw(5))
    neighbours = PixelNeighbours(draw(20), draw(20))
    with pytest.raises(ValueError, match="must be finite"):
        neighbours.nearest(np.full((2, 10, 10, 1), np.nan))
