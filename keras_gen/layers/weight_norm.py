"""A dense layer whose kernel is a length times a direction."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_gen")
class WeightNormDense(keras.layers.Dense):
    """`keras.layers.Dense`, and its arguments, with a kernel g v / |v|.

    A length g and a direction v for each unit, learned apart. Start from data
    with `initialize_from_data`.

    Args:
        train_scale: Bool, whether g is learned. Between layers that add noise
            it should not be: larger outputs would drown the noise.

    Reference:
        Salimans and Kingma, Weight Normalization, 2016, arXiv:1602.07868.
    """

    _normalized = None

    def __init__(self, *args, train_scale=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.train_scale = train_scale

    def build(self, input_shape):
        super().build(input_shape)
        self.g = self.add_weight(
            shape=(self.units,),
            initializer="ones",
            trainable=self.train_scale,
            name="g",
        )

    def get_config(self):
        return {**super().get_config(), "train_scale": self.train_scale}

    @property
    def kernel(self):
        # What Keras's layer multiplies by.
        normalized = self._normalized
        return super().kernel if normalized is None else normalized

    def call(self, x, training=False):
        v = ops.convert_to_tensor(self._kernel)
        length = ops.sqrt(ops.sum(ops.square(v), axis=0) + 1e-12)
        g = ops.convert_to_tensor(self.g)
        self._normalized = ops.cast(v * (g / length), self.compute_dtype)
        try:
            return super().call(x)
        finally:
            self._normalized = None

    # Those of Keras's Dense leave g out.
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)


def initialize_from_data(network, x):
    """Scale each `WeightNormDense` so that it starts with normal outputs.

        g <- 1 / s,    b <- -m / s

    with m and s the mean and standard deviation over `x` of what a unit would
    return in training, before its activation, with g = 1 and b = 0. Layer after
    layer, each behind the noise of those before it.

    Args:
        network: Functional `keras.Model`.
        x: Array of at least two inputs of the network.

    Reference:
        Salimans and Kingma, Weight Normalization, 2016, arXiv:1602.07868.
    """
    if len(x) < 2:
        raise ValueError(
            f"`x` must hold at least two samples. Received: {len(x)}"
        )
    for layer in network.layers:
        if not isinstance(layer, WeightNormDense):
            continue
        below = keras.Model(network.inputs, layer.input)
        inputs = ops.convert_to_numpy(
            below(ops.convert_to_tensor(x), training=True)
        )
        v = ops.convert_to_numpy(layer.kernel)
        outputs = inputs @ (v / np.linalg.norm(v, axis=0))
        mean, std = outputs.mean(axis=0), outputs.std(axis=0) + 1e-8
        layer.g.assign(1.0 / std)
        if layer.use_bias:
            layer.bias.assign(-mean / std)
