"""How far reconstructions are from their originals."""

import numpy as np
from scipy.ndimage import gaussian_filter

from keras_gen.metrics.checks import as_images

_RADIUS = 5  # of the window, which has 11 x 11 pixels


def mean_squared_error(images, reconstructions):
    """Return the mean over all pixels of the squared difference.

    Args:
        images: Array `(n, height, width, channels)` in [-1, 1]; the error is
            that of pixels scaled to [0, 1].
        reconstructions: Array of the same shape.
    """
    x, y = _pair(images, reconstructions)
    return float(np.mean((x - y) ** 2, dtype="float64"))


def psnr(images, reconstructions):
    """Return the peak signal-to-noise ratio in dB, mean over the images.

        PSNR = 10 log10(1 / MSE)

    per image, pixels in [0, 1]. Infinite if an image is reproduced exactly.

    Args:
        images: Array `(n, height, width, channels)` in [-1, 1].
        reconstructions: Array of the same shape.
    """
    x, y = _pair(images, reconstructions)
    mse = np.mean((x - y) ** 2, axis=(1, 2, 3), dtype="float64")
    with np.errstate(divide="ignore"):
        return float(np.mean(-10 * np.log10(mse)))


def ssim(images, reconstructions):
    """Return the structural similarity, mean over the images.

        SSIM = (2 mx my + C1) (2 sxy + C2)
               / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2))

    with means and (co)variances in an 11 x 11 Gaussian window of standard
    deviation 1.5 that lies inside the image, C1 = 0.01^2, C2 = 0.03^2, pixels
    in [0, 1], channel by channel.

    Args:
        images: Array `(n, height, width, channels)` in [-1, 1], at least 11
            pixels high and wide.
        reconstructions: Array of the same shape.

    Returns:
        Float in [-1, 1], 1 for equal images.

    Reference:
        Wang et al., Image Quality Assessment: From Error Visibility to
        Structural Similarity, 2004.
    """
    x, y = _pair(images, reconstructions)
    side = 2 * _RADIUS + 1
    if min(x.shape[1:3]) < side:
        raise ValueError(
            f"SSIM needs images of at least {side} x {side} pixels. "
            f"Received: shape={x.shape}"
        )
    # One image at a time: the windows of 10,000 at once would take gigabytes.
    return float(np.mean([_ssim(a, b) for a, b in zip(x, y, strict=True)]))


def _ssim(x, y):
    x, y = x.astype("float64"), y.astype("float64")
    mx, my = _window(x), _window(y)
    sxx = _window(x * x) - mx * mx
    syy = _window(y * y) - my * my
    sxy = _window(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    values = (2 * mx * my + c1) * (2 * sxy + c2)
    values /= (mx * mx + my * my + c1) * (sxx + syy + c2)
    return values.mean()


def _window(x):
    """Return the mean over the window around each pixel that has one."""
    means = gaussian_filter(x, (1.5, 1.5, 0), radius=(_RADIUS, _RADIUS, 0))
    return means[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _pair(images, reconstructions):
    images = as_images("images", images)
    reconstructions = as_images("reconstructions", reconstructions)
    if images.shape != reconstructions.shape:
        raise ValueError(
            "`images` and `reconstructions` must have the same shape. "
            f"Received: {images.shape} and {reconstructions.shape}"
        )
    return (images + 1) / 2, (reconstructions + 1) / 2
