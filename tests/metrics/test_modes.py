import math

import numpy as np
import pytest

from keras_gen.metrics import mode_counts

ANGLES = 2 * np.pi * np.arange(8) / 8
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
RNG = np.random.default_rng(0)


def test_the_true_mixture_covers_all():
    x = RING[RNG.integers(8, size=2500)] + 0.01 * RNG.normal(size=(2500, 2))
    result = mode_counts(x, RING, 0.01)
    assert result["modes"] == 8
    # Within 3 standard deviations in two dimensions: 1 - exp(-9/2).
    assert abs(result["high_quality"] - (1 - math.exp(-4.5))) < 0.01
    assert 0 <= result["kl"] < 0.01


def test_one_mode():
    result = mode_counts(np.repeat(RING[:1], 10, axis=0), RING, 0.01)
    assert result["modes"] == 1 and result["high_quality"] == 1
    assert math.isclose(result["kl"], math.log(8))


def test_no_sample_of_quality():
    result = mode_counts(np.zeros((5, 2)), RING, 0.01)
    assert result == {"modes": 0, "high_quality": 0.0, "kl": math.inf}
    with pytest.raises(ValueError, match="at least 1 samples"):
        mode_counts(np.zeros((0, 2)), RING, 0.01)
