import numpy as np
import pytest

from keras_gen.metrics import frechet_distance
from keras_gen.metrics import kernel_distance

RNG = np.random.default_rng(0)
A = RNG.normal(size=(60, 5))
B = RNG.normal(size=(80, 5)) @ RNG.normal(size=(5, 5)) + 1


def gaussian_set(mean, variances):
    """Points whose sample mean and covariance (n - 1) are exact."""
    d = len(variances)
    spread = np.sqrt(np.array(variances) * (2 * d - 1) / 2)
    return np.concatenate([np.diag(spread), -np.diag(spread)]) + mean


def test_frechet_closed_form():
    """Diagonal Gaussians: |m1-m2|^2 + sum (s1 - s2)^2."""
    real = gaussian_set(np.array([1.0, 2.0, 0.0]), [1.0, 4.0, 9.0])
    fake = gaussian_set(np.array([0.0, 2.0, 2.0]), [4.0, 4.0, 1.0])
    expected = (1 + 0 + 4) + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    assert abs(frechet_distance(real, fake) - expected) < 1e-10


def test_frechet_of_correlated_gaussians_against_scipy():
    from scipy.linalg import sqrtm

    s1, s2 = np.cov(A, rowvar=False), np.cov(B, rowvar=False)
    expected = ((A.mean(0) - B.mean(0)) ** 2).sum()
    expected += np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert abs(frechet_distance(A, B) - expected) < 1e-8


def test_frechet_laws():
    assert abs(frechet_distance(A, A)) < 1e-10
    assert np.isclose(frechet_distance(A, B), frechet_distance(B, A))
    assert np.isclose(
        frechet_distance(A[::-1], B[RNG.permutation(80)]),
        frechet_distance(A, B),
    )
    rotation, _ = np.linalg.qr(RNG.normal(size=(5, 5)))
    assert np.isclose(
        frechet_distance(A @ rotation, B @ rotation), frechet_distance(A, B)
    )
    # Every sample counts, the last one too.
    assert frechet_distance(A, B[:-1]) != frechet_distance(A, B)


def test_frechet_with_fewer_samples_than_features():
    few = RNG.normal(size=(4, 64))
    assert np.isfinite(frechet_distance(few, RNG.normal(size=(5, 64))))
    assert abs(frechet_distance(few, few)) < 1e-8


def test_kernel_distance_is_the_double_sum():
    x, y = A[:7], B[:7]

    def k(a, b):
        return (a @ b / 5 + 1) ** 3

    n = 7
    expected = sum(
        k(p[i], p[j])
        for p in (x, y)
        for i in range(n)
        for j in range(n)
        if i != j
    ) / (n * (n - 1))
    expected -= 2 * sum(k(a, b) for a in x for b in y) / n**2
    mean, spread = kernel_distance(x, y, subset_size=7, subsets=2)
    assert np.isclose(mean, expected) and np.isclose(spread, 0)


def test_kernel_distance_of_equal_laws_averages_zero():
    draws = np.random.default_rng(1).normal(size=(2, 20_000, 3))
    mean, spread = kernel_distance(*draws, subset_size=100, subsets=400)
    assert abs(mean) < 4 * spread / np.sqrt(400)
    values = [kernel_distance(*draws, 100, 1, seed)[0] for seed in range(20)]
    assert min(values) < 0 < max(values)


def test_bad_input():
    with pytest.raises(ValueError, match="at least 1000 samples"):
        kernel_distance(A, B)
    with pytest.raises(ValueError, match="at least 2 samples"):
        frechet_distance(A[:1], B)
    with pytest.raises(ValueError, match="as many features"):
        frechet_distance(A, B[:, :3])
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 60"):
        frechet_distance(np.where(np.arange(60)[:, None] == 3, np.nan, A), B)
    with pytest.raises(ValueError, match="must have the shape"):
        frechet_distance(A[0], B)
