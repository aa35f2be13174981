"""Whether samples lie where the data lie, and reach all of it.

Each set is surrounded by balls: one around each point, its radius the distance
to the k-th nearest other point of the same set. A sample is inside a ball if
its distance to the centre is at most the radius, so identical sets score 1.
"""

import numpy as np
from scipy.spatial.distance import cdist

from keras_gen.metrics.checks import as_features
from keras_gen.metrics.checks import same_width

_ROWS = 1000  # rows of a distance matrix held at once


def precision_and_recall(real, generated, k=3):
    """Return the shares of each set inside the other's balls.

        precision = share of generated samples inside a ball of the real ones
        recall    = share of real samples inside a ball of the generated ones

    Args:
        real: Array `(n, d)`, n above k.
        generated: Array `(m, d)`, m above k.
        k: Integer, which neighbour sets the radii.

    Returns:
        Tuple of floats in [0, 1].

    Reference:
        Kynkaanniemi et al., Improved Precision and Recall Metric for
        Assessing Generative Models, 2019, arXiv:1904.06991.
    """
    real, generated = _check(real, generated, k)
    balls_around_generated, _ = _counts(real, generated, _radii(real, k))
    balls_around_real, _ = _counts(generated, real, _radii(generated, k))
    precision = (balls_around_generated > 0).mean()
    recall = (balls_around_real > 0).mean()
    return float(precision), float(recall)


def density_and_coverage(real, generated, k=5):
    """Return how densely the real balls are filled, and how many are.

        density  = 1 / (k m) sum over generated samples of the number of real
                   balls that hold it; may exceed 1
        coverage = share of real balls that hold a generated sample

    For equal laws the expected density is 1 and the expected coverage
    1 - prod_{i=1..k} (n - i) / (m + n - i).

    Args:
        real: Array `(n, d)`, n above k.
        generated: Array `(m, d)`, m above k.
        k: Integer, which neighbour sets the radii.

    Returns:
        Tuple of floats of at least 0.

    Reference:
        Naeem et al., Reliable Fidelity and Diversity Metrics for Generative
        Models, 2020, arXiv:2002.09797.
    """
    real, generated = _check(real, generated, k)
    balls, members = _counts(real, generated, _radii(real, k))
    return float(balls.mean() / k), float((members > 0).mean())


def _check(real, generated, k):
    if k < 1:
        raise ValueError(f"`k` must be at least 1. Received: k={k}")
    real = as_features("real", real, minimum=k + 1)
    generated = as_features("generated", generated, minimum=k + 1)
    same_width(real, generated)
    return real, generated


def _radii(points, k):
    """Return each point's distance to its k-th nearest other point."""
    radii = np.empty(len(points))
    for start in range(0, len(points), _ROWS):
        d = cdist(points[start : start + _ROWS], points)
        # Column 0 of the sorted row is the point itself, at distance 0.
        radii[start : start + _ROWS] = np.partition(d, k, axis=1)[:, k]
    return radii


def _counts(centres, points, radii):
    """Return how many balls hold each point, and how many points each ball."""
    balls = np.zeros(len(points), int)
    members = np.empty(len(centres), int)
    for start in range(0, len(centres), _ROWS):
        rows = slice(start, start + _ROWS)
        inside = cdist(centres[rows], points) <= radii[rows, None]
        balls += inside.sum(axis=0)
        members[rows] = inside.sum(axis=1)
    return balls, members
