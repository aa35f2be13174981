"""How many modes of a known mixture samples reach."""

import numpy as np

from keras_gen.metrics.checks import as_features
from keras_gen.metrics.checks import same_width


def mode_counts(samples, means, std):
    """Assign samples to the modes of a mixture of Gaussians.

    A sample is of high quality if it lies within 3 standard deviations of a
    mean; a mode counts as covered with one such sample.

    Args:
        samples: Array `(n, d)`.
        means: Array `(modes, d)`.
        std: Float, the standard deviation of every mode.

    Returns:
        Dict: `modes`, the number covered; `high_quality`, a share in [0, 1];
        `kl`, KL(samples || uniform) of the histogram of high-quality samples
        over the modes in nats, infinite if there are none.

    Reference:
        Lin et al., PacGAN, 2018, arXiv:1712.04086.
    """
    samples = as_features("samples", samples, minimum=1)
    means = as_features("means", means, minimum=1)
    same_width(means, samples)
    distances = np.linalg.norm(samples[:, None] - means[None], axis=-1)
    good = distances.min(axis=1) <= 3 * std
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=len(means))
    return {
        "modes": int((counts > 0).sum()),
        "high_quality": float(good.mean()),
        "kl": histogram_kl(counts),
    }


def histogram_kl(counts):
    """Return KL(counts || uniform) in nats, infinite for empty counts."""
    if counts.sum() == 0:
        return float("inf")
    p = counts / counts.sum()
    seen = p > 0
    return float((p[seen] * np.log(p[seen] * len(p))).sum())
