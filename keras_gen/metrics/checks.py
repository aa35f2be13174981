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


def as_images(name, images):
    """Return finite images in [-1, 1] as float32 `(n, height, width, c)`."""
    images = np.asarray(images, "float32")
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"`{name}` must have the shape (n, height, width, channels), with "
            f"n of at least 1. Received: shape={images.shape}"
        )
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        bad = int((~np.isfinite(images)).any(axis=(1, 2, 3)).sum())
        raise ValueError(
            f"`{name}` must be finite. Received NaN or infinity in {bad} of "
            f"{len(images)} images"
        )
    if low < -1.001 or high > 1.001:
        raise ValueError(
            f"`{name}` must be in [-1, 1]. Received values in "
            f"[{low:g}, {high:g}]"
        )
    return images
