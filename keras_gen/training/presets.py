"""Write a model as a preset: `keras_gen.hub` reads it."""

import hashlib
import json
import os
from pathlib import Path

import keras

from keras_gen.files import atomic_file
from keras_gen.files import atomic_folder

# What Keras writes for tensors and tuples inside a network's description.
_PLAIN = ("__keras_tensor__", "__tuple__")

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"


def save_to_preset(model, folder):
    """Write `config.json` and `model.weights.h5`, without optimizer state.

    An existing preset at `folder` is replaced. A crash leaves the new one, the
    old one, or in the instant between two renames the old one beside it under
    a name that begins with `.tmp-`. What else the folder holds, such as a
    training script, is not touched; then the two files are replaced one after
    the other, and after a crash in the instant between, `from_preset` says
    that the preset is damaged.

    Args:
        model: A `GenerativeModel`.
        folder: Path of the folder to write.

    Raises:
        ValueError: If `folder` is a file or holds a `config.json` that is no
            preset's, or a network holds layers that a reader could
            not rebuild from this package and Keras alone.
        OSError: If the folder cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not _can_hold_preset(folder):
        raise ValueError(
            f"{str(folder)!r} exists and is not a preset, so it is not "
            "replaced. Choose a folder of its own for the preset."
        )
    config = model.get_config()
    check_classes(config)
    # A model that was never compiled has no optimizer to write along.
    bare = type(model).from_config(config)
    bare.set_weights(model.get_weights())
    description = {
        "class": type(model).__name__,
        "config": config,
        "keras": keras.__version__,
    }
    if folder.exists() and set(os.listdir(folder)) - {CONFIG, WEIGHTS}:
        with atomic_file(folder / WEIGHTS) as temporary:
            description["sha256"] = _write_weights(bare, temporary)
        with atomic_file(folder / CONFIG) as temporary:
            temporary.write_text(json.dumps(description, indent=1))
        return
    with atomic_folder(folder) as temporary:
        description["sha256"] = _write_weights(bare, temporary / WEIGHTS)
        (temporary / CONFIG).write_text(json.dumps(description, indent=1))


def _write_weights(model, path):
    """Write weights; return the SHA-256 of the file."""
    model.save_weights(path)
    return digest(path)


def digest(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _can_hold_preset(folder):
    """Whether no file but a preset's would be replaced in `folder`."""
    if not folder.is_dir():
        return False
    names = set(os.listdir(folder)) & {CONFIG, WEIGHTS}
    if names != {CONFIG, WEIGHTS}:
        return not names
    try:
        return "class" in json.loads((folder / CONFIG).read_text())
    except (ValueError, TypeError):
        return False


def check_classes(config):
    """Raise unless every object in `config` is Keras's or this package's."""
    if isinstance(config, dict):
        if config.get("class_name", "__tuple__") not in _PLAIN:
            module = str(config.get("module"))
            if module.split(".")[0] not in ("keras", "keras_gen"):
                raise ValueError(
                    "A preset may hold classes of Keras and keras_gen only. "
                    f"Received: {module}.{config['class_name']}"
                )
            name = str(config["class_name"])
            if name == "Lambda" or name.startswith("__"):
                raise ValueError(f"A preset may not hold {name!r}.")
        for value in config.values():
            check_classes(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            check_classes(value)
