"""Noise for `generate`: drawn on the host, one stream a sample."""

import numpy as np
from scipy.special import ndtr
from scipy.special import ndtri

from keras_gen import checks


def noise_streams(num_samples, seed=None):
    """Return a generator of random numbers for each sample.

    Sample i draws from `numpy.random.default_rng([seed, i])`. What it draws is
    therefore the same on every backend, for every batch size, and however many
    samples are drawn after it.

    Args:
        num_samples: Integer of at least 1.
        seed: Integer of at least 0, or None to draw one from NumPy's global
            generator (which `keras.utils.set_random_seed` seeds).
    """
    if seed is None:
        seed = int(np.random.randint(2**31))
    seed = checks.check_seed(seed)
    return [np.random.default_rng([seed, i]) for i in range(num_samples)]


def draw(streams, shape):
    """Return the next normal numbers of each stream, float32 `(n, *shape)`."""
    noise = np.empty((len(streams), *shape), "float32")
    for i, stream in enumerate(streams):
        noise[i] = stream.standard_normal(shape)
    return noise


def sample_noise(num_samples, shape, seed=None):
    """Draw standard normal noise that depends only on `seed` and position.

    Args:
        num_samples: Integer of at least 1.
        shape: Tuple, the shape of one sample.
        seed: Integer of at least 0, or None, see `noise_streams`.

    Returns:
        float32 array of shape `(num_samples, *shape)`.
    """
    return draw(noise_streams(num_samples, seed), shape)


def truncate(z, truncation):
    """Return z with each entry within [-truncation, truncation].

    Normal z gets the law of normal numbers that are drawn again until they
    fall within.
    """
    if truncation is None:
        return z
    if not truncation > 0:
        raise ValueError(
            "`truncation` must be above 0, or None. "
            f"Received: truncation={truncation}"
        )
    # Of the lower half in float64, where far tails are not rounded to 1.
    below = -np.abs(np.asarray(z, "float64"))
    low, high = ndtr(-truncation), ndtr(truncation)
    below = ndtri(low + (high - low) * ndtr(below))
    return np.copysign(below, z).astype("float32")


def slerp(z0, z1, t):
    """Return sin((1 - t) w) z0 + sin(t w) z1, over sin w, w their angle.

    Along the last axis. Where a turn has no direction, of parallel or opposite
    vectors or of one of length 0, the way is straight.

    Args:
        z0: Array `(..., d)`.
        z1: Array `(..., d)`.
        t: Array that broadcasts to these, in [0, 1].
    """
    lengths = [np.linalg.norm(z, axis=-1, keepdims=True) for z in (z0, z1)]
    product = np.maximum(lengths[0] * lengths[1], 1e-30)
    cosine = (z0 * z1).sum(axis=-1, keepdims=True) / product
    w = np.arccos(np.clip(cosine, -1, 1))
    sine = np.sin(w)
    turns = (sine > 1e-4) & (lengths[0] > 0) & (lengths[1] > 0)
    sine = np.where(turns, sine, 1.0)
    a = np.where(turns, np.sin((1 - t) * w) / sine, 1 - t)
    b = np.where(turns, np.sin(t * w) / sine, t)
    return a * z0 + b * z1
