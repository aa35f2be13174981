"""The running mean of a network's weights, as a term of its loss."""

import keras
from keras import ops


class HistoricalAverage(keras.layers.Layer):
    """Charge weights w_t for their distance from their mean so far.

        |w_t - 1/t sum_{i <= t} w_i|^2

    The sum of all weights, t and this term are of the moment before a step;
    gradients do not flow through the mean.

    Args:
        variables: List of `keras.Variable`, for their shapes.

    Reference:
        Salimans et al., Improved Techniques for Training GANs, 2016,
        arXiv:1606.03498.
    """

    def __init__(self, variables, **kwargs):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.steps = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", name="steps"
        )
        self.sums = [
            self.add_weight(
                shape=v.shape,
                initializer="zeros",
                dtype="float32",
                name=f"sum_{i}",
            )
            for i, v in enumerate(variables)
        ]
        self.built = True

    def call(self, variables):
        """Return the term for the weights as they are, and remember them."""
        t = ops.convert_to_tensor(self.steps) + 1.0
        terms = []
        for total, variable in zip(self.sums, variables, strict=True):
            w = ops.cast(ops.convert_to_tensor(variable), "float32")
            new = ops.convert_to_tensor(total) + ops.stop_gradient(w)
            terms.append(ops.sum(ops.square(w - new / t)))
            total.assign(new)
        self.steps.assign(t)
        return ops.sum(ops.stack(terms))
