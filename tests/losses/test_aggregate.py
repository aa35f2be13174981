import itertools

import numpy as np
from scipy.special import logsumexp

from keras_gen import losses
from keras_gen.training.latent import log_normal
from tests.conftest import host
from tests.conftest import tensor


def test_each_row_of_weights_sums_to_one():
    for batch, n in ((2, 2), (4, 10), (64, 20_000), (4, 3), (1, 1)):
        weights = np.exp(host(losses.stratified_log_weights(batch, n)))
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
        expected = 1 / max(n, batch)
        np.testing.assert_allclose(np.diag(weights), expected, rtol=1e-5)


def test_the_weights_are_unbiased():
    """The mean over all batches with x_0 is q(z_0), exactly."""
    n, batch = 5, 3
    densities = np.random.default_rng(0).uniform(0.1, 2, n)
    weights = np.exp(host(losses.stratified_log_weights(batch, n)))[0]
    others = list(itertools.permutations(range(1, n), batch - 1))
    estimates = [weights @ densities[[0, *rest]] for rest in others]
    np.testing.assert_allclose(np.mean(estimates), densities.mean(), rtol=1e-6)


def test_densities_of_the_aggregate_posterior():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 3))
    mean, log_var = rng.normal(size=(2, 4, 3))
    w = rng.dirichlet(np.ones(4), size=6)
    joint, marginals = losses.aggregate_log_density(
        tensor(z), tensor(mean), tensor(log_var), tensor(np.log(w))
    )
    parts = log_normal(z[:, None, :, None], mean[..., None], log_var[..., None])
    np.testing.assert_allclose(
        host(joint), logsumexp(parts.sum(-1), axis=1, b=w), rtol=1e-4
    )
    expected = logsumexp(parts, axis=1, b=w[..., None])
    np.testing.assert_allclose(host(marginals), expected, rtol=1e-4)


def test_information_is_bounded_by_the_data_set():
    """With the whole set as mixture: 0 <= MI <= ln N, and TC >= 0."""
    rng = np.random.default_rng(0)
    n = 400
    mean = rng.normal(size=(n, 2)) @ [[1.0, 0.9], [0.0, 0.4]]
    for log_var in (-8.0, 0.0, 4.0):
        log_vars = np.full((n, 2), log_var)
        z = mean + np.exp(log_var / 2) * rng.normal(size=(n, 2))
        joint, marginals = losses.aggregate_log_density(
            tensor(z), tensor(mean), tensor(log_vars), tensor([[-np.log(n)]])
        )
        information = (log_normal(z, mean, log_vars) - host(joint)).mean()
        assert -0.05 < information < np.log(n) + 1e-3
        assert (host(joint) - host(marginals).sum(axis=1)).mean() > -0.05
