"""Watch a model learn: a grid of samples after each epoch."""

import keras
import numpy as np

from keras_gen import checks
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.files import make_folder
from keras_gen.pictures import save_animation
from keras_gen.pictures import save_grid
from keras_gen.pictures import to_grid


class ImageGrid(keras.callbacks.Callback):
    """Write a grid of samples after every n epochs.

    The seed is fixed, so the same latents are drawn each time and the
    pictures `samples-0001.png`, `samples-0002.png`, ... show one grid change.

    Args:
        folder: Folder to write to; created if need be.
        num_images: Integer, images in the grid; 0 for reconstructions only,
            as of a model that cannot draw yet.
        every: Integer, epochs between grids.
        seed: Integer, passed to `generate`.
        reconstruct: Array of images `(n, height, width, channels)` in [-1, 1],
            or tuple of it and labels, or None. If given, and the model has
            `reconstruct`, the pictures `reconstructions-0001.png` show them in
            the odd rows, and what the model makes of them below.
        trajectories: Integer: of so many samples of a model that removes noise
            the pictures `trajectories-0001.png` show, a row each, what it took
            the data for on the way.
        gif: Bool, whether to join the grids into `samples.gif` when training
            ends.
        use_ema: Bool, whether to draw with averaged weights; None for "if the
            model keeps any".
        **generate_arguments: Passed to `model.generate`, for example `labels`.

    Raises:
        OSError: When training begins, if the folder cannot be written to.
        ValueError: When training begins, if the model cannot draw these.
    """

    def __init__(
        self,
        folder,
        num_images=64,
        every=1,
        seed=0,
        reconstruct=None,
        trajectories=0,
        gif=False,
        use_ema=None,
        **generate_arguments,
    ):
        super().__init__()
        self.folder = folder
        self.num_images = num_images
        self.every = checks.check_positive_integer(every, "every")
        self.seed = seed
        self.reconstruct = reconstruct
        self.trajectories = trajectories
        self.gif = gif
        self.arguments = {"use_ema": use_ema, **generate_arguments}

    def on_train_begin(self, logs=None):
        self.folder = make_folder(self.folder)
        self._last = np.inf
        # An epoch is a long time to find out that the model cannot draw.
        images = self._samples()
        if images is not None:
            to_grid(images[:1])
        self._trajectories()
        self._reconstructions()

    def on_epoch_end(self, epoch, logs=None):
        self._last = epoch + 1
        if (epoch + 1) % self.every or not_finite(logs, self.model):
            return
        images = self._samples()
        if images is not None:
            save_grid(self.folder / f"samples-{epoch + 1:04d}.png", images)
        frames = self._trajectories()
        if frames is not None:
            save_grid(
                self.folder / f"trajectories-{epoch + 1:04d}.png",
                frames.reshape(-1, *frames.shape[2:]),
                columns=frames.shape[1],
            )
        rows = self._reconstructions()
        if rows is not None:
            file = self.folder / f"reconstructions-{epoch + 1:04d}.png"
            save_grid(file, np.concatenate(rows), columns=len(rows[0]))

    def _samples(self):
        if not self.num_images:
            return None
        return self.model.generate(
            self.num_images, seed=self.seed, **self.arguments
        )

    def _reconstructions(self):
        """Return rows of images, each with one of what is made of them."""
        if self.reconstruct is None or not hasattr(self.model, "reconstruct"):
            return None
        originals, options = self.reconstruct, {}
        if isinstance(originals, tuple):
            originals, *labels = originals
            if labels and self.model.num_classes is not None:
                options["labels"] = labels[0]
        originals = np.asarray(originals)
        copies = self.model.reconstruct(
            originals, use_ema=self.arguments["use_ema"], **options
        )
        columns = min(len(originals), 10)
        # The last row may be shorter: white to its end.
        blank = np.ones((-len(originals) % columns, *originals.shape[1:]))
        both = (np.concatenate([x, blank]) for x in (originals, copies))
        pairs = zip(
            *(x.reshape(-1, columns, *x.shape[1:]) for x in both), strict=True
        )
        return [row for pair in pairs for row in pair]

    def _trajectories(self):
        """Return samples on their way, `(n, frames, *shape)`."""
        if not self.trajectories or not hasattr(
            self.model, "denoising_trajectory"
        ):
            return None
        n, arguments = self.trajectories, dict(self.arguments)
        for name in ("labels", "condition"):  # one for each image of the grid
            if np.ndim(arguments.get(name)):
                arguments[name] = np.asarray(arguments[name])[:n]
        return self.model.denoising_trajectory(n, seed=self.seed, **arguments)

    def on_train_end(self, logs=None):
        # Not those of a longer training in the folder before.
        frames = sorted(
            path
            for path in self.folder.glob("samples-*.png")
            if path.stem[8:].isdecimal() and int(path.stem[8:]) <= self._last
        )
        if self.gif and frames:
            save_animation(self.folder / "samples.gif", frames)
