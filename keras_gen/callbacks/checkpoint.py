"""Checkpoints that survive a crash and resume where training stopped."""

import hashlib
import json
import os
import re
import time
import warnings
from numbers import Number
from pathlib import Path

import keras
import numpy as np

from keras_gen import checks
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.files import atomic_folder
from keras_gen.files import check_space
from keras_gen.files import make_folder
from keras_gen.files import remove_folder
from keras_gen.files import sweep
from keras_gen.training import backend

_WEIGHTS = "state.weights.h5"
_META = "meta.json"
_BEST = "best"
# Logs of which more is better, as models and `EvaluateSamples` name them.
_HIGH = re.compile(
    "accuracy|class_accuracy|cas_|precision|recall|density|coverage|diversity"
    "|modes|high_quality|psnr|ssim|usage|perplexity"
)
_DAMAGE = (OSError, ValueError, KeyError, TypeError)
# What EarlyStopping, ReduceLROnPlateau and ModelCheckpoint count in. Their
# settings stay those of the script.
_COUNTERS = (
    "best",
    "best_epoch",
    "cooldown_counter",
    "epochs_since_last_save",
    "stopped_epoch",
    "wait",
)


class Checkpoint(keras.callbacks.Callback):
    """Save everything training needs; continue from it when `fit` starts.

    Each checkpoint is a folder `ckpt-000012` with the complete state (weights,
    every optimizer, averages, random state) and a `meta.json` that holds its
    SHA-256, the epoch, the history and the counters of Keras's callbacks. It
    gets its name only once it is whole and on the disk, so a crash at any
    moment, even in the middle of a save, costs at most the epochs since the
    last checkpoint.

    `fit` with the same folder continues after the newest checkpoint that
    verifies. `epochs` is the total, so running the same script again is all
    it takes. Resumed on the same backend, device and versions, with data from
    `keras_gen.data`, the run is bit-identical to one that was never
    interrupted (verified on CPU). Nothing is promised within an epoch: an
    interrupted one starts again. An epoch whose logs are not finite is not
    saved. A run that `EarlyStopping` had ended does not go on, unless it now
    has more patience.

    With `monitor`, the state after the best epoch so far is kept as well, in
    the folder `best`, across restarts; `restore_best()` returns to it. One of
    another training, or by another log, is kept as `best-before`.

    Args:
        folder: Folder of the checkpoints; created if need be.
        every: Integer, epochs between checkpoints.
        keep: Integer, how many to keep; older ones are deleted.
        monitor: String, the log to find the best epoch by, for example
            `"val_loss"` or one that `EvaluateSamples` adds. Epochs without it
            are passed over.
        mode: `"min"` or `"max"`, whether low or high is good; `"auto"` for
            `"max"` with accuracies, precision, recall, density, coverage,
            diversity, numbers of modes, PSNR, SSIM and the use of codes,
            `"min"` with all others.

    Attributes:
        seconds_before: Float, how long the epochs took from which `fit` went
            on; 0 if it began anew, or from a checkpoint that does not say.

    Raises:
        OSError: If the folder cannot be written to, or a save fails.
        ValueError: If the newest checkpoint is of another model or optimizer,
            or if there are checkpoints and none verifies.
    """

    def __init__(self, folder, every=1, keep=2, monitor=None, mode="auto"):
        super().__init__()
        if mode not in ("min", "max", "auto"):
            raise ValueError(
                "`mode` must be 'min', 'max' or 'auto'. "
                f"Received: mode={mode!r}"
            )
        if mode == "auto":
            high = _HIGH.match((monitor or "").removeprefix("val_"))
            mode = "max" if high else "min"
        self.folder = Path(folder)
        self.every = checks.check_positive_integer(every, "every")
        self.keep = checks.check_positive_integer(keep, "keep")
        self.monitor = monitor
        self.mode = mode
        self._best = None
        self._others = []
        self._restored = None
        self._history = {}
        self._began = None
        self.seconds_before = 0.0

    def set_callbacks(self, callbacks):
        """Take the other callbacks of this `fit`, to keep their values.

        `fit` calls it, and runs this callback after the others.
        """
        self._others = [c for c in callbacks if c is not self]

    def newest_history(self):
        """Return the logs up to the newest checkpoint, {} without one."""
        newest = self._newest()
        return {} if newest is None else newest[1]["history"]

    def on_train_begin(self, logs=None):
        self._began, self.seconds_before = time.perf_counter(), 0.0
        make_folder(self.folder)
        sweep(self.folder)
        self._restored = self._newest()
        self._history = {}
        self._best = None
        if self.monitor is not None:
            self._best = self._best_value()
        if any(getattr(c, "restore_best_weights", False) for c in self._others):
            warnings.warn(
                "A checkpoint does not hold the best weights that "
                "EarlyStopping(restore_best_weights=True) keeps: after a "
                "resume it knows those of later epochs only.",
                stacklevel=2,
            )
        if self._restored is not None:
            path, meta = self._restored
            self._check_same_model(path, meta)
            restore_state(self.model, path / _WEIGHTS, meta["state_sha256"])
            backend.set_global_random_state(meta["random_state"])
            self.model._initial_epoch = meta["epoch"]
            self.seconds_before = meta.get("seconds", 0.0)
            self._history = {k: list(v) for k, v in meta["history"].items()}
            if self._had_stopped(meta):
                warnings.warn(
                    "EarlyStopping ended this training after epoch "
                    f"{meta['epoch']}: there is nothing left to train. Give it "
                    "more patience, or leave it out, to go on.",
                    stacklevel=2,
                )
                self.model.history.history = meta["history"]
                self.model._initial_epoch = self.params["epochs"]
            if meta["epoch"] >= self.params["epochs"]:  # no epoch will do it
                self.model.history.history = meta["history"]
                if self.params.get("verbose"):
                    print(
                        f"All {self.params['epochs']} epochs are in "
                        f"{str(path)!r}: nothing is trained. For other data "
                        "or a new training choose another folder."
                    )
            if meta["epoch"] > self.params["epochs"]:
                warnings.warn(
                    f"{str(path)!r} is {meta['epoch']} epochs old already, "
                    f"and epochs={self.params['epochs']} is the total: there "
                    "is nothing left to train.",
                    stacklevel=2,
                )

    def _had_stopped(self, meta):
        """Return whether a callback of now ended the training of then."""
        for callback, key in self._keys():
            if isinstance(callback, keras.callbacks.EarlyStopping):
                values = meta["callbacks"].get(key, {})
                out_of_patience = values.get("wait", 0) >= callback.patience
                if values.get("stopped_epoch") and out_of_patience:
                    return True
        return False

    def on_epoch_begin(self, epoch, logs=None):
        # Not in `on_train_begin`, where the others reset themselves.
        if self._restored is not None:
            _, meta = self._restored
            self._restored = None
            self.model.history.history = meta["history"]
            self.model.history.epoch = list(range(epoch))
            for callback, key in self._keys():
                for name, value in meta["callbacks"].get(key, {}).items():
                    setattr(callback, name, value)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        # Our own: Keras's takes this epoch before or after us, as users order
        # their callbacks.
        for name, value in logs.items():
            self._history.setdefault(name, []).append(float(value))
        is_best, is_due = self._is_best(logs), self._is_due(epoch)
        if not is_due and not is_best:
            return
        bad = not_finite(logs, self.model)
        if bad:
            warnings.warn(
                f"Epoch {epoch + 1} is not saved: {bad} not finite.",
                stacklevel=2,
            )
            return
        if is_best:
            # Before the checkpoint: after a crash in between, the epoch is
            # repeated, and no better than this.
            self._save(self.folder / _BEST, epoch + 1)
            self._best = logs[self.monitor]
        if is_due:
            self._save(self.folder / f"ckpt-{epoch + 1:06d}", epoch + 1)
            # Later ones are left by another run, damaged: they do not count.
            ours = [p for p in self._all() if int(p.name[5:]) <= epoch + 1]
            for old in ours[: -self.keep]:
                remove_folder(old)

    def on_train_end(self, logs=None):
        if self.monitor is not None and self._best is None:
            warnings.warn(
                f"No epoch had a value of monitor={self.monitor!r}; none was "
                f"kept as the best. The last one had {sorted(logs or {})}",
                stacklevel=2,
            )

    def _is_due(self, epoch):
        return (epoch + 1) % self.every == 0

    def _is_best(self, logs):
        value = logs.get(self.monitor, np.nan)
        if np.isnan(value):
            return False
        if self._best is None:
            return True
        better = (
            value < self._best if self.mode == "min" else value > self._best
        )
        return bool(better)

    def _best_value(self):
        """Return the value an earlier run left behind, or None.

        What is no help here is moved out of the way.
        """
        path = self.folder / _BEST
        if not path.exists():
            return None
        try:
            if self._restored is None:
                raise ValueError("there is no checkpoint to go on from")
            meta = _read(path)
            if meta["monitor"] != [self.monitor, self.mode]:
                raise ValueError(f"it is the best by {meta['monitor']}")
            return meta["history"][self.monitor][-1]
        except _DAMAGE as error:
            aside = self.folder / f"{_BEST}-before"
            if aside.exists():
                remove_folder(aside)
            os.replace(path, aside)
            warnings.warn(
                f"The best checkpoint {str(path)!r} is no help here: {error}. "
                f"It is kept as {aside.name!r}.",
                stacklevel=2,
            )
            return None

    def restore_best(self):
        """Return the model to the state after its best epoch.

        Returns:
            Integer, how many epochs that state has been trained for.

        Raises:
            ValueError: If there is no best checkpoint, or it is damaged.
        """
        path = self.folder / _BEST
        if self.model is None:
            raise ValueError(
                "`restore_best` needs the model: pass this callback to `fit` "
                "first."
            )
        try:
            meta = _read(path)
        except _DAMAGE as error:
            raise ValueError(
                f"{str(path)!r} holds no intact best checkpoint: {error!r}"
            ) from error
        self._check_same_model(path, meta)
        restore_state(self.model, path / _WEIGHTS, meta["state_sha256"])
        return meta["epoch"]

    def _save(self, path, epoch):
        try:
            with atomic_folder(path) as temporary:
                self._write(temporary, epoch)
        except OSError as error:
            raise OSError(
                f"Saving the checkpoint {str(path)!r} failed: {error}. "
                "Earlier checkpoints are untouched."
            ) from error

    def _write(self, folder, epoch):
        weights = folder / _WEIGHTS
        optimizer = self.model.optimizer.variables
        check_space(folder, [*self.model.variables, *optimizer])
        self.model.save_weights(weights)
        meta = {
            "epoch": epoch,
            "seconds": self.seconds_before + time.perf_counter() - self._began,
            "monitor": [self.monitor, self.mode],
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "file_sha256": file_digest(weights),
            "state_sha256": state_digest(self.model),
            **self._model_digests(),
            "random_state": backend.global_random_state(),
            "history": self._history,
            "callbacks": {
                key: _counters(callback) for callback, key in self._keys()
            },
        }
        meta["meta_sha256"] = _meta_digest(meta)
        (folder / _META).write_text(json.dumps(meta, indent=1))

    def _keys(self):
        """Yield each other callback with a name to file its values under."""
        seen = {}
        for callback in self._others:
            name = type(callback).__name__
            seen[name] = seen.get(name, 0) + 1
            yield callback, f"{name}_{seen[name]}"

    def _all(self):
        """Checkpoint folders, oldest first."""
        return sorted(
            path
            for path in self.folder.glob("ckpt-*")
            if re.fullmatch(r"ckpt-\d{6,}", path.name)
        )

    def _newest(self):
        """Return (path, meta) of the newest that verifies, None if none."""
        paths = self._all()
        for path in reversed(paths):
            try:
                return path, _read(path)
            except _DAMAGE as error:
                warnings.warn(
                    f"Skipping the damaged checkpoint {str(path)!r}: "
                    f"{error}. Using the one before.",
                    stacklevel=2,
                )
        if paths:
            raise ValueError(
                f"None of the checkpoints in {str(self.folder)!r} is intact: "
                f"{[path.name for path in paths]}. Delete them to start anew."
            )
        return None

    def _model_digests(self):
        return {
            "model_sha256": _config_digest(
                [type(self.model).__name__, self.model.get_config()]
            ),
            "optimizer_sha256": _config_digest(
                self.model.get_compile_config()["optimizer"]
            ),
        }

    def _check_same_model(self, path, meta):
        for key, digest in self._model_digests().items():
            if meta[key] != digest:
                raise ValueError(
                    f"The checkpoint {str(path)!r} belongs to another "
                    f"{key.removesuffix('_sha256')}: its configuration "
                    "differs from the one being trained. Use another folder, "
                    "or delete the checkpoints to start anew."
                )


def _read(path):
    """Return the metadata of a checkpoint, or raise one of `_DAMAGE`."""
    meta = json.loads((path / _META).read_text())
    if meta["meta_sha256"] != _meta_digest(meta):
        raise ValueError(f"its {_META} has another SHA-256")
    if file_digest(path / _WEIGHTS) != meta["file_sha256"]:
        raise ValueError("its weights have another SHA-256")
    return meta


def file_digest(path):
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _meta_digest(meta):
    """Return the SHA-256 of everything in `meta` but this digest itself."""
    rest = {k: v for k, v in meta.items() if k != "meta_sha256"}
    return hashlib.sha256(json.dumps(rest).encode()).hexdigest()


def state_digest(model):
    """Return the SHA-256 of all values that decide how training goes on."""
    digest = hashlib.sha256()
    for variable in [*model.variables, *model.optimizer.variables]:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def restore_state(model, path, expected_digest):
    """Load a state and prove that every value arrived.

    Keras skips some mismatches with a warning, and optimizers it considers
    unbuilt altogether; the digest of the values notices either.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)
    if state_digest(model) != expected_digest:
        raise ValueError(
            f"The state in {str(path)!r} was not restored completely; was it "
            "written on another backend? Weights can move between backends "
            "as presets, training runs cannot."
        )


def _config_digest(config):
    """Digest a configuration, whatever numbers Keras appended to names.

    Names are numbered anew in the order they come in, each of their kind from
    0, here and where they are meant. The first of a kind may have no number,
    and then read as other strings do, such as an activation "silu".
    """
    config = json.loads(json.dumps(config, sort_keys=True, default=str))
    numbered, kinds = {}, {}
    for name in _names(config):
        if name not in numbered:
            kind = re.sub(r"_\d+$", "", name)
            kinds[kind] = kinds.get(kind, -1) + 1
            numbered[name] = f"{kind} {kinds[kind]}"

    def renamed(value):
        if isinstance(value, dict):
            return {key: renamed(v) for key, v in value.items()}
        if isinstance(value, list):
            return [renamed(v) for v in value]
        if not isinstance(value, str):
            return value
        return numbered.get(value, f"{value} 0" if value in kinds else value)

    text = json.dumps(renamed(config))
    return hashlib.sha256(text.encode()).hexdigest()


def _names(config):
    """Yield what is called "name" in a configuration."""
    if isinstance(config, dict):
        if isinstance(config.get("name"), str):
            yield config["name"]
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _names(value)


def _counters(callback):
    """Return the counters of a callback, those of Keras's, for JSON."""
    values = {}
    for name in _COUNTERS:
        value = getattr(callback, name, None)
        if isinstance(value, Number):  # others may use the name otherwise
            values[name] = float(value) if name == "best" else int(value)
    return values
