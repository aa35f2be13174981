import numpy as np

from keras_gen.layers import CodeDistribution
from tests.conftest import tensor

RNG = np.random.default_rng(0)
ROOT = np.array([[1.0, 0, 0], [0.7, 0.3, 0], [-2.0, 0.1, 0]])  # rank 2
MEAN = np.array([3.0, -1.0, 0.5])


def test_samples_have_the_moments_of_the_codes():
    layer = CodeDistribution(3, decay=0.9)
    z = MEAN + RNG.normal(size=(5000, 3)) @ ROOT.T
    for _ in range(5):  # few: the start at zero must not show
        layer.update(tensor(z))
    samples = layer.sample(RNG.normal(size=(200_000, 3)))
    np.testing.assert_allclose(samples.mean(axis=0), z.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(
        np.cov(samples, rowvar=False),
        np.cov(z, rowvar=False, bias=True),
        atol=0.06,
    )


def test_recent_codes_count_more():
    layer = CodeDistribution(1, decay=0.5)
    for value in (1.0, 5.0):
        layer.update(tensor(np.full((4, 1), value)))
    # Weights 1/4 and 1/2, divided by their sum.
    np.testing.assert_allclose(
        layer.sample(np.zeros((1, 1))), (0.25 * 1 + 0.5 * 5) / 0.75, rtol=1e-5
    )


def test_untrained_codes_are_standard_normal():
    eps = RNG.normal(size=(4, 2)).astype("float32")
    np.testing.assert_array_equal(CodeDistribution(2).sample(eps), eps)
