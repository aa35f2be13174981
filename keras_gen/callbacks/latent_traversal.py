"""Watch what each latent stands for."""

import keras
import numpy as np

from keras_gen import checks
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.files import make_folder
from keras_gen.pictures import save_grid


class LatentTraversal(keras.callbacks.Callback):
    """Write one image with each latent changed in turn, every n epochs.

    The pictures `traversal-0001.png`, ... have a row for each latent and a
    column for each value, see the model's `traverse`.

    Args:
        folder: Folder to write to; created if need be.
        image: Array `(height, width, channels)` in [-1, 1].
        label: Integer, its class, for conditional models.
        dimensions: Sequence of integers, the latents to show; all by default.
        values: Sequence of floats; 7 from -3 to 3 by default.
        every: Integer, epochs between pictures.
        use_ema: Bool, whether to use averaged weights; None for "if the model
            keeps any".

    Raises:
        OSError: When training begins, if the folder cannot be written to.
        ValueError: When training begins, if the model has no latents.
    """

    def __init__(
        self,
        folder,
        image,
        label=None,
        dimensions=None,
        values=None,
        every=1,
        use_ema=None,
    ):
        super().__init__()
        self.folder = folder
        self.image = image
        self.every = checks.check_positive_integer(every, "every")
        self.arguments = {
            "dimensions": dimensions,
            "values": values,
            "labels": label,
            "use_ema": use_ema,
        }

    def on_train_begin(self, logs=None):
        if not hasattr(self.model, "traverse"):
            raise ValueError(
                f"`{type(self.model).__name__}` has no latents to traverse."
            )
        self.folder = make_folder(self.folder)
        self._images()  # raises now rather than after an epoch

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every or not_finite(logs, self.model):
            return
        images = self._images()
        save_grid(
            self.folder / f"traversal-{epoch + 1:04d}.png",
            images.reshape(-1, *images.shape[2:]),
            columns=images.shape[1],
        )

    def _images(self):
        image = np.asarray(self.image)[None]
        return self.model.traverse(image, **self.arguments)[0]
