import numpy as np

from keras_gen.losses import pull_away
from keras_gen.training import backend
from tests.conftest import host
from tests.conftest import tensor


def test_against_a_double_loop():
    s = np.random.default_rng(0).normal(size=(5, 3))
    total = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                lengths = np.linalg.norm(s[i]) * np.linalg.norm(s[j])
                total += (s[i] @ s[j] / lengths) ** 2
    np.testing.assert_allclose(
        host(pull_away(tensor(s))), total / 20, rtol=1e-5
    )


def test_the_two_ends():
    assert abs(host(pull_away(tensor(2 * np.eye(4))))) < 1e-6
    same = np.repeat([[1.0, -2.0, 0.5]], 4, axis=0)
    same[1] *= -3  # the cosine is squared, and scale does not matter
    np.testing.assert_allclose(host(pull_away(tensor(same))), 1.0, rtol=1e-5)
    assert abs(host(pull_away(tensor(np.ones((1, 3)))))) < 1e-6


def test_the_gradient_of_a_code_of_zeros_is_finite():
    codes = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    gradient = backend.input_gradient(pull_away, tensor(codes))
    assert np.isfinite(host(gradient)).all()
