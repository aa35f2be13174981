"""Read images and labels from where they are into arrays."""

import collections
import difflib
import os
import warnings
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from PIL import ImageOps

from keras_gen import checks

_SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    ".avif",
}
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


def from_digits(size=None, grayscale=False):
    """Return the digits of scikit-learn as float32 images and labels.

    Their 17 grey levels are not whole bytes, so they stay floats.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 8.0 - 1.0).astype("float32")[..., None]
    if size is not None:
        images = _prepare(_to_bytes(images), size, grayscale)
    return images, digits.target.astype("int32")


def from_arrays(source, size=None, grayscale=False):
    """Return the arrays of `source`, images with a channel axis."""
    images, labels = source if isinstance(source, tuple) else (source, None)
    labels = None if labels is None else np.asarray(labels)
    if images.ndim == 3:
        if images.shape[-1] == 3 and min(images.shape[:2]) > 3:
            raise ValueError(
                "This looks like one picture with three channels. Expected "
                f"several, (n, height, width, 3). Received: {images.shape}"
            )
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Images must have the shape (n, height, width) or (n, height, "
            f"width, 1 or 3), channels last. Received: shape={images.shape}"
        )
    check_pixels(images)
    if size is not None or (grayscale and images.shape[-1] != 1):
        images = _prepare(_to_bytes(images), size, grayscale)
    if labels is not None:
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise ValueError(
                "Labels must be integers, one for each image. Received: "
                f"dtype={labels.dtype}, shape={labels.shape} for "
                f"{len(images)} images"
            )
        labels = labels.astype("int32")
    return images, labels


def check_pixels(images):
    """Raise unless images are bytes, or floats in [-1, 1]."""
    if len(images) == 0:
        raise ValueError("The data set is empty: it has 0 examples.")
    if images.dtype == np.uint8:
        if images.max() == 1:
            raise ValueError(
                "Images of 8 bits must be in [0, 255]. Received nothing above "
                "1: multiply by 255."
            )
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            "Images must be uint8 in [0, 255] or floating-point in [-1, 1]. "
            f"Received: dtype={images.dtype}"
        )
    if not np.isfinite(images).all():
        raise ValueError("Images hold NaN or infinity.")
    checks.check_range(images, "data.load")


def list_folder(folder):
    """Return the pictures of a folder: paths, class numbers, class names.

    Without sub-folders numbers and names are None.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"There is no folder {str(folder)!r} to load pictures from."
        )
    classes = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )
    if classes and any(_is_picture(path) for path in folder.iterdir()):
        raise ValueError(
            f"{str(folder)!r} holds pictures beside the folders {classes[:3]}"
            ", so it is unclear whether those are classes. Move either away."
        )
    if classes and _SPLITS.issuperset(map(str.lower, classes)):
        raise ValueError(
            f"The folders {classes} of {str(folder)!r} look like splits and "
            f"not like classes. Pass one of them, such as "
            f"{str(folder / classes[-1])!r}."
        )
    files, labels, others = [], [], collections.Counter()
    for label, name in enumerate(classes or ["."]):
        paths = [
            path
            for path in (folder / name).iterdir()
            if path.is_file() and not path.name.startswith(".")
        ]
        # By the letters, on every system: the order decides what is held out.
        paths.sort(key=lambda path: path.name)
        found = [path for path in paths if _is_picture(path)]
        others.update(p.suffix.lower() for p in paths if not _is_picture(p))
        if not found:  # and so no class: the numbers of others would be off
            raise ValueError(
                f"The folder {str(folder / name)!r} holds no pictures "
                f"({', '.join(sorted(_SUFFIXES))}). Expected pictures, or one "
                "folder of pictures for each class; deeper ones are not read."
            )
        files += found
        labels += [label] * len(found)
    if others:
        counts = ", ".join(f"{n} {suffix}" for suffix, n in others.items())
        warnings.warn(
            f"These files in {str(folder)!r} are not read: {counts}. Pictures "
            f"end in {', '.join(sorted(_SUFFIXES))}.",
            stacklevel=3,
        )
    files = np.array(files, object)
    if not classes:
        return files, None, None
    return files, np.array(labels, "int32"), classes


def read_pictures(files, size, grayscale, source):
    """Return pictures as uint8 images; transparent ones are laid on white."""
    if len(files) == 0:
        raise ValueError(f"The split of {str(source)!r} is empty.")
    images = []
    for path in files:
        images.append(_read_picture(path, size, grayscale))
        _check_size(images, str(source))
    return np.stack(images)


def _check_size(images, source):
    """Raise if the last image differs, before all the others are read."""
    shapes = [images[0].shape, images[-1].shape]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"The images of {source!r} differ in size, for example {shapes}. "
            "Pass `image_size` (`--image-size`) to crop and resize them."
        )


def holds_pictures(folder):
    """Return whether there are any, in the folder or in those of classes."""
    return folder.is_dir() and any(
        _is_picture(path)
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
    )


def _is_picture(path):
    hidden = path.name.startswith(".")  # as macOS puts beside each file
    return path.suffix.lower() in _SUFFIXES and not hidden


def known_to_tfds(name):
    """Return whether "name/config" begins with the name of a data set."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        return False
    return name.split("/")[0] in tfds.list_builders()


def from_tfds(name, split, size=None, grayscale=False, data_dir=None):
    """Return a split of a TensorFlow Datasets image data set.

    As images, class numbers and class names, these None where it has none.
    Reads prepared data without touching the network, and prepares it if it is
    not there.
    """
    if keras.backend.backend() != "tensorflow":
        # TensorFlow only reads here, and is not to take a GPU's memory for it.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"Loading {name!r} by name needs more: pip install tensorflow "
            "tensorflow-datasets importlib_resources. Without them, use "
            "'digits', a folder of pictures or arrays."
        ) from error
    try:
        builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except (tfds.core.DatasetNotFoundError, AssertionError) as error:
        close = difflib.get_close_matches(
            name, ["digits", *tfds.list_builders()]
        )
        raise ValueError(
            f"Unknown data set {name!r}. Expected 'digits', the name of a "
            "TensorFlow Datasets image data set, or a folder of pictures"
            + (f"; did you mean {close}?" if close else ".")
        ) from error
    features = builder.info.features
    if "image" not in features:
        raise ValueError(
            f"The data set {name!r} has no feature 'image'. "
            f"Received features: {sorted(features)}"
        )
    if not builder.is_prepared():
        try:
            builder.download_and_prepare()
        except Exception as error:  # of many kinds, some no more than that
            raise OSError(
                f"TensorFlow Datasets cannot prepare {name!r}: {error}"
            ) from error
    keys = ["image"] + (["label"] if "label" in features else [])
    rows = tfds.as_numpy(
        builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding({key: True for key in keys}),
        )
    )
    images, labels = [], []
    for row in rows:
        image = row["image"]
        if size is not None or (grayscale and image.shape[-1] != 1):
            image = _prepare(image[None], size, grayscale)[0]
        images.append(image)
        _check_size(images, name)
        labels.append(row.get("label", -1))
    if not images:
        raise ValueError(f"The split {split!r} of {name!r} is empty.")
    images = np.stack(images)
    if images.dtype == np.uint8 and images.max() == 1:
        images = images * np.uint8(255)  # a set of black and white
    if "label" not in keys:
        return images, None, None
    names = getattr(features["label"], "names", None)
    return images, np.array(labels, "int32"), names


def _read_picture(path, size, grayscale):
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                raise ValueError("it has more than 8 bits a channel")
        picture = keras.utils.load_img(path, color_mode="rgba")
        ImageOps.exif_transpose(picture, in_place=True)  # of photographs
    except Exception as error:
        raise OSError(
            f"Cannot read the picture {str(path)!r}: {error}"
        ) from error
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture).convert("RGB")
    return _prepare(np.asarray(picture)[None], size, grayscale)[0]


def _prepare(images, size, grayscale):
    """Resize and convert uint8 images `(n, height, width, channels)`."""
    prepared = []
    for image in images:
        picture = Image.fromarray(
            image[..., 0] if image.shape[-1] == 1 else image
        )
        if grayscale:
            picture = picture.convert("L")
        if size is not None:
            height, width = size
            picture = ImageOps.fit(
                picture, (width, height), Image.Resampling.BILINEAR
            )
        array = np.asarray(picture)
        prepared.append(array[..., None] if array.ndim == 2 else array)
    return np.stack(prepared)


def _to_bytes(images):
    if images.dtype == np.uint8:
        return images
    return np.round((np.clip(images, -1, 1) + 1) * 127.5).astype("uint8")
