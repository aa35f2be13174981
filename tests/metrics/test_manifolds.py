import numpy as np
import pytest

from keras_gen.metrics import density_and_coverage
from keras_gen.metrics import precision_and_recall

RNG = np.random.default_rng(0)


def test_convention():
    """A tight cluster inside a wide cloud is precise and recalls little."""
    real = RNG.normal(size=(500, 2))
    fake = 0.01 * RNG.normal(size=(500, 2))
    precision, recall = precision_and_recall(real, fake)
    assert precision > 0.95 and recall < 0.05
    recall, precision = precision_and_recall(fake, real)
    assert precision > 0.95 and recall < 0.05


def test_identical_sets_also_with_duplicates():
    x = RNG.normal(size=(50, 8))
    for points in (x, np.concatenate([x, x, x, x, x, x, x])):
        assert precision_and_recall(points, points) == (1.0, 1.0)
        assert density_and_coverage(points, points)[1] == 1.0


def test_by_brute_force():
    real, fake = RNG.normal(size=(12, 2)), RNG.normal(size=(9, 2))

    def radius(points, i, k):
        others = np.delete(points, i, axis=0)
        return sorted(np.linalg.norm(others - points[i], axis=1))[k - 1]

    def holds(centres, i, point, k):
        distance = np.linalg.norm(centres[i] - point)
        return distance <= radius(centres, i, k)

    precision = np.mean(
        [any(holds(real, i, f, 3) for i in range(12)) for f in fake]
    )
    recall = np.mean(
        [any(holds(fake, i, r, 3) for i in range(9)) for r in real]
    )
    assert precision_and_recall(real, fake) == (precision, recall)
    counts = [[holds(real, i, f, 5) for f in fake] for i in range(12)]
    density, coverage = density_and_coverage(real, fake)
    assert np.isclose(density, np.sum(counts) / (5 * 9))
    assert np.isclose(coverage, np.any(counts, axis=1).mean())


@pytest.mark.parametrize("n, m", [(200, 200), (300, 100)])
def test_equal_laws(n, m):
    """Density 1 and the closed form of coverage, in expectation."""
    densities, coverages = [], []
    for _ in range(60):
        real, fake = RNG.normal(size=(n, 3)), RNG.normal(size=(m, 3))
        density, coverage = density_and_coverage(real, fake, k=5)
        densities.append(density)
        coverages.append(coverage)
    i = np.arange(1, 6)
    expected = 1 - np.prod((n - i) / (m + n - i))
    for values, target in ((densities, 1.0), (coverages, expected)):
        error = 4 * np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - target) < error


def test_bad_input():
    x = RNG.normal(size=(5, 2))
    with pytest.raises(ValueError, match="at least 6 samples"):
        density_and_coverage(x, x, k=5)
    with pytest.raises(ValueError, match="`k` must be at least 1"):
        precision_and_recall(x, x, k=0)
