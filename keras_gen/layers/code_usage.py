"""How evenly the codes of a codebook are used, over an epoch."""

import keras
from keras import ops


class CodePerplexity(keras.metrics.Metric):
    """Return exp of the entropy of the frequencies of codes.

        perplexity = exp(-sum_k p_k ln p_k)

    between 1, one code for everything, and the number of codes. Counted over
    the epoch: that of a batch is capped by the vectors in it. Several
    codebooks are averaged.

    Args:
        sizes: Tuple of integers, the codes in each codebook.
        name: String.
    """

    def __init__(self, sizes, name="perplexity", **kwargs):
        super().__init__(name=name, **kwargs)
        self.sizes = tuple(sizes)
        self.counts = self.add_weight(
            shape=(len(sizes), max(sizes)), initializer="zeros", name="counts"
        )

    def update_state(self, counts, sample_weight=None):
        """Add counts, float `(codebooks, codes)`; weights are ignored."""
        del sample_weight
        self.counts.assign(self.counts + counts)

    def result(self):
        total = ops.sum(self.counts, axis=-1, keepdims=True)
        p = self.counts / ops.maximum(total, 1.0)
        entropy = -ops.sum(p * ops.log(ops.maximum(p, 1e-12)), axis=-1)
        return ops.mean(ops.exp(entropy))


class CodeUsage(CodePerplexity):
    """Return the share of codes that were used at all in an epoch."""

    def __init__(self, sizes, name="usage", **kwargs):
        super().__init__(sizes, name=name, **kwargs)

    def result(self):
        used = ops.sum(ops.cast(self.counts > 0, "float32"))
        return used / float(sum(self.sizes))


def count_codes(indices, sizes):
    """Return how often each code occurs.

    Args:
        indices: int32 tensor `(batch, ..., codebooks)`.
        sizes: Tuple of integers, the codes in each codebook.

    Returns:
        float32 tensor `(codebooks, max(sizes))`.
    """
    # One segment for each code of each codebook.
    first = ops.arange(len(sizes), dtype="int32") * max(sizes)
    segments = ops.reshape(ops.cast(indices, "int32") + first, (-1,))
    counts = ops.segment_sum(
        ops.ones_like(segments, dtype="float32"),
        segments,
        num_segments=len(sizes) * max(sizes),
    )
    return ops.reshape(counts, (len(sizes), max(sizes)))
