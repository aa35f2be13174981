"""How much samples of one class differ from one another."""

import numpy as np

from keras_gen.metrics.checks import as_features
from keras_gen.metrics.checks import same_width


def within_class_diversity(real, real_classes, generated, generated_classes):
    """Return how far samples of a class lie apart, relative to real ones.

        mean over classes c of  sqrt(tr cov(generated_c) / tr cov(real_c))

    The trace of the covariance is half the mean squared distance of two
    samples. 1 is as diverse as the data; 0 is one image per class. A class
    with fewer than two generated samples counts 0; one without two different
    real samples has no spread to compare with and is left out.

    Args:
        real: Array `(n, d)` of features.
        real_classes: Integer array `(n,)`.
        generated: Array `(m, d)`.
        generated_classes: Integer array `(m,)`, the labels asked for or
            those a classifier gives.

    Returns:
        Float of at least 0.
    """
    real = as_features("real", real, minimum=2)
    generated = as_features("generated", generated, minimum=1)
    same_width(real, generated)
    ratios = []
    for c in np.unique(real_classes):
        spread_real = _spread(real[real_classes == c])
        if spread_real > 0:
            spread = _spread(generated[generated_classes == c])
            ratios.append(np.sqrt(spread / spread_real))
    if not ratios:
        raise ValueError(
            "Diversity needs a class with two different real samples. "
            f"Received: {len(real)} real samples"
        )
    return float(np.mean(ratios))


def _spread(features):
    if len(features) < 2:
        return 0.0
    return float(features.var(axis=0, ddof=1).sum())
