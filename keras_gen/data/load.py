"""One function for the data sets people start from."""

from pathlib import Path

import numpy as np

from keras_gen.data import sources
from keras_gen.data.dataset import ImageDataset
from keras_gen.data.toy import MIXTURES
from keras_gen.data.toy import from_mixture
from keras_gen.data.toy import stack_digits


def load(
    source,
    split=None,
    batch_size=128,
    *,
    image_size=None,
    grayscale=False,
    labels=True,
    shuffle=None,
    seed=0,
    data_dir=None,
    binarize=False,
):
    """Return a data set that `fit` takes, images in [-1, 1].

    Everything is held in memory, pixels as bytes. For data that does not fit,
    build a pipeline of your own (`tf.data`, a torch `DataLoader`, a
    `keras.utils.PyDataset`) and pass it to `fit` directly.

    Args:
        source: One of
            - `"digits"`: 1,797 handwritten digits of 8x8 pixels, which come
              with scikit-learn (no download);
            - `"ring"` or `"grid"`: points of 8 or 25 Gaussians in the plane,
              float32 `(2,)`, labelled by mode (see `data.MIXTURES`);
            - `"stacked_mnist"`: three MNIST digits as one picture in colour,
              1,000 classes;
            - the name of a TensorFlow Datasets image data set, such as
              `"mnist"` or `"cifar10"` (needs TensorFlow);
            - the path of a folder of pictures; if it has sub-folders, each is
              a class, numbered in alphabetical order;
            - a NumPy array of images, uint8 or floating-point in [-1, 1], or
              a tuple `(images, labels)`;
            - anything else, returned unchanged.
        split: String. For TFDS any split, such as `"train[:10%]"`; otherwise
            `"train"` (five sixths, drawn once and for all), `"test"` (the
            rest) or `"all"`. Defaults to `"train"` for named data sets, to
            `"all"` for folders and arrays.
        batch_size: Integer of at least 1.
        image_size: Integer or (height, width) to resize to, cropping to its
            aspect ratio around the centre. Required for folders whose
            pictures differ in size.
        grayscale: Bool, whether to convert to one channel.
        labels: Bool, whether to yield `(x, y)` where there are labels;
            otherwise batches are `(x,)`.
        shuffle: Bool. Defaults to True, except for test and validation
            splits.
        seed: Integer; the order of examples follows from it and the epoch.
        data_dir: Folder of prepared TFDS data. Defaults to the environment
            variable `TFDS_DATA_DIR`, then to TFDS's own default.
        binarize: Bool, whether to draw pixels black or white, see
            `ImageDataset`. Negative log-likelihoods of MNIST are quoted for
            such pixels.

    Returns:
        `ImageDataset`, a `keras.utils.PyDataset` of `(x, y)` or `(x,)`: x
        float32 `(batch, height, width, channels)` in [-1, 1], y int32
        `(batch,)`.

    Raises:
        ValueError: If the data set is unknown or empty, the split does not
            exist, or the pictures differ in size.
        OSError: If a picture cannot be read.

    Example:
    >>> train = keras_gen.data.load("digits", batch_size=64)
    >>> x, y = train[0]
    >>> x.shape
    (64, 8, 8, 1)
    """
    size = _size(image_size)
    if isinstance(source, np.ndarray) or _is_pair_of_arrays(source):
        images, y = sources.from_arrays(source, size, grayscale)
        images, y = _take_split(images, y, split or "all")
    elif isinstance(source, Path) or _looks_like_folder(source):
        images, y = sources.from_folder(source, size, grayscale)
        images, y = _take_split(images, y, split or "all")
    elif source == "digits":
        images, y = sources.from_digits(size, grayscale)
        images, y = _take_split(images, y, split or "train")
    elif isinstance(source, str) and source in MIXTURES:
        images, y = from_mixture(source, split or "train")
    elif source == "stacked_mnist":
        images, y = sources.from_tfds(
            "mnist", split or "train", size, data_dir=data_dir
        )
        images, y = stack_digits(images, y, seed=0)
    elif isinstance(source, str):
        images, y = sources.from_tfds(
            source, split or "train", size, grayscale, data_dir
        )
    else:
        return source
    if shuffle is None:
        shuffle = not (split or "train").startswith(("test", "val"))
    return ImageDataset(
        images, y if labels else None, batch_size, shuffle, seed, binarize
    )


def _size(image_size):
    if image_size is None:
        return None
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    if len(image_size) != 2 or min(image_size) < 1:
        raise ValueError(
            "`image_size` must be a positive integer or (height, width). "
            f"Received: image_size={image_size}"
        )
    return tuple(int(side) for side in image_size)


def _is_pair_of_arrays(source):
    return (
        isinstance(source, tuple)
        and len(source) == 2
        and all(isinstance(array, np.ndarray) for array in source)
    )


_OWN = ("digits", "stacked_mnist", *MIXTURES)


def _looks_like_folder(source):
    if not isinstance(source, str) or source in _OWN:
        return False
    if "/" not in source and "\\" not in source:
        # Not any folder: that of a training on "mnist" may have this name.
        folder = Path(source)
        trained = any(
            (folder / name).exists() for name in ("run.json", "settings.json")
        )
        return sources.holds_pictures(folder) and not trained
    return Path(source).is_dir() or not sources.known_to_tfds(source)


def _take_split(images, labels, split):
    """Hold out one sixth for testing, the same one in every run."""
    order = np.random.default_rng(0).permutation(len(images))
    held_out = len(images) // 6
    rows = {
        "train": np.sort(order[held_out:]),
        "test": np.sort(order[:held_out]),
        "all": slice(None),
    }
    if split not in rows:
        raise ValueError(
            f"`split` must be one of {list(rows)}. Received: split={split!r}"
        )
    rows = rows[split]
    return images[rows], None if labels is None else labels[rows]
