"""Divergences between distributions, in nats."""

import math

from keras import ops


def gaussian_kl(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    """Return KL(N(mean, exp(log_var)) || N(m, s^2)) of each latent.

        KL_j = 1/2 (ln(s_j^2 / sigma_j^2)
                    + (sigma_j^2 + (mean_j - m_j)^2) / s_j^2 - 1)

    With the default prior N(0, I) that is
    1/2 (mean_j^2 + sigma_j^2 - 1 - ln sigma_j^2).

    Args:
        mean: Tensor of shape `(batch, latent_dim)`.
        log_var: Tensor of the same shape, ln sigma^2.
        prior_mean: Tensor that broadcasts to it, m.
        prior_log_var: Tensor that broadcasts to it, ln s^2.

    Returns:
        Tensor of shape `(batch, latent_dim)`, at least 0. The KL divergence
        of a sample is its sum over the latents.

    Reference:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        arXiv:1312.6114, appendix B.
    """
    ratio = ops.exp(log_var - prior_log_var)
    shift = ops.square(mean - prior_mean) * ops.exp(-prior_log_var)
    return 0.5 * (prior_log_var - log_var + ratio + shift - 1.0)


def gaussian_log_density(z, mean, log_var):
    """Return ln N(z; mean, exp(log_var)) of each latent.

    Args:
        z: Tensor of shape `(..., latent_dim)`.
        mean: Tensor that broadcasts to it.
        log_var: Tensor that broadcasts to it.

    Returns:
        Tensor of the shape of `z`, in nats.
    """
    squared = ops.square(z - mean) * ops.exp(-log_var)
    return -0.5 * (math.log(2.0 * math.pi) + log_var + squared)


def log_mean_exp(x, axis):
    """Return ln of the mean of exp(x) over an axis, without overflow."""
    return ops.logsumexp(x, axis=axis) - math.log(x.shape[axis])
