"""What is left of an image: the condition of models that restore it."""

import keras
from keras import ops

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class LowResolution(keras.layers.Layer):
    """Average squares of pixels, and repeat the averages at the old size.

    Args:
        factor: Integer, the side of a square; it must divide
            height and width.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = checks.check_positive_integer(factor, "factor")

    def call(self, images):
        height, width = images.shape[1:3]
        if height % self.factor or width % self.factor:
            raise ValueError(
                "`factor` must divide height and width. Received: "
                f"factor={self.factor}, images of shape {images.shape}"
            )
        small = ops.average_pool(
            images, self.factor, self.factor, data_format="channels_last"
        )
        tall = ops.repeat(small, self.factor, axis=1)
        return ops.repeat(tall, self.factor, axis=2)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("keras_gen")
class Grayscale(keras.layers.Layer):
    """Reduce colour to one channel of brightness, for colourisation.

    0.299 red + 0.587 green + 0.114 blue, as in ITU-R BT.601.
    """

    def call(self, images):
        if images.shape[-1] != 3:
            raise ValueError(
                "`Grayscale` takes images of 3 channels. Received: shape "
                f"{images.shape}"
            )
        red, green, blue = ops.split(images, 3, axis=-1)
        return 0.299 * red + 0.587 * green + 0.114 * blue
