"""What the recipes of the zoo share: arguments, files, and the card."""

import argparse
import ast
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from keras_gen.callbacks import Checkpoint
from keras_gen.hub import from_preset
from keras_gen.metrics import evaluate
from keras_gen.pictures import save_grid
from keras_gen.recipes import denoises

_DATA = {
    "mnist": {
        "licence": "CC BY-SA 3.0",
        "use": "Teaching, and a baseline to compare with.",
        "limits": "Knows the 28x28 digits of MNIST and nothing else.",
    },
    "cifar10": {
        "class_names": [
            *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog"),
            *("horse", "ship", "truck"),
        ],
        "licence": "not stated by its authors",
        "use": "Teaching, and a baseline to compare with.",
        "limits": "Knows ten classes of 32x32 pictures, here of a copy that "
        "was compressed as JPEG once more: not for comparison with published "
        "figures.",
    },
    "noto_emoji": {
        "licence": "Apache-2.0; region flags are in the public domain",
        "use": "Teaching.",
        "limits": "Learnt from at most 3,583 pictures; draws shapes like "
        "emoji.",
    },
}


class Entry:
    """One entry of the zoo while its recipe runs.

    Reads `--epochs N`, at most N epochs in each phase, to try a recipe, and
    `--out FOLDER`, where to leave the entry in place of the recipe's own
    folder, or of `runs/<entry>_trial` if it is a trial. Checkpoints go to
    `runs/<entry>` below the working directory, where the recipe goes on after
    an interruption.

    Args:
        script: Path of the recipe, its `__file__`. The first line of its
            docstring says what the entry is.
        data: Name of the data set.
        options: Dict from further arguments, such as `"--seed"`, to defaults.
        binarized: Bool, whether it learns pixels that are black or white.
    """

    def __init__(self, script, data, options=None, binarized=False):
        if data not in _DATA:
            raise ValueError(
                f"Unknown data set {data!r}: its licence, use and limits must "
                f"be in `entries._DATA`, beside those of {list(_DATA)}."
            )
        script = Path(script).resolve()
        parser = argparse.ArgumentParser(
            description=ast.get_docstring(ast.parse(script.read_text())),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--epochs", type=int, help="at most, for a trial")
        parser.add_argument("--out", type=Path, help="where to leave the entry")
        for name, default in (options or {}).items():
            parser.add_argument(name, type=type(default), default=default)
        self.args = parser.parse_args()
        self.name = script.parent.name
        self.folder, self.runs = script.parent, Path("runs") / self.name
        if self.args.epochs is not None:  # apart from the entry and its run
            self.folder = Path("runs") / f"{self.name}_trial"
        if self.args.out is not None:
            self.folder = self.args.out
        if self.args.epochs is not None:
            self.runs = self.folder / "runs"
        self.folder.mkdir(parents=True, exist_ok=True)
        # Without where folders are on this machine.
        shown = [Path(a).name if Path(a).is_absolute() else a for a in sys.argv]
        self._start = time.perf_counter()
        self._phases, self._checkpoints, self._metrics = [], [], []
        self._about = {
            "summary": parser.description.splitlines()[0],
            "data": data,
            "binarized": binarized,
            **_DATA[data],
            "command": " ".join(
                ["python", f"zoo/{self.name}/train.py", *shown[1:]]
            ),
            "seed": getattr(self.args, "seed", 0),
            "hardware": hardware(),
        }

    def epochs(self, number):
        """Return the epochs of the next phase: `number`, or `--epochs`."""
        if self.args.epochs is not None:
            number = min(number, self.args.epochs)
        self._phases.append(number)
        return number

    def checkpoint(self, phase="", every=1):
        """Return the callback by which a phase resumes."""
        callback = Checkpoint(
            self.runs / "checkpoints" / str(phase), every=every
        )
        self._checkpoints.append(callback)
        return callback

    def fit(
        self,
        model,
        data,
        epochs,
        rate,
        phase="",
        every=1,
        alpha=0.0,
        callbacks=(),
        **adam,
    ):
        """Train by Adam with a rate that falls to `alpha` times its start.

        Args:
            model: The model, which gets compiled.
            data: `ImageDataset`.
            epochs: Integer, see `epochs`.
            rate: Float, the learning rate at the start.
            phase: Name of the phase, for recipes that have several.
            every: Integer, epochs from one checkpoint to the next.
            alpha: Float.
            callbacks: More of them.
            **adam: Arguments of `keras.optimizers.Adam`.
        """
        epochs = self.epochs(epochs)
        rate = keras.optimizers.schedules.CosineDecay(
            rate, epochs * len(data), alpha=alpha
        )
        model.compile(keras.optimizers.Adam(rate, **adam))
        checkpoint = self.checkpoint(phase, every)
        model.fit(
            data, epochs=epochs, callbacks=[*callbacks, checkpoint], verbose=2
        )

    def record(self, name, value, error=None, protocol="test images"):
        """Print a figure and put it on the card; the last is its headline."""
        figure = {"name": name, "value": float(value), "protocol": protocol}
        if error is not None:
            figure["error"] = float(error)
        self._metrics.append(figure)
        spread = "" if error is None else f" ± {error:.2g}"
        print(f"{name}: {value:.5g}{spread} ({protocol})", flush=True)

    def evaluate(self, model, metrics, label="", repeats=3, **arguments):
        """Record measures of `keras_gen.evaluate`, without those by class."""
        values = evaluate(
            model,
            self._about["data"],
            metrics=metrics,
            repeats=repeats,
            **arguments,
        )
        protocol = "one set of samples"
        if repeats > 1:
            protocol = f"mean and deviation of {repeats} sets of samples"
        for name, value in values.items():
            if "/" not in name:
                error = values.get(f"std/{name}")
                self.record(label + name, value, error, protocol)

    def save(self, model, images, columns=8):
        """Write the preset, its card, and `samples.png`."""
        save_grid(self.folder / "samples.png", images, columns=columns)
        # With what was trained before an interruption.
        seconds = time.perf_counter() - self._start
        seconds += sum(c.seconds_before for c in self._checkpoints)
        card = {
            **self._about,
            "epochs": self._phases,
            "seconds": round(seconds),
            "backend": keras.backend.backend(),
            "metrics": self._metrics,
        }
        # What readers draw comes from the rounded weights.
        with tempfile.TemporaryDirectory() as folder:
            rounded = Path(folder) / "rounded"
            model.save_to_preset(rounded, half_precision=True)
            card["statistics"] = statistics(from_preset(rounded))
        model.save_to_preset(self.folder, card, half_precision=True)


def statistics(model):
    """Return mean and deviation of what a model draws from seed 0.

    They tell whether a model draws on another machine or backend what it drew
    where it was trained. Diffusion models take ten steps.
    """
    n, options = 16, {}
    if model.num_classes is not None:
        options["labels"] = np.arange(n) % model.num_classes
    if denoises(model):
        options["num_steps"] = 10
    images = model.generate(n, seed=0, **options)
    return {
        "seed": 0,
        "num_samples": n,
        "mean": float(images.mean()),
        "std": float(images.std()),
    }


def hardware():
    """Return in words what this process computes on."""
    device = keras.ops.convert_to_tensor(0.0).device
    cores = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):  # those it may use, on Linux
        cores = len(os.sched_getaffinity(0))
    return f"CPU cores: {cores}, {platform.machine()}; on {device}"
