"""Divergences between distributions, in nats."""

from keras import ops


def gaussian_kl(mean, log_var):
    """Return KL(N(mean, exp(log_var)) || N(0, I)) for each sample.

        KL = 1/2 sum_j (mean_j^2 + exp(log_var_j) - 1 - log_var_j)

    Args:
        mean: Tensor of shape `(batch, latent_dim)`.
        log_var: Tensor of the same shape, the log of the variances.

    Returns:
        Tensor of shape `(batch,)`, at least 0.

    Reference:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        arXiv:1312.6114, appendix B.
    """
    terms = ops.square(mean) + ops.exp(log_var) - 1.0 - log_var
    return 0.5 * ops.sum(terms, axis=-1)
