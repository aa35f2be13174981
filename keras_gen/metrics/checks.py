"""Checks shared by the metrics."""

import numpy as np


def as_features(name, features, minimum):
    """Return features as a float64 array `(n, d)`, or raise.

    Args:
        name: String, what the argument is called.
        features: Array `(n, d)`.
        minimum: Integer, the fewest rows the metric is defined for.
    """
    features = np.asarray(features, "float64")
    if features.ndim != 2:
        raise ValueError(
            f"`{name}` must have the shape (samples, features). "
            f"Received: shape={features.shape}"
        )
    if len(features) < minimum:
        raise ValueError(
            f"`{name}` must hold at least {minimum} samples for this metric. "
            f"Received: {len(features)}"
        )
    if not np.isfinite(features).all():
        rows = int((~np.isfinite(features)).any(axis=1).sum())
        raise ValueError(
            f"`{name}` must be finite. Received NaN or infinity in {rows} of "
            f"{len(features)} samples"
        )
    return features


def same_width(real, generated):
    """Raise unless both sets of features have the same width."""
    if real.shape[1] != generated.shape[1]:
        raise ValueError(
            "`real` and `generated` must have as many features. Received: "
            f"{real.shape[1]} and {generated.shape[1]}"
        )
