import numpy as np

from keras_gen.losses import gaussian_kl
from tests.conftest import host
from tests.conftest import tensor


def test_kl_equals_monte_carlo():
    """KL = E_q[ln q(z) - ln p(z)], estimated with 400,000 draws."""
    mean = np.array([[0.7, -1.2, 0.1]], "float32")
    log_var = np.array([[-0.5, 0.4, -2.0]], "float32")
    rng = np.random.default_rng(0)
    sigma = np.exp(0.5 * log_var)
    z = mean + sigma * rng.standard_normal((400_000, 3))
    log_q = -0.5 * (((z - mean) / sigma) ** 2 + log_var)
    log_p = -0.5 * z**2
    terms = (log_q - log_p).sum(axis=-1)
    error = 4 * terms.std() / np.sqrt(len(terms))
    assert (
        abs(
            host(gaussian_kl(tensor(mean), tensor(log_var)))[0].sum()
            - terms.mean()
        )
        < error
    )


def test_kl_vanishes_only_at_equality():
    zero = tensor(np.zeros((1, 4)))
    assert host(gaussian_kl(zero, zero))[0].sum() == 0
    assert host(gaussian_kl(zero + 0.01, zero))[0].sum() > 0
    assert host(gaussian_kl(zero, zero + 0.01))[0].sum() > 0
    assert host(gaussian_kl(zero, zero - 0.01))[0].sum() > 0
