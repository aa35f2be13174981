"""Convolutions that see only pixels before their own, in reading order."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_gen")
class MaskedConv2D(keras.layers.Conv2D):
    """Convolve with the weights of later pixels, and maybe one's own, at 0.

    Args:
        filters: Integer.
        kernel_size: Odd integer or two.
        mask: `"A"` hides the pixel itself, for a first layer; `"B"` shows it.
            `"above"` shows the rows above only.
        **kwargs: As for `keras.layers.Conv2D`; padding is "same".

    Reference:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016,
        arXiv:1601.06759.
    """

    def __init__(self, filters, kernel_size, mask="B", **kwargs):
        kwargs.pop("padding", None)
        super().__init__(filters, kernel_size, padding="same", **kwargs)
        if mask not in ("A", "B", "above"):
            raise ValueError(
                f"`mask` must be 'A', 'B' or 'above'. Received: mask={mask!r}"
            )
        self.mask = mask
        height, width = self.kernel_size
        if not height % 2 or not width % 2:
            raise ValueError(
                "`kernel_size` must be odd: the pixel is in the middle. "
                f"Received: kernel_size={kernel_size}"
            )
        pattern = np.zeros((height, width, 1, 1), "float32")
        pattern[: height // 2] = 1.0
        if mask != "above":
            pattern[height // 2, : width // 2 + (mask == "B")] = 1.0
        self._pattern = pattern

    def convolution_op(self, inputs, kernel):
        # In the product: assigning to the kernel would be undone by the
        # optimizer's momentum.
        pattern = ops.cast(self._pattern, self.compute_dtype)
        return super().convolution_op(inputs, kernel * pattern)

    def get_config(self):
        config = super().get_config()
        config.pop("padding")
        return {**config, "mask": self.mask}


@keras.saving.register_keras_serializable("keras_gen")
class GatedActivation(keras.layers.Layer):
    """Return tanh(a) sigmoid(b) of the two halves of the channels."""

    def call(self, x):
        a, b = ops.split(x, 2, axis=-1)
        return ops.tanh(a) * ops.sigmoid(b)

    def compute_output_shape(self, input_shape):
        return *input_shape[:-1], input_shape[-1] // 2
