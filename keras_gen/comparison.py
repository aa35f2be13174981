"""`keras-gen compare`: many models, one budget, one page.

Each model is trained, drawn from and measured in a process of its own, so that
its memory can be told and its failure costs no other model. What a process
learns goes into `<out>/<model>/result.json`; a model that has one is done, and
the same command goes on with the others.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np

from keras_gen import hub
from keras_gen._version import __version__
from keras_gen.callbacks import Checkpoint
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.comparison_page import write_page
from keras_gen.data import load
from keras_gen.files import atomic_file
from keras_gen.files import make_folder
from keras_gen.metrics.evaluation import Evaluation
from keras_gen.models import VQVAE
from keras_gen.pictures import save_curves
from keras_gen.pictures import save_grid
from keras_gen.recipes import RECIPES
from keras_gen.recipes import encoded
from keras_gen.recipes import prior
from keras_gen.training.preset_files import CARD

MODELS = (
    "autoencoder",
    "vae",
    "conditional_vae",
    "vqvae",
    "gan",
    "conditional_gan",
    "dcgan",
    "ddpm",
    "flow_matching",
)
REAL = "real"
_DESCRIPTION = """\
Train models on one data set, each for the same time or number of epochs, and
measure them beside real images. Into the folder --out go
  index.html  the page: pictures side by side, quality, cost
  report.md   the same for other readers
  <model>/    the model, its pictures, its checkpoints and result.json
Interrupted, or one model failed? The same command goes on where it was.
"""
_RESULT = "result.json"
_PROGRESS = "progress.json"


def add_command(commands, add_data_options):
    """Add `compare` to the commands of `keras-gen`."""
    parser = commands.add_parser(
        "compare",
        help="train and measure many models, and write a page about them",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser)
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=MODELS,
        metavar="MODEL",
        help=f"some of {', '.join(MODELS)} (default: all that apply)",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--minutes",
        type=float,
        help="of training for each model (default: 12, for fewer than 10,000 "
        "images 0.2)",
    )
    budget.add_argument("--epochs", type=int, help="in place of minutes")
    parser.add_argument(
        "--pretrained",
        action="store_true",
        help="take models from the zoo where it has them",
    )
    parser.add_argument(
        "--batch-size", type=int, default=128, help="(default: 128)"
    )
    parser.add_argument(
        "-n",
        type=int,
        help="samples to measure (default: 10000, or as many as there are test "
        "images)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    parser.add_argument(
        "--out", default="runs/compare", help="(default: runs/compare)"
    )
    parser.set_defaults(run=_compare)


def _compare(args):
    for name in ("minutes", "epochs"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name} must be above 0. Received: {value}")
    out = make_folder(args.out)
    settings = {
        key: value
        for key, value in vars(args).items()
        if key not in ("run", "models", "out")
    }
    settings["backend"] = keras.backend.backend()
    file = out / "settings.json"
    before = json.loads(file.read_text()) if file.exists() else settings
    if before != settings:
        changed = {k: v for k, v in before.items() if settings.get(k) != v}
        raise ValueError(
            f"The comparison in {str(out)!r} was started with {changed}; go on "
            "with the same, or choose another folder."
        )
    _write(file, settings)
    labels = _load(settings, "train").num_classes
    names = [REAL, *(m for m in args.models if labels or "cond" not in m)]
    for i, name in enumerate(names):
        folder = make_folder(out / name)
        if not (folder / _RESULT).exists():
            print(f"[{i + 1}/{len(names)}] {name} ...", flush=True)
            start = time.perf_counter()
            error = run_apart(folder)
            seconds = time.perf_counter() - start
            print(f"    {error or 'done'} ({seconds:.0f} s)", flush=True)
            if error:
                _write(folder / "error.json", {"error": error})
        results = _results(out, names)
        # After each model: what there is can be looked at.
        write_page(out, results, _about(settings))
    missing = [name for name in names if "error" in results[name]]
    print(f"page: {out / 'index.html'}")
    if missing:
        raise ValueError(
            f"Not measured: {', '.join(missing)}. The reasons are on the page; "
            "the same command tries them again."
        )


def _about(settings):
    options = {k: v for k, v in settings.items() if v not in (None, False)}
    return {
        **options,
        "keras_gen": __version__,
        "keras": keras.__version__,
        "hardware": f"{os.cpu_count()} CPU cores, {platform.machine()}; "
        f"on {keras.ops.convert_to_tensor(0.0).device}",
    }


def _results(out, names):
    """Return name to result, or to the error, of those there are."""
    results = {}
    for name in names:
        for file in (_RESULT, "error.json"):
            if name not in results and (out / name / file).exists():
                results[name] = json.loads((out / name / file).read_text())
    return results


def run_apart(folder):
    """Run the job of a folder in another process; return why it failed."""
    command = [sys.executable, "-m", "keras_gen.comparison", str(folder)]
    environment = {"KERAS_BACKEND": keras.backend.backend(), **os.environ}
    with open(folder / "log.txt", "w") as log:
        code = subprocess.call(
            command, stdout=log, stderr=subprocess.STDOUT, env=environment
        )
    if code == 0:
        return None
    lines = (folder / "log.txt").read_text().strip().splitlines()
    return lines[-1][:300] if lines and code > 0 else f"ended by signal {-code}"


def run_job(folder):
    """Train and measure the model that a folder is named after."""
    folder = Path(folder)
    settings = json.loads((folder.parent / "settings.json").read_text())
    keras.utils.set_random_seed(settings["seed"])
    evaluation = Evaluation(
        settings["dataset"],
        settings["n"],
        image_size=settings["image_size"],
        grayscale=settings["grayscale"],
        data_dir=settings["data_dir"],
    )
    if folder.name == REAL:
        images = evaluation.reference.test[:64]
        save_grid(folder / "samples.png", images)
        result = {
            "floors": {
                floor: _plain(evaluation.of_floor(floor))
                for floor in ("real_test", "pca_gaussian")
            },
            "num_samples": evaluation.num_samples,
        }
    else:
        model, training = _trained(folder, settings)
        result = {**training, **_measured(folder, model, evaluation, settings)}
    result["peak_mb"] = _peak_mb()
    _write(folder / _RESULT, result)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def _trained(folder, settings):
    """Return the model of a folder and what its training cost."""
    if settings["pretrained"]:
        name = f"{folder.name}_{Path(settings['dataset']).name}"
        if name in hub.list_presets():
            card = hub.list_presets()[name]
            facts = {"seconds": card["seconds"], "epochs": sum(card["epochs"])}
            parameters = {"parameters": card["parameters"], "preset": name}
            return hub.from_preset(name), {**facts, **parameters}
    if not (folder / "model" / CARD).exists():
        model, history = _train(folder, settings)
        save_curves(folder / "curves.png", history)
        model.save_to_preset(folder / "model")
    model = hub.from_preset(folder / "model")
    parts = json.loads((folder / _PROGRESS).read_text())
    epochs = [epoch for part in parts.values() for epoch in part]
    # The first epoch of a part compiles its step.
    steady = [e for part in parts.values() for e in (part[1:] or part)]
    steps = sum(epoch["steps"] for epoch in steady)
    return model, {
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "epochs": len(epochs),
        "step_seconds": sum(epoch["seconds"] for epoch in steady) / steps,
        "parameters": hub.read_card(folder / "model")["parameters"],
    }


def _train(folder, settings):
    data = _load(settings, "train")
    shape, labels = data.element_shape, data.num_classes
    model = RECIPES[folder.name](shape, labels, len(data.images))
    minutes, epochs = settings["minutes"], settings["epochs"]
    if minutes is None and epochs is None:
        minutes = 12 if len(data.images) >= 10_000 else 0.2

    def fit(model, data, part, share):
        seconds = None if minutes is None else 60 * minutes * share
        budget = Budget(folder / _PROGRESS, part, seconds)
        # A spent budget: only the state comes back.
        count = len(budget.epochs) if budget.is_spent() else epochs or 10**6
        checkpoint = Checkpoint(folder / "checkpoints" / part)
        callbacks = [budget, checkpoint]
        model.fit(data, epochs=count, callbacks=callbacks, verbose=0)
        return {
            f"{part}: {name}": [epoch[name] for epoch in budget.epochs]
            for name in budget.epochs[0]
            if name not in ("seconds", "steps")
        }

    if not isinstance(model, VQVAE):
        return model, fit(model, data, "training", 1.0)
    history = fit(model, data, "codes", 0.5)
    network = prior(
        model.grid_shape,
        model.quantizer.num_codes,
        labels,
        codebook=model.fingerprint,
    )
    history |= fit(network, encoded(model, data), "prior", 0.5)
    model.attach_prior(network)
    return model, history


class Budget(keras.callbacks.Callback):
    """Note what each epoch costs, and stop when the time is over.

    Args:
        path: JSON file that holds the epochs of each part of a training.
        part: Name of the part.
        seconds: Float, or None for no limit.
    """

    def __init__(self, path, part, seconds):
        super().__init__()
        self.path, self.part, self.seconds = path, part, seconds
        self.parts = json.loads(path.read_text()) if path.exists() else {}
        self.epochs = self.parts.setdefault(part, [])

    def is_spent(self):
        """Whether no time is left."""
        used = sum(epoch["seconds"] for epoch in self.epochs)
        return self.seconds is not None and used >= self.seconds

    def on_epoch_begin(self, epoch, logs=None):
        del self.epochs[epoch:]  # noted, but lost with its checkpoint
        self.used = sum(past["seconds"] for past in self.epochs)
        self.start, self.steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        used = self.used + time.perf_counter() - self.start
        if self.seconds is not None and used >= self.seconds:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        bad = not_finite(logs, self.model)
        if bad:
            raise ValueError(
                f"Training diverged in epoch {epoch + 1}: {bad} not finite."
            )
        values = {name: float(value) for name, value in (logs or {}).items()}
        cost = {
            "seconds": time.perf_counter() - self.start,
            "steps": self.steps,
        }
        self.epochs.append({**cost, **values})
        _write(self.path, self.parts)


def _measured(folder, model, evaluation, settings):
    options = {}
    if hasattr(model, "denoising_trajectory"):
        options = {"sampler": "dpmpp_2m", "num_steps": 20}
    evaluation.draw(model, settings["seed"], **options)  # compiles
    start = time.perf_counter()
    samples = evaluation.draw(model, settings["seed"], **options)
    seconds = time.perf_counter() - start
    save_grid(folder / "samples.png", samples.images[:64])
    if samples.reconstruct is not None:
        reference = evaluation.reference
        x, labels = reference.test[:16], {}
        if samples.labels is not None:
            labels = {"labels": reference.test_labels[:16]}
        pairs = np.stack([x, model.reconstruct(x, **labels)], axis=1)
        pictures = pairs.reshape(2, 8, 2, *x.shape[1:]).swapaxes(1, 2)
        save_grid(
            folder / "reconstructions.png",
            pictures.reshape(-1, *x.shape[1:]),
            columns=8,
        )
    return {
        "class": type(model).__name__,
        "sampling": options,
        "sampling_seconds": seconds / len(samples.images),
        "metrics": _plain(evaluation.of_samples(samples)),
    }


def _load(settings, split):
    names = ("batch_size", "image_size", "grayscale", "seed", "data_dir")
    options = {name: settings[name] for name in names}
    return load(settings["dataset"], split, **options)


def _plain(values):
    """Return the values but those of single classes."""
    return {key: value for key, value in values.items() if "/" not in key}


def _peak_mb():
    """Return the most memory this process had, or None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _write(path, value):
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    try:
        run_job(sys.argv[1])
    except (ValueError, OSError, ImportError, MemoryError) as failure:
        sys.exit(" ".join(str(failure).split()))
