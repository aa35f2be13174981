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
            - the path of a folder of pictures (PNG, JPEG, BMP, WebP, TIFF or
              AVIF of 8 bits a channel, the first frame of a GIF), which become
              RGB, what is transparent white; if it has sub-folders, each is a
              class, numbered in alphabetical order; deeper ones are not read;
            - a NumPy array of images, uint8 or floating-point in [-1, 1], or
              a tuple `(images, labels)`;
            - anything else, returned unchanged.
        split: String. For TFDS and stacked MNIST any split of TFDS, such as
            `"train[:10%]"`; for mixtures `"train"` or `"test"`; otherwise
            `"train"` (five sixths, the same ones as long as there are as
            many), `"test"` (the rest, which `evaluate` takes for unseen) or
            `"all"`. Defaults to `"train"`, to `"all"` for arrays.
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
            exist, the pictures differ in size, or an argument does not apply.
        OSError: If a picture cannot be read.
        ImportError: If TensorFlow Datasets is needed and not installed.

    Example:
    >>> train = keras_gen.data.load("digits", batch_size=64)
    >>> x, y = train[0]
    >>> x.shape
    (64, 8, 8, 1)
    """
    size = _size(image_size)
    names = None
    if isinstance(source, np.ndarray) or _is_pair_of_arrays(source):
        images, y = sources.from_arrays(source, size, grayscale)
        names = _numbers(y)
        images, y = _take_split(images, y, split or "all")
    elif isinstance(source, Path) or _looks_like_folder(source):
        files, y, names = sources.list_folder(source)
        files, y = _take_split(files, y, split or "train")
        images = sources.read_pictures(files, size, grayscale, source)
    elif source == "digits":
        images, y = sources.from_digits(size, grayscale)
        names = _numbers(y)
        images, y = _take_split(images, y, split or "train")
    elif isinstance(source, str) and source in MIXTURES:
        _refuse(source, image_size=size, grayscale=grayscale, binarize=binarize)
        images, y = from_mixture(source, split or "train")
    elif source == "stacked_mnist":
        _refuse(source, grayscale=grayscale)
        images, y, _ = sources.from_tfds(
            "mnist", split or "train", size, data_dir=data_dir
        )
        images, y = stack_digits(images, y, seed=0)
    elif isinstance(source, str):
        images, y, names = sources.from_tfds(
            source, split or "train", size, grayscale, data_dir
        )
    else:
        _refuse(
            f"a {type(source).__name__}, which is handed on as it is",
            split=split,
            image_size=size,
            grayscale=grayscale,
            binarize=binarize,
            labels=not labels,
            shuffle=shuffle,
        )
        return source
    if shuffle is None:
        shuffle = not (split or "train").startswith(("test", "val"))
    if not labels:
        y = names = None
    return ImageDataset(
        images, y, batch_size, shuffle, seed, binarize, class_names=names
    )


def _size(image_size):
    if image_size is None:
        return None
    sides = np.atleast_1d(image_size)
    if sides.dtype.kind not in "iu" or sides.size > 2 or sides.min() < 1:
        raise ValueError(
            "`image_size` must be a positive integer or (height, width). "
            f"Received: image_size={image_size!r}"
        )
    height, width = np.broadcast_to(sides, 2)
    return int(height), int(width)


def _numbers(labels):
    """Return the numbers of classes as names, None without labels."""
    if labels is None:
        return None
    if labels.min() < 0 or labels.max() >= 100_000:
        raise ValueError(
            "Labels must number the classes from 0. Received values in "
            f"[{labels.min():,}, {labels.max():,}]."
        )
    return list(map(str, range(labels.max() + 1)))


def _refuse(source, **arguments):
    """Raise if an argument was given that does not apply to a source."""
    given = [name for name, value in arguments.items() if value]
    if given:
        raise ValueError(f"{given} do not apply to {source}.")


def _is_pair_of_arrays(source):
    return (
        isinstance(source, tuple)
        and len(source) == 2
        and isinstance(source[0], np.ndarray)
        and isinstance(source[1], (np.ndarray, list))
    )


_OWN = ("digits", "stacked_mnist", *MIXTURES)


def _looks_like_folder(source):
    if not isinstance(source, str) or source in _OWN:
        return False
    folder = Path(source)
    if "/" not in source and "\\" not in source:
        # Not any folder: that of a training on "mnist" may have this name.
        if any((folder / n).exists() for n in ("run.json", "settings.json")):
            return False
        if sources.holds_pictures(folder):
            return True
        return folder.is_dir() and not sources.known_to_tfds(source)
    return folder.is_dir() or not sources.known_to_tfds(source)


def _take_split(images, labels, split):
    """Hold out one sixth for testing, the same for equal numbers."""
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
