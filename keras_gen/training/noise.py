"""Noise for `generate`: drawn on the host, one stream a sample."""

import numpy as np


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
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r}")
    if seed < 0:
        raise ValueError(f"`seed` must be at least 0. Received: seed={seed}")
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
