"""`keras-gen compare`: many models, one budget, one page.

Each model is trained, drawn from and measured in a process of its own, so that
its memory can be told and its failure costs no other model. What a process
learns goes into `<out>/<model>/result.json`; a model that has one is done, and
the same command goes on with the others.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
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
from keras_gen.entries import hardware
from keras_gen.files import keep_settings
from keras_gen.files import locked
from keras_gen.files import make_folder
from keras_gen.files import read_settings
from keras_gen.files import sweep
from keras_gen.files import write_text
from keras_gen.metrics.evaluation import Evaluation
from keras_gen.metrics.report import plain
from keras_gen.models import VQVAE
from keras_gen.pictures import save_curves
from keras_gen.pictures import save_grid
from keras_gen.recipes import QUICK
from keras_gen.recipes import QUICKLY
from keras_gen.recipes import RECIPES
from keras_gen.recipes import denoises
from keras_gen.recipes import encoded
from keras_gen.recipes import prior

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
_CONDITIONAL = ("conditional_vae", "conditional_gan")
REAL = "real"
_DESCRIPTION = """\
Train models on one data set, each for the same time or number of epochs, and
measure them beside real images. A vqvae spends half of the time, or as many
epochs again, on its prior. Into the folder --out go
  index.html  the page: pictures side by side, quality, cost
  report.md   the same for other readers
  <model>/    the model, its pictures, log.txt and result.json
Interrupted, or one model failed? The same command goes on where it was.
"""
_RESULT, _ERROR, _SETTINGS = "result.json", "error.json", "settings.json"
_COSTS = (": seconds", ": steps")  # how the logs of `Budget` end
_SECONDS_BETWEEN_SAVES = 20


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
        metavar="MODEL",
        help=f"some of {', '.join(MODELS)} (default: all that apply)",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--minutes",
        type=float,
        help="of training for each model (default: 10, for fewer than 10,000 "
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
    parser.add_argument(
        "--extractor",
        help="what tells features: a classifier, if not that of the data set, "
        "or inception, for any pictures (downloads 90 MB)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    parser.add_argument(
        "--out", default="runs/compare", help="(default: runs/compare)"
    )
    parser.set_defaults(run=_compare)


def _compare(args):
    for name in ("minutes", "epochs", "batch_size", "n", "image_size"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            option = f"-{name}" if name == "n" else f"--{name}"
            raise ValueError(
                f"{option.replace('_', '-')} must be above 0. Received: {value}"
            )
    out = make_folder(args.out)
    with locked(out):
        _compare_in(out, args)


def _compare_in(out, args):
    sweep(out)
    settings = {
        key: value
        for key, value in vars(args).items()
        if key not in ("run", "words", "models", "out")
    }
    settings["backend"] = keras.backend.backend()
    keep_settings(out / _SETTINGS, settings)
    error = _job(out, REAL)
    if error:  # then no model can be measured either
        (out / _SETTINGS).unlink()
        raise ValueError(error)
    labels = read_settings(out / REAL / _RESULT)["num_classes"]
    default = [m for m in MODELS if labels or m not in _CONDITIONAL]
    asked = args.models or default
    for i, name in enumerate(asked):
        if name in _CONDITIONAL and not labels:
            raise ValueError(f"{name} needs a data set with labels.")
        _job(out, name, f"{i + 1}/{len(asked)}")
        # After each model: what there is can be looked at.
        results = _results(out)  # some by earlier calls
        shown = [m for m in MODELS if m in results or m in asked]
        models = None if shown == default else shown
        write_page(out, results, _about(settings, models))
    print(f"page: {out / 'index.html'}")
    missing = [name for name in asked if not (out / name / _RESULT).exists()]
    if missing:
        raise ValueError(
            f"Not measured: {', '.join(missing)}. The reasons are on the page; "
            "the same command tries them again."
        )


def _job(out, name, number=""):
    """Measure what a folder is named after, if need be; return the error."""
    folder = make_folder(out / name)
    sweep(folder)
    error = None
    if not (folder / _RESULT).exists():
        print(f"{number} {name} ...".lstrip(), flush=True)
        start = time.perf_counter()
        error = run_apart(folder)
        seconds = time.perf_counter() - start
        print(f"    {error or 'done'} ({seconds:.0f} s)", flush=True)
    if error:
        _write(folder / _ERROR, {"error": error})
        return error
    (folder / _ERROR).unlink(missing_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return None


def _about(settings, models):
    options = {
        key: value
        for key, value in settings.items()
        if value is not None and value is not False
    }
    if models is not None:
        options["models"] = " ".join(models)
    versions = {"keras_gen": __version__, "keras": keras.__version__}
    return {**options, **versions}


def _results(out):
    """Return name to result, or to the error, of all models in a folder."""
    results = {}
    for name in (REAL, *MODELS):
        for file in (_RESULT, _ERROR):
            if name not in results and (out / name / file).exists():
                results[name] = read_settings(out / name / file)
    return results


def run_apart(folder):
    """Run the job of a folder in another process; return why it failed."""
    # The same package as here, and nothing of the working directory.
    command = [sys.executable, "-P", "-m", "keras_gen.comparison"]
    command += [str(folder), str(os.getpid())]
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]
    environment = {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    with open(folder / "log.txt", "w") as log:
        code = subprocess.call(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            close_fds=False,  # it holds the lock of the folder as well
        )
    if code == 0:
        return None
    lines = (folder / "log.txt").read_text(errors="replace").split("\n")
    lines = [line for line in lines if line.strip()]
    return lines[-1][:300] if lines and code > 0 else f"ended by signal {-code}"


def run_job(folder):
    """Train and measure the model that a folder is named after."""
    folder = Path(folder)
    settings = read_settings(folder.parent / _SETTINGS)
    keras.utils.set_random_seed(settings["seed"])
    if folder.name == REAL:
        result = _real(folder, _evaluation(settings))
    else:
        model, training = _trained(folder, settings)
        evaluation = _evaluation(settings)
        result = {**training, **_measured(folder, model, evaluation, settings)}
    _write(folder / _RESULT, plain({**result, "hardware": hardware()}))


def _evaluation(settings):
    return Evaluation(
        settings["dataset"],
        settings["n"],
        extractor=settings.get("extractor"),
        image_size=settings["image_size"],
        grayscale=settings["grayscale"],
        data_dir=settings["data_dir"],
    )


def _real(folder, evaluation):
    reference = evaluation.reference
    save_grid(folder / "samples.png", reference.test[:64])
    labels = reference.train_labels
    return {
        "floors": {
            floor: _of_all_classes(evaluation.of_floor(floor))
            for floor in ("real_test", "pca_gaussian")
        },
        "num_samples": evaluation.num_samples,
        "num_classes": None if labels is None else int(labels.max()) + 1,
        "train_images": len(reference.train),
    }


def _trained(folder, settings):
    """Return the model of a folder and what its training cost."""
    preset = _entry(folder.name, settings) if settings["pretrained"] else None
    if preset is not None:
        card = hub.read_card(preset)
        facts = {"epochs": sum(card["epochs"]), "preset": preset}
        facts["binarized"] = card.get("binarized", False)
        return hub.from_preset(preset), {
            **facts,
            "parameters": card["parameters"],
        }
    names = ("seconds", "epochs", "step_seconds", "peak_mb", "parameters")
    try:
        model = hub.from_preset(folder / "model")
    except ValueError:  # there is none yet, or a damaged one
        shutil.rmtree(folder / "model", ignore_errors=True)
        model, history = _train(folder, settings)
        parts = history.items()
        curves = {k: v for k, v in parts if not k.endswith(_COSTS)}
        save_curves(folder / "curves.png", curves)
        seconds, steps = (
            sum(sum(values) for key, values in parts if key.endswith(end))
            for end in _COSTS
        )
        epochs = [len(v) for key, v in parts if key.endswith(_COSTS[0])]
        facts = {
            "seconds": seconds,
            "epochs": sum(epochs),
            "step_seconds": seconds / steps if steps else None,
            "peak_mb": _peak_mb(),
        }
        model.save_to_preset(folder / "model", facts)
        model = hub.from_preset(folder / "model")
    card = hub.read_card(folder / "model")
    return model, {name: card[name] for name in names}


def _entry(name, settings):
    """Return the entry of the zoo that learnt from these images, or None."""
    entry = f"{name}_{settings['dataset']}"
    same = settings["image_size"] is None and not settings["grayscale"]
    return entry if same and entry in hub.list_presets() else None


def _train(folder, settings):
    names = ("batch_size", "image_size", "grayscale", "seed", "data_dir")
    options = {name: settings[name] for name in names}
    data = load(settings["dataset"], "train", **options)
    before = read_settings(folder.parent / REAL / _RESULT)["train_images"]
    if len(data.images) != before:  # then others are held out, too
        raise ValueError(
            f"There were {before} images to train on when this comparison "
            f"began, and now there are {len(data.images)}. Choose another "
            "folder for a new one."
        )
    shape, labels = data.element_shape, data.num_classes
    model = RECIPES[folder.name](shape, labels, len(data.images))
    minutes, epochs = settings["minutes"], settings["epochs"]
    if minutes is None and epochs is None:
        minutes = 10 if len(data.images) >= 10_000 else 0.2

    def fit(model, data, part, share):
        limit = None if minutes is None else 60 * minutes * share
        budget = Budget(folder / "checkpoints" / part, limit)
        past = budget.newest_history().get("seconds", [])
        spent = limit is not None and sum(past) >= limit
        model.fit(
            data,
            epochs=len(past) if spent else epochs or 10**6,
            callbacks=[budget],
            verbose=0,
        )
        history = budget.newest_history()
        return {f"{part}: {name}": values for name, values in history.items()}

    if not isinstance(model, VQVAE):
        return model, fit(model, data, "training", 1.0)
    history = fit(model, data, "codes", 0.5)
    network = prior(
        model.prior_shape,
        model.quantizer.sizes[0],
        labels,
        codebook=model.fingerprint,
    )
    history |= fit(network, encoded(model, data), "prior", 0.5)
    model.attach_prior(network)
    return model, history


class Budget(Checkpoint):
    """Stop when the time is over; note in the logs what each epoch took.

    Steps that compile are neither timed nor counted: the first of a process,
    and in its first epoch the last, of a batch that may be smaller. Saves
    after the last epoch, and before it from time to time.

    Args:
        folder: Folder of the checkpoints.
        seconds: Float, of all epochs together, or None for no limit.
    """

    def __init__(self, folder, seconds):
        super().__init__(folder)
        self.seconds = seconds

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.compiled, self.saved = None, time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.epoch = epoch
        self.used = sum(self.model.history.history.get("seconds", ()))
        self.start, self.steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.compiled is None:
            self.compiled, self.start = self.epoch, now
        elif (self.compiled, batch + 1) == (self.epoch, self.params["steps"]):
            self.start += now - self.before
        else:
            self.steps += 1
        self.before = now
        self._stop_if_over(now)

    def on_epoch_end(self, epoch, logs=None):
        bad = not_finite(logs, self.model)
        if bad:
            raise ValueError(
                f"Training diverged in epoch {epoch + 1}: {bad} not finite."
            )
        now = time.perf_counter()
        self._stop_if_over(now)  # JAX may have waited for its steps till here
        logs |= {"seconds": now - self.start, "steps": self.steps}
        super().on_epoch_end(epoch, logs)

    def _is_due(self, epoch):
        if self.model.stop_training or epoch + 1 == self.params["epochs"]:
            return True
        return time.perf_counter() - self.saved > _SECONDS_BETWEEN_SAVES

    def _save(self, path, epoch):
        super()._save(path, epoch)
        self.saved = time.perf_counter()

    def _stop_if_over(self, now):
        used = self.used + now - self.start
        if self.seconds is not None and used >= self.seconds:
            self.model.stop_training = True


def _measured(folder, model, evaluation, settings):
    in_steps = denoises(model)
    options = QUICK if in_steps else {}
    reference, seed = evaluation.reference, settings["seed"]
    few = {} if model.num_classes is None else {"labels": 0}
    # Compiles, for batches of 128 and the one that remains.
    n = evaluation.num_samples
    few["num_samples"] = n if n < 300 else 256 + n % 128
    model.generate(seed=seed, **few, **options)
    start = time.perf_counter()
    samples = evaluation.draw(model, seed, **options)
    seconds = time.perf_counter() - start
    save_grid(folder / "samples.png", samples.images[:64])
    if samples.reconstruct is not None:
        x, labels = reference.test[:24], {}
        if samples.labels is not None:
            labels = {"labels": reference.test_labels[:24]}
        pairs = np.stack([x, model.reconstruct(x, **labels)], axis=1)
        pictures = pairs.reshape(-1, *x.shape[1:])
        save_grid(folder / "reconstructions.png", pictures, columns=8)
    return {
        "class": type(model).__name__,
        "sampling": QUICKLY if in_steps else None,
        "sampling_seconds": seconds / len(samples.images),
        "metrics": _of_all_classes(evaluation.of_samples(samples)),
        "skipped": evaluation.skipped,
    }


def _of_all_classes(values):
    """Return the values but those of single classes."""
    return {key: value for key, value in values.items() if "/" not in key}


def _peak_mb():
    """Return the most memory this process had so far, None where unknown."""
    # Not what `resource` tells: that begins with the peak of the parent.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # not Linux
        return None
    kilobytes = [line.split()[1] for line in lines if "VmHWM" in line]
    return int(kilobytes[0]) / 1024 if kilobytes else None


def _write(path, value):
    write_text(path, json.dumps(value, indent=1) + "\n")


def _end_with(parent):
    """End this process soon after its parent, whatever ended that."""
    if os.name == "nt":  # a launcher is in between, in an environment
        return
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(
        target=_end_with, args=(int(sys.argv[2]),), daemon=True
    ).start()
    try:
        run_job(sys.argv[1])
    except Exception as failure:
        text = " ".join(str(failure).split())
        sys.exit(text or type(failure).__name__)
