"""The aggregate posterior q(z) = 1/N sum_n q(z|x_n), estimated on a batch."""

from keras import ops

from keras_gen.losses.divergences import gaussian_log_density


def stratified_log_weights(batch_size, dataset_size):
    """Return ln w_bn for minibatch stratified sampling.

    The batch holds x_b itself and M = B - 1 others of the N - 1 that remain:

        w_bn = 1/N for n = b,    (N - M) / (N M) for one other n,
               1/M for the rest;    each row sums to 1

    so that sum_n w_bn q(z_b|x_n) estimates q(z_b) without bias.

    Args:
        batch_size: Integer or integer tensor, B, at least 2.
        dataset_size: Integer, N; B in its place if it is lower.

    Returns:
        float32 tensor `(B, B)`.

    Reference:
        Chen et al., Isolating Sources of Disentanglement in VAEs, 2018,
        arXiv:1802.04942, appendix C.1.
    """
    b = ops.cast(batch_size, "float32")
    # A batch of one has nothing to compare with: its own weight is 1.
    n = ops.where(b > 1.0, ops.maximum(b, float(dataset_size)), 1.0)
    row = ops.arange(batch_size)[:, None]
    column = ops.arange(batch_size)[None, :]
    m = ops.maximum(b - 1.0, 1.0)
    weights = ops.where(
        ops.equal(ops.mod(row + 1, batch_size), column),
        (n - m) / (n * m),
        1.0 / m,
    )
    return ops.log(ops.where(ops.equal(row, column), 1.0 / n, weights))


def aggregate_log_density(z, mean, log_var, log_weights):
    """Return ln q(z_b) and, for each latent, ln q(z_bj).

        q(z_b) = sum_n w_bn q(z_b|x_n),    q(z|x_n) = N(mean_n, exp(log_var_n))

    Args:
        z: Tensor `(batch, latent_dim)`.
        mean: Tensor `(components, latent_dim)`.
        log_var: Tensor of the same shape, ln sigma^2.
        log_weights: Tensor that broadcasts to `(batch, components)`.

    Returns:
        Tensors of shape `(batch,)` and `(batch, latent_dim)`.
    """
    log_q = gaussian_log_density(z[:, None], mean[None], log_var[None])
    joint = ops.logsumexp(log_weights + ops.sum(log_q, axis=-1), axis=1)
    marginals = ops.logsumexp(log_weights[..., None] + log_q, axis=1)
    return joint, marginals
