"""Maximum mean discrepancy."""

from keras import ops


def squared_mmd(x, y):
    """Return the unbiased estimate of MMD^2 between two laws.

        MMD^2 = E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)],    x' != x, y' != y
        k(x, y) = C / (C + |x - y|^2),    C = 2 d

    with C the expected squared distance of two normal draws in d dimensions.
    It averages 0 where the laws are equal, so single estimates may fall below.

    Args:
        x: Tensor `(n, d)`.
        y: Tensor `(n, d)`.

    Returns:
        Scalar tensor; 0 for n = 1, where there are no pairs within.

    Reference:
        Gretton et al., A Kernel Two-Sample Test, 2012; the kernel is that of
        Tolstikhin et al., Wasserstein Auto-Encoders, 2017, arXiv:1711.01558.
    """
    c = 2.0 * x.shape[-1]

    def kernel(a, b):
        squared = ops.sum(ops.square(a[:, None] - b[None]), axis=-1)
        return c / (c + squared)

    n = ops.cast(ops.shape(x)[0], "float32")
    pairs = ops.maximum(n * (n - 1.0), 1.0)
    # On the diagonal k(x, x) = 1.
    within = (ops.sum(kernel(x, x)) + ops.sum(kernel(y, y)) - 2.0 * n) / pairs
    mmd = within - 2.0 * ops.mean(kernel(x, y))
    return mmd * ops.cast(n > 1.0, "float32")
