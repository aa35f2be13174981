"""Small data whose modes are known, for counting which ones a model reaches."""

import numpy as np

_ANGLES = 2 * np.pi * np.arange(8) / 8
_STEPS = np.arange(-4.0, 5.0, 2.0)

# Name -> (means of shape (modes, 2), standard deviation of every mode).
MIXTURES = {
    "ring": (np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1), 0.01),
    "grid": (
        np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2),
        0.05,
    ),
}


def from_mixture(name, split):
    """Return points of a mixture of Gaussians in the plane, and their modes.

    `"ring"` has 8 modes on the unit circle, `"grid"` 25 on a square of side 8.
    """
    sizes = {"train": (0, 25_000), "test": (1, 5_000)}
    if split not in sizes:
        raise ValueError(
            f"`split` must be one of {list(sizes)}. Received: split={split!r}"
        )
    seed, n = sizes[split]
    rng = np.random.default_rng(seed)
    means, std = MIXTURES[name]
    modes = rng.integers(len(means), size=n)
    points = means[modes] + std * rng.normal(size=(n, 2))
    return points.astype("float32"), modes.astype("int32")


def stack_digits(images, labels, seed):
    """Make one picture in colour of every three grey ones: 1,000 modes.

    Args:
        images: uint8 array `(n, height, width, 1)`.
        labels: Integer array `(n,)` in [0, 10).
        seed: Integer, decides which are put together.

    Returns:
        uint8 images `(n, height, width, 3)`, and int32 labels in [0, 1000):
        the three digits read as one number.
    """
    rows = np.random.default_rng(seed).integers(
        len(images), size=(3, len(images))
    )
    stacked = np.concatenate([images[r] for r in rows], axis=-1)
    hundreds, tens, ones = (labels[r] for r in rows)
    return stacked, (100 * hundreds + 10 * tens + ones).astype("int32")
