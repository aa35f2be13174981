"""A decoder made of its encoder's weights."""

import math

import keras
from keras import ops


class TransposedDense(keras.layers.Layer):
    """Return activation(h W^T + b) with the kernel W of a `Dense` layer.

    The bias is its own. Not to be saved on its own: it would lose the tie.

    Args:
        dense: Built `keras.layers.Dense`.
        activation: Keras activation.
    """

    def __init__(self, dense, activation, **kwargs):
        super().__init__(**kwargs)
        self.dense = dense
        self.activation = keras.activations.get(activation)
        self.bias = self.add_weight(
            shape=(dense.kernel.shape[0],), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, h):
        kernel = ops.cast(self.dense.kernel, self.compute_dtype)
        return self.activation(ops.matmul(h, ops.transpose(kernel)) + self.bias)


def tied_decoder(encoder):
    """Return the mirror image of a fully connected encoder.

        h_l = a_l(W_l h_{l-1} + b_l)   is undone by   a_{l-1}(W_l^T h_l + b'_l)

    The last layer is linear, as the likelihoods expect.

    Args:
        encoder: `keras.Model` of `Flatten` and `Dense` layers one after
            another, from images to codes.

    Returns:
        `keras.Model` from codes to tensors of the shape of the images.

    Raises:
        ValueError: If `encoder` holds other layers, or several outputs.
    """
    known = (
        keras.layers.InputLayer,
        keras.layers.Flatten,
        keras.layers.Dense,
    )
    others = [layer for layer in encoder.layers if not isinstance(layer, known)]
    if others or len(encoder.outputs) != 1 or len(encoder.inputs) != 1:
        raise ValueError(
            "Tied weights need an encoder of Flatten and Dense layers with "
            "one input and output. Received: "
            f"{[layer.name for layer in encoder.layers]}"
        )
    dense = [
        layer
        for layer in encoder.layers
        if isinstance(layer, keras.layers.Dense)
    ]
    shape = encoder.inputs[0].shape[1:]
    below = ["linear", *(layer.activation for layer in dense)]
    x = z = keras.Input(encoder.outputs[0].shape[1:])
    for layer, activation in zip(dense[::-1], below[-2::-1], strict=True):
        x = TransposedDense(layer, activation)(x)
    if math.prod(shape) != x.shape[-1]:
        raise ValueError("The layers of `encoder` must follow one another.")
    return keras.Model(z, keras.layers.Reshape(shape)(x))
