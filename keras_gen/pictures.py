"""Turn images in [-1, 1] into files to look at."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gen.files import atomic_file


def to_grid(images, columns=None, padding=4):
    """Lay images out in rows.

    Args:
        images: Array `(n, height, width, 1 or 3)` in [-1, 1], or
            `(n, parts, height, width, 1 or 3)`, parts to lay side by side.
        columns: Integer; defaults to a square grid.
        padding: Integer, pixels of white between images.

    Returns:
        uint8 array `(grid height, grid width, 3)`; small images are enlarged
        by a whole factor to about 64 pixels each.

    Raises:
        ValueError: If `images` are not images, or hold NaN.
    """
    images = np.asarray(images, "float32")
    if images.ndim == 5:
        images = np.concatenate(list(images.swapaxes(0, 1)), axis=2)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected images of shape (n, height, width, 1 or 3). "
            f"Received: shape={images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("The images hold NaN or infinite values.")
    pixels = np.round((np.clip(images, -1, 1) + 1) * 127.5).astype("uint8")
    factor = max(1, round(64 / max(pixels.shape[1:3])))
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    n, height, width, _ = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    grid = np.full(
        (
            rows * (height + padding) + padding,
            columns * (width + padding) + padding,
            3,
        ),
        255,
        "uint8",
    )
    for i, image in enumerate(pixels):
        top = padding + (i // columns) * (height + padding)
        left = padding + (i % columns) * (width + padding)
        grid[top : top + height, left : left + width] = image
    return grid


def save_grid(path, images, columns=None):
    """Write images as one PNG, whole or not at all."""
    check_format(path)
    picture = Image.fromarray(to_grid(images, columns))
    with atomic_file(path) as temporary:
        picture.save(temporary)


def check_format(path):
    """Raise unless a picture can be written to a file of this name."""
    path = Path(path)
    Image.init()
    if Image.EXTENSION.get(path.suffix.lower()) not in Image.SAVE:
        raise ValueError(
            f"Expected the name of a picture, such as grid.png. "
            f"Received: {str(path)!r}"
        )
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder. Expected a file.")


def save_curves(path, history):
    """Plot training logs over epochs, validation logs dashed.

    Args:
        path: File to write, PNG.
        history: Dict from log name to list of one value per epoch.
    """
    from matplotlib.figure import Figure

    names = [name for name in history if not name.startswith("val_")]
    columns = min(len(names), 4)
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    for i, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, i + 1)
        for key, style in ((name, "-"), (f"val_{name}", "--")):
            if key in history:
                values = history[key]
                epochs = range(1, len(values) + 1)
                marker = "." if len(values) == 1 else None
                axes.plot(epochs, values, style, marker=marker, label=key)
        axes.set_xlabel("epoch")
        axes.legend()
    with atomic_file(path) as temporary:
        figure.savefig(temporary)


def save_animation(path, frames, seconds_per_frame=0.2):
    """Write at most 200 of some pictures as a GIF, the last frame held."""
    if len(frames) > 200:  # evenly, with the first and the last
        steps = np.linspace(0, len(frames) - 1, 200).round().astype(int)
        frames = [frames[i] for i in steps]
    pictures = [Image.open(frame).convert("RGB") for frame in frames]
    durations = [int(1000 * seconds_per_frame)] * len(pictures)
    durations[-1] = 2000
    with atomic_file(path) as temporary:
        pictures[0].save(
            temporary,
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
        )
