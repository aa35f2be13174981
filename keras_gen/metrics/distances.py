"""Distances between two sets of features."""

import numpy as np

from keras_gen.metrics.checks import as_features
from keras_gen.metrics.checks import same_width


def frechet_distance(real, generated):
    """Return the Frechet distance of the Gaussians fitted to two sets.

        |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

    with covariances over n - 1, in float64. The trace of the root is the sum
    of the singular values of S1^(1/2) S2^(1/2), with roots from symmetric
    eigendecompositions: real and finite also where a covariance is singular.
    The estimate is biased upwards by about 1/n: compare at equal sample counts
    only.

    Args:
        real: Array `(n, d)`.
        generated: Array `(m, d)`.

    Returns:
        Float of at least 0, up to rounding.

    Reference:
        Dowson and Landau, 1982; Heusel et al., GANs Trained by a Two
        Time-Scale Update Rule, 2017, arXiv:1706.08500.
    """
    real = as_features("real", real, minimum=2)
    generated = as_features("generated", generated, minimum=2)
    same_width(real, generated)
    m1, m2 = real.mean(axis=0), generated.mean(axis=0)
    s1 = np.atleast_2d(np.cov(real, rowvar=False))
    s2 = np.atleast_2d(np.cov(generated, rowvar=False))
    trace_root = np.linalg.svd(_root(s1) @ _root(s2), compute_uv=False).sum()
    distance = ((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2)
    return float(distance - 2 * trace_root)


def _root(s):
    """Return the root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(s)
    # Rounding leaves about 1e-16 in place of 0, the root of which is not small.
    noise = len(s) * np.finfo("float64").eps * max(values.max(), 0)
    values = np.where(values > noise, values, 0)
    return (vectors * np.sqrt(values)) @ vectors.T


def kernel_distance(real, generated, subset_size=1000, subsets=10, seed=0):
    """Return the unbiased kernel distance (squared MMD), and its spread.

        MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j)
                - 2 mean_{i, j} k(x_i, y_j),    k(x, y) = (x.y / d + 1)^3

    over random subsets. Unbiased, so for equal laws it scatters around 0 and
    may be negative.

    Args:
        real: Array `(n, d)`.
        generated: Array `(m, d)`.
        subset_size: Integer, samples of each set in a subset.
        subsets: Integer, how many subsets.
        seed: Integer, chooses the subsets.

    Returns:
        Tuple of floats: mean and standard deviation over the subsets.

    Raises:
        ValueError: If a set holds fewer than `subset_size` samples.

    Reference:
        Binkowski et al., Demystifying MMD GANs, 2018, arXiv:1801.01401.
    """
    if subset_size < 2 or subsets < 1:
        raise ValueError(
            "`subset_size` must be at least 2 and `subsets` at least 1. "
            f"Received: subset_size={subset_size}, subsets={subsets}"
        )
    real = as_features("real", real, minimum=subset_size)
    generated = as_features("generated", generated, minimum=subset_size)
    same_width(real, generated)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x = real[rng.choice(len(real), subset_size, replace=False)]
        y = generated[rng.choice(len(generated), subset_size, replace=False)]
        values.append(
            _off_diagonal_mean(_kernel(x, x))
            + _off_diagonal_mean(_kernel(y, y))
            - 2 * _kernel(x, y).mean()
        )
    return float(np.mean(values)), float(np.std(values))


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def _off_diagonal_mean(k):
    n = len(k)
    return (k.sum() - np.trace(k)) / (n * (n - 1))
