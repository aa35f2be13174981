"""Batches whose order follows from a seed and the epoch's number."""

import math

import keras
import numpy as np

from keras_gen import checks


class ImageDataset(keras.utils.PyDataset):
    """Serve arrays as float32 batches in [-1, 1], in a reproducible order.

    In epoch e the examples come in the order of
    `numpy.random.default_rng([seed, e]).permutation(n)`. `fit` of a
    `GenerativeModel` announces each epoch's number, so a resumed run sees the
    batches it would have seen. Under plain Keras epochs are counted here.

    Args:
        images: uint8 array, scaled batch by batch, or floating array already
            in [-1, 1]; shape `(n, height, width, channels)` for images, or
            any `(n, ...)`. Other integers, such as grids of codes, are served
            as they are.
        labels: Integer array `(n,)`, or None.
        batch_size: Integer of at least 1. The last batch may be smaller.
        shuffle: Bool.
        seed: Integer of at least 0.
        binarize: Bool, whether to draw each pixel black or white, white with
            the probability of its grey value ("dynamic binarisation"): anew
            in each epoch; without `shuffle` always alike, for one batch size.
        class_names: Sequence of strings, a name for each class, or None: then
            there are as many classes as the highest label says.

    Raises:
        ValueError: If the arrays are empty or disagree in length, or labels are
            no integers.
    """

    # So that `fit` on TensorFlow may hand it on as a `tf.data.Dataset`.
    serves_tuples_of_arrays = True

    def __init__(
        self,
        images,
        labels=None,
        batch_size=128,
        shuffle=True,
        seed=0,
        binarize=False,
        class_names=None,
    ):
        super().__init__()
        if len(images) == 0:
            raise ValueError("The data set is empty: it has 0 examples.")
        if labels is not None and len(labels) != len(images):
            raise ValueError(
                "There must be one label for each image. Received: "
                f"{len(images)} images and {len(labels)} labels"
            )
        if labels is not None and np.asarray(labels).dtype.kind not in "iu":
            raise ValueError("Labels must be integers, one for each image.")
        self.images = images
        self.labels = None if labels is None else np.asarray(labels)
        self.class_names = class_names
        self.batch_size = checks.check_positive_integer(
            batch_size, "batch_size"
        )
        self.shuffle = shuffle
        self.seed = checks.check_seed(seed)
        self.binarize = binarize
        if binarize and np.asarray(images[:1]).dtype.kind not in "uf":
            raise ValueError(
                "`binarize=True` needs grey values. Received: images of dtype "
                f"{images.dtype}"
            )
        self.set_epoch(0)

    @property
    def num_batches(self):
        return math.ceil(len(self.images) / self.batch_size)

    def __len__(self):
        return self.num_batches

    @property
    def element_shape(self):
        """Shape of one example."""
        return tuple(self.images.shape[1:])

    @property
    def num_classes(self):
        """Number of classes, or None without labels."""
        if self.class_names is not None:
            return len(self.class_names)
        return None if self.labels is None else int(self.labels.max()) + 1

    def set_epoch(self, epoch):
        """Take the order of examples of epoch number `epoch`."""
        self.epoch = epoch
        n = len(self.images)
        if self.shuffle:
            rng = np.random.default_rng([self.seed, epoch])
            self._order = rng.permutation(n)
        else:
            self._order = np.arange(n)

    def on_epoch_end(self):
        self.set_epoch(self.epoch + 1)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"Batch {index} of {len(self)}")
        start = index * self.batch_size
        rows = self._order[start : start + self.batch_size]
        x = self.images[rows]
        if x.dtype == np.uint8:
            x = x.astype("float32")
            x /= 127.5  # in place, of large batches there may not be two
            x -= 1.0
        if x.dtype.kind == "f":
            x = x.astype("float32", copy=False)
        if self.binarize:
            epoch = self.epoch if self.shuffle else 0
            rng = np.random.default_rng([self.seed, epoch, index + 1])
            white = rng.random(x.shape, "float32") < (x + 1.0) / 2.0
            x = np.where(white, np.float32(1), np.float32(-1))
        return (x,) if self.labels is None else (x, self.labels[rows])
