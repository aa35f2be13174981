import numpy as np

from keras_gen.losses import squared_mmd
from tests.conftest import host
from tests.conftest import tensor


def brute_force(x, y):
    def k(a, b):
        c = 2 * len(a)
        return c / (c + ((a - b) ** 2).sum())

    n = len(x)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    within = np.mean([k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs])
    across = np.mean([k(a, b) for a in x for b in y])
    return within - 2 * across


def test_against_the_sum_over_pairs():
    x, y = np.random.default_rng(0).normal(size=(2, 7, 3))
    np.testing.assert_allclose(
        host(squared_mmd(tensor(x), tensor(y + 1))),
        brute_force(x, y + 1),
        rtol=1e-5,
    )


def test_it_averages_zero_for_equal_laws():
    rng = np.random.default_rng(0)
    values = [
        float(
            host(squared_mmd(*(tensor(rng.normal(size=(8, 2))) for _ in "xy")))
        )
        for _ in range(400)
    ]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 4 * np.std(values) / 20


def test_one_code_says_nothing_of_a_law():
    x, y = np.random.default_rng(0).normal(size=(2, 1, 3))
    assert host(squared_mmd(tensor(x), tensor(y))) == 0
