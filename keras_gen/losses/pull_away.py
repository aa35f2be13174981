"""A term that pulls codes apart."""

from keras import ops


def pull_away(codes):
    """Return the mean squared cosine between different rows.

        PT = 1 / (N (N - 1)) sum_{i != j} (s_i . s_j / (|s_i| |s_j|))^2

    0 for orthogonal rows, 1 for parallel ones; 0 for a single row, of which
    there are no pairs.

    Args:
        codes: Float tensor `(N, dim)`.

    Reference:
        Zhao et al., Energy-based Generative Adversarial Network, 2016,
        arXiv:1609.03126.
    """
    squared = ops.sum(ops.square(codes), axis=-1, keepdims=True)
    unit = codes * ops.rsqrt(ops.maximum(squared, 1e-24))
    squares = ops.square(ops.matmul(unit, ops.transpose(unit)))
    n = ops.cast(ops.shape(codes)[0], squares.dtype)
    own = ops.sum(ops.square(ops.sum(ops.square(unit), axis=-1)))
    return (ops.sum(squares) - own) / ops.maximum(n * (n - 1.0), 1.0)
