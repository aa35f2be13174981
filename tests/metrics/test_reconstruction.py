import numpy as np
import pytest

from keras_gen import metrics

RNG = np.random.default_rng(0)


def test_error_and_psnr_of_a_constant_difference():
    x = np.zeros((3, 4, 4, 1))
    y = np.full((3, 4, 4, 1), 0.2)  # 0.1 of the range
    assert metrics.mean_squared_error(x, y) == pytest.approx(0.01)
    assert metrics.psnr(x, y) == pytest.approx(20)
    assert metrics.psnr(x, x) == np.inf


def test_psnr_is_a_mean_over_images_not_of_the_error():
    x = np.zeros((2, 4, 4, 1))
    y = np.stack([np.full((4, 4, 1), 0.2), np.full((4, 4, 1), 0.02)])
    assert metrics.psnr(x, y) == pytest.approx((20 + 40) / 2, rel=1e-5)


def test_ssim_of_constants_is_the_luminance_term():
    x = np.full((1, 12, 12, 1), -0.5)  # 0.25
    y = np.full((1, 12, 12, 1), 0.5)  # 0.75
    c1 = 0.01**2
    expected = (2 * 0.25 * 0.75 + c1) / (0.25**2 + 0.75**2 + c1)
    assert metrics.ssim(x, y) == pytest.approx(expected, rel=1e-5)


def test_ssim_is_its_definition():
    x = RNG.uniform(-1, 1, (2, 13, 14, 3))
    y = np.clip(x + RNG.normal(0, 0.2, x.shape), -1, 1)
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for a, b in zip((x + 1) / 2, (y + 1) / 2, strict=True):
        for c in range(3):
            for i in range(3):
                for j in range(4):
                    p = a[i : i + 11, j : j + 11, c]
                    q = b[i : i + 11, j : j + 11, c]
                    mp, mq = (window * p).sum(), (window * q).sum()
                    vp = (window * (p - mp) ** 2).sum()
                    vq = (window * (q - mq) ** 2).sum()
                    v = (window * (p - mp) * (q - mq)).sum()
                    values.append(
                        (2 * mp * mq + 1e-4)
                        * (2 * v + 9e-4)
                        / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4))
                    )
    assert metrics.ssim(x, y) == pytest.approx(np.mean(values), abs=1e-6)
    assert metrics.ssim(x, x) == pytest.approx(1)


def test_bad_input():
    x = np.zeros((2, 8, 8, 1))
    with pytest.raises(ValueError, match="at least 11 x 11"):
        metrics.ssim(x, x)
    with pytest.raises(ValueError, match="must have the same shape"):
        metrics.psnr(x, x[:1])
    with pytest.raises(ValueError, match=r"`reconstructions` must be in \[-1"):
        metrics.psnr(x, x + 3)
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 2 images"):
        x[1, 0, 0, 0] = np.nan
        metrics.psnr(x, x)
