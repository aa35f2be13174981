import numpy as np
import pytest

from keras_gen.metrics import PixelNeighbours

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(100, 100))


def draw(n):
    """Images with correlated pixels, as real ones are."""
    return (RNG.normal(size=(n, 100)) @ MIX / 100).reshape(n, 10, 10, 1)


def test_copies_are_counted():
    train, test, fresh = draw(3000), draw(3000), draw(2000)
    neighbours = PixelNeighbours(train, test)
    of_copies, of_fresh = (neighbours.copies(x) for x in (train[:1000], fresh))
    assert of_copies["share"] == 1.0 and of_copies["authentic"] == 0.0
    assert of_copies["z"] < -30
    assert of_fresh["share"] < 0.005 and abs(of_fresh["z"]) < 4
    mixed = np.concatenate([train[:200], fresh[:1800]])
    assert abs(neighbours.copies(mixed)["share"] - 0.1) < 0.01
    distances, indices = neighbours.nearest(train[5:8])
    assert indices.tolist() == [5, 6, 7]
    np.testing.assert_allclose(distances, 0, atol=1e-5)


def test_views_are_their_definitions():
    train, test, images = draw(150), draw(30), draw(20)
    # With all 100 components kept, distances are those of the pixels.
    neighbours = PixelNeighbours(train, test, components=100)

    def distances(a, b):
        a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
        return np.linalg.norm(a[:, None] - b[None], axis=-1)

    to_train, to_test = distances(images, train), distances(images, test)
    found, nearest = neighbours.nearest(images)
    np.testing.assert_array_equal(nearest, to_train.argmin(axis=1))
    np.testing.assert_allclose(found, to_train.min(axis=1), rtol=1e-4)
    _, nearest_test = neighbours.nearest(images, among="test")
    np.testing.assert_array_equal(nearest_test, to_test.argmin(axis=1))

    threshold = np.quantile(distances(test, train).min(axis=1), 0.001)
    assert neighbours.threshold == pytest.approx(threshold, rel=1e-4)
    views = neighbours.copies(images)
    own = distances(train, train) + np.diag([np.inf] * 150)
    farther = to_train.min(axis=1) > own[nearest].min(axis=1)
    assert views["authentic"] == farther.mean()
    real = distances(test, train).min(axis=1)
    above = np.sign(to_train.min(axis=1)[:, None] - real[None]).sum()
    n, m = len(images), len(test)
    z = above / 2 / np.sqrt(n * m * (n + m + 1) / 12)
    assert abs(views["z"] - z) < 1e-6


def test_duplicates_between_train_and_test_do_not_hide_copies():
    train, test = draw(1000), draw(1000)
    test[:5] = train[:5]
    neighbours = PixelNeighbours(train, test)
    assert neighbours.copies(train[:500])["share"] == 1
    with pytest.raises(ValueError, match="no distance to tell copies by"):
        PixelNeighbours(train, train[:10])


def test_large_images_are_searched_without_a_large_covariance():
    rng = np.random.default_rng(0)
    train = rng.uniform(-1, 1, (60, 40, 40, 3)).astype("float32")
    neighbours = PixelNeighbours(train, rng.uniform(-1, 1, (50, 40, 40, 3)))
    assert neighbours.nearest(train[7:8])[1].tolist() == [7]


def test_bad_input():
    with pytest.raises(ValueError, match="at least 2 images"):
        PixelNeighbours(draw(1), draw(5))
    neighbours = PixelNeighbours(draw(20), draw(20))
    with pytest.raises(ValueError, match=r"must be in \[-1, 1\]"):
        neighbours.nearest(255 * draw(2))
    with pytest.raises(ValueError, match=r"\(n, 10, 10, 1\)"):
        neighbours.nearest(draw(2).transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match="must be finite"):
        neighbours.nearest(np.full((2, 10, 10, 1), np.nan))
