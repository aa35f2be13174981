"""Starting noise for `generate`: drawn on the host, one stream a sample."""

import numpy as np


def sample_noise(num_samples, shape, seed=None):
    """Draw standard normal noise that depends only on `seed` and position.

    Sample i comes from `numpy.random.default_rng([seed, i])`. It is therefore
    the same on every backend, for every batch size, and however many samples
    are drawn after it.

    Args:
        num_samples: Integer of at least 1.
        shape: Tuple, the shape of one sample.
        seed: Integer of at least 0, or None to draw one from NumPy's global
            generator (which `keras.utils.set_random_seed` seeds).

    Returns:
        float32 array of shape `(num_samples, *shape)`.
    """
    if seed is None:
        seed = int(np.random.randint(2**31))
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r}")
    if seed < 0:
        raise ValueError(f"`seed` must be at least 0. Received: seed={seed}")
    noise = np.empty((num_samples, *shape), "float32")
    for i in range(num_samples):
        noise[i] = np.random.default_rng([seed, i]).standard_normal(shape)
    return noise
