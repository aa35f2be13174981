"""Averaged weights as state of the model."""

import keras
from keras import ops


class AveragedNetworks(keras.layers.Layer):
    """Keep exponential moving averages of some networks' weights.

    After update t = 0, 1, 2, ... of the weights w the average w' becomes

        w' <- d_t w' + (1 - d_t) w,    d_t = min(decay, (1 + t) / (10 + t)),

    so that early averages follow the weights closely and forget the random
    start. Weights that are not trained, such as batch statistics, are copied.
    The average is a second network, saved and restored like any other; the
    trained one is never touched.

    Args:
        networks: Dict from name to built `keras.Model`.
        decay: Float in [0, 1), the decay that the warm-up approaches.

    Raises:
        ValueError: If the decay is out of range, or weights are of half
            precision.

    Reference:
        Polyak and Juditsky, Acceleration of Stochastic Approximation by
        Averaging, 1992. The warm-up is the one of
        `tf.train.ExponentialMovingAverage`.
    """

    def __init__(self, networks, decay, **kwargs):
        super().__init__(trainable=False, **kwargs)
        if not 0 <= decay < 1:
            raise ValueError(
                "`ema_decay` must be in [0, 1), or None for no average. "
                f"Received: ema_decay={decay}"
            )
        small = [
            f"{name}/{weight.path}: {weight.dtype}"
            for name, network in networks.items()
            for weight in network.trainable_weights
            if weight.dtype not in ("float32", "float64")
        ]
        if small:
            raise ValueError(
                "`ema_decay` needs weights of float32 at least: in fewer bits "
                'an average stops moving. Use a policy such as "mixed_bfloat16"'
                f", or `ema_decay=None`. Received: {small[0]}"
            )
        self.decay = decay
        self.updates = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", name="updates"
        )
        self.averages = {}
        for name, network in networks.items():
            average = type(network).from_config(network.get_config())
            average.set_weights(network.get_weights())
            average.trainable = False
            self.averages[name] = average
        self.built = True

    def update(self, networks):
        """Move the averages one step towards the weights of `networks`."""
        t = ops.convert_to_tensor(self.updates)
        decay = ops.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for name, average in self.averages.items():
            pairs = zip(average.weights, networks[name].weights, strict=True)
            for mean, weight in pairs:
                if weight.trainable:
                    d = ops.cast(decay, mean.dtype)
                    mean.assign(d * mean + (1 - d) * weight)
                else:
                    # A copy: JAX deletes the buffers of variables it donates.
                    mean.assign(ops.copy(weight))
        self.updates.assign(t + 1.0)
