"""Write an evaluation as files to read."""

import json
import math

import keras
import numpy as np

from keras_gen._version import __version__
from keras_gen.files import write_text
from keras_gen.pictures import save_grid

_TITLES = {
    "real_train": "real: other training images",
    "real_test": "real: test images",
    "pca_gaussian": "baseline: Gaussian in at most 100 principal components",
    "model": "the model",
}
# What a name starts with -> what to read it as.
_MEANINGS = {
    "fd": "Frechet distance of features; 0 is best, and copying is rewarded.",
    "kd": "kernel distance of features, unbiased: real images scatter around "
    "0. `spread` is its standard deviation over subsets.",
    "precision": "share of samples that lie where real images lie.",
    "recall": "share of real images that lie where samples lie.",
    "density": "how densely real neighbourhoods are filled; blur raises it.",
    "coverage": "share of real neighbourhoods that hold a sample.",
    "copies": "share of samples nearer to a training image than all but 0.1 % "
    "of the test images are; 1 for training images themselves. `z` compares "
    "all such distances with those of test images: far below 0 is copying.",
    "authentic": "share of samples farther from the nearest training image "
    "than that is from its own nearest one; compare with the test images.",
    "class_accuracy": "how often a classifier sees the class asked for.",
    "diversity": "spread within a class, relative to real images.",
    "cas": "accuracy on real images of a classifier trained on the samples.",
    "reconstruction_mse": "squared error of reconstructed test images, pixels "
    "in [0, 1].",
    "psnr": "peak signal-to-noise ratio of reconstructed test images, in dB.",
    "ssim": "structural similarity of reconstructed test images, window 11.",
    "modes": "how many modes samples reach.",
    "high_quality": "share of samples within 3 standard deviations of a mode.",
    "kl": "KL divergence of the histogram over modes from the uniform one.",
}


def write_report(folder, rows, reference, samples, recipe, skipped):
    """Write `report.md`, `report.json` and the pictures they speak of.

    Args:
        folder: `pathlib.Path` of the folder to write to.
        rows: Dict from `"model"`, `"std"` and the floors to values by name.
        reference: `Reference`.
        samples: `Samples`, the first set.
        recipe: Dict of plain values, how the numbers came about.
        skipped: Dict from metrics that do not apply to the reason.
    """
    extractor = reference.extractor
    recipe = {
        **recipe,
        "dataset": reference.dataset,
        "training_images": len(reference.train),
        "test_images": len(reference.test),
        "extractor": getattr(extractor, "name", None),
        "extractor_sha256": getattr(extractor, "card", {}).get("sha256"),
        "keras_gen": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    pictures = []
    if len(reference.shape) == 3 and reference.shape[-1] in (1, 3):
        save_grid(folder / "samples.png", samples.images[:100])
        pictures.append("![Samples](samples.png)")
        if any(key.startswith("copies_") for key in rows["model"]):
            save_grid(folder / "neighbours.png", _sheet(reference, samples), 15)
            pictures.append(
                "The samples nearest to a training image, relative to the "
                "nearest test image. In threes: the sample, the training "
                "image, the test image."
                "\n\n![Nearest real images](neighbours.png)"
            )
    text = _markdown(rows, recipe, skipped, pictures)
    write_text(folder / "report.md", text + "\n")
    contents = {"recipe": recipe, "skipped": skipped, "rows": rows}
    text = json.dumps(plain(contents), indent=1)
    write_text(folder / "report.json", text + "\n")


def plain(value):
    """Return the same with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _sheet(reference, samples, n=50):
    """Return samples in threes with their nearest real images.

    Those far nearer to a training image than to any test image come first:
    by distance alone, all would be of the simplest class.
    """
    neighbours = reference.neighbours
    to_train, train = neighbours.nearest(samples.images)
    to_test, test = neighbours.nearest(samples.images, among="test")
    first = np.argsort(to_train / np.maximum(to_test, 1e-12))[:n]
    threes = [
        samples.images[first],
        reference.train[train[first]],
        reference.test[test[first]],
    ]
    return np.stack(threes, axis=1).reshape(-1, *reference.shape)


def _markdown(rows, recipe, skipped, pictures):
    model, std = rows["model"], rows["std"]
    floors = [name for name in _TITLES if name in rows and name != "model"]
    lines = [
        f"# {recipe['model']} on {recipe['dataset']}",
        "",
        f"{recipe['num_samples']} samples with each of the seeds "
        f"{recipe['seeds']}; mean ± standard deviation over the seeds. Compare "
        "values of the same name only.",
        "",
        "| metric | the model | " + " | ".join(floors) + " |",
        "|---" * (2 + len(floors)) + "|",
    ]
    for key in model:
        if "/" in key:  # per class
            continue
        cells = [_number(model[key])]
        if key in std:
            cells[0] += f" ± {_number(std[key])}"
        cells += [_floor(rows[name], key) for name in floors]
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    classes = {k: v for k, v in model.items() if "/" in k}
    if classes:
        text = ", ".join(
            f"{key.rpartition('_')[2]}: {value:.3f}"
            for key, value in classes.items()
        )
        lines += ["", f"Accuracy by class: {text}."]
    lines += ["", *(f"- {name}: {_TITLES[name]}" for name in floors), ""]
    shown = [
        f"- {name}: {meaning}"
        for name, meaning in _MEANINGS.items()
        if any(key.startswith(f"{name}_") for key in model)
    ]
    lines += shown
    if skipped:
        lines += ["", "Not measured:", ""]
        lines += [f"- {name}: {reason}" for name, reason in skipped.items()]
    for picture in pictures:
        lines += ["", picture]
    lines += ["", "## Recipe", ""]
    lines += [f"- {key}: {value}" for key, value in recipe.items()]
    return "\n".join(lines)


def _floor(row, key):
    """Return a floor's cell, with its own count where that is another."""
    if key in row:
        return _number(row[key])
    stem, _, _ = key.removesuffix("_spread").rpartition("_")
    for other, value in row.items():
        start, _, n = other.removesuffix("_spread").rpartition("_")
        if start == stem and other.endswith("_spread") == key.endswith(
            "_spread"
        ):
            return f"{_number(value)} (n={n})"
    return ""


def _number(value):
    return f"{value:.4g}"
