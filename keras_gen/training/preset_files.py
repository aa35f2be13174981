"""Check the files of a preset before anything in them is used."""

import hashlib
import importlib
import json
import re
from pathlib import Path

import h5py
import keras
import numpy as np

from keras_gen.files import atomic_file

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
CARD = "card.json"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
LARGEST_JSON = 4 * 2**20
_LARGEST_NUMBER = 2**26  # in a configuration, but for seeds
# Of the first two arrays are made as soon as an object is, of the last none.
_LARGEST = {"kernel_size": 128, "num_steps": 10_000, "dataset_size": 2**53}
_MOST_OBJECTS = 5_000
_DEEPEST = 64

_KERAS_MODULES = {
    "keras": keras,
    "keras.activations": keras.activations,
    "keras.constraints": keras.constraints,
    "keras.initializers": keras.initializers,
    "keras.layers": keras.layers,
    "keras.losses": keras.losses,
    "keras.regularizers": keras.regularizers,
}
# Layers that run code from their configuration, or read files named in it.
_UNSAFE = {
    "FlaxLayer",
    "IntegerLookup",
    "JaxLayer",
    "Lambda",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
}


def read_json(folder, name):
    """Return the dict in a JSON file of a preset.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no plain file of the folder, too large, too deep
            or not a JSON object.
    """
    path = plain_file(folder, name)
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"{name} is larger than {LARGEST_JSON} bytes")
    try:
        value = json.loads(path.read_bytes())
        _check_depth(value)
    except (ValueError, RecursionError) as error:
        text = "nested too deeply" if "recurs" in str(error) else error
        raise ValueError(f"{name} is damaged: {text}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} is damaged: it is not an object")
    return value


def plain_file(folder, name):
    """Return the path of a file that lies in the folder itself."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a file of a preset")
    path = Path(folder) / name
    if path.is_symlink():
        raise ValueError(f"{name} is a link")
    if path.exists() and not path.is_file():
        raise ValueError(f"{name} is not a file")
    return path


def describe_file(path):
    """Return size and SHA-256 of a file, as a card holds them."""
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": sha256, "size": path.stat().st_size}


def described(card, name):
    """Return what a card says of a file."""
    files = card.get("files")
    if not isinstance(files, dict) or not isinstance(files.get(name), dict):
        raise ValueError(f"{CARD} has no digest of {name}")
    return files[name]


def check_file(folder, card, name):
    """Raise unless a file is the one that the card describes."""
    expected = described(card, name)
    path = plain_file(folder, name)
    if not path.exists():
        raise ValueError(f"{name} is missing")
    if path.stat().st_size != expected.get("size"):
        raise ValueError(
            f"{name} is damaged: it has {path.stat().st_size} bytes, not "
            f"{expected.get('size')}"
        )
    if describe_file(path)["sha256"] != expected.get("sha256"):
        raise ValueError(f"{name} is damaged: its SHA-256 is another")


def _check_depth(value, depth=0):
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, depth + 1)


def check_config(config):
    """Raise unless all that `config` names is Keras's or this package's."""
    objects = 0

    def visit(value, key=None):
        nonlocal objects
        if isinstance(value, dict):
            if "compile_config" in value:
                raise ValueError("A preset may not hold optimizers.")
            if "class_name" in value:
                objects += 1
                _check_class(value)
            if objects > _MOST_OBJECTS:
                raise ValueError("A preset may not hold that many layers.")
            for name, item in value.items():
                visit(item, name)
        elif isinstance(value, (list, tuple)):
            for item in value:
                visit(item, key)
        elif isinstance(value, str):
            # Keras takes "package>Class" for a class wherever it expects one.
            if ">" in value and key != "registered_name":
                raise ValueError(f"A preset may not hold {value!r}.")
            if value.isdecimal():
                visit(int(value), key if key in _LARGEST else None)
        elif isinstance(value, (int, float)) and key != "seed":
            if abs(value) > _LARGEST.get(key, _LARGEST_NUMBER):
                raise ValueError(
                    f"A preset may not hold the size {value} ({key!r})."
                )

    visit(config)


def _check_class(config):
    name, module = str(config["class_name"]), str(config.get("module"))
    registered = config.get("registered_name")
    if name == "__keras_tensor__" and set(config) == {"class_name", "config"}:
        return
    if name in _UNSAFE or name.startswith("__"):
        raise ValueError(f"A preset may not hold {name!r}.")
    known = registered in (None, name)
    if module.startswith("keras_gen."):
        known = registered == f"keras_gen>{name}"
        found = keras.saving.get_registered_object(registered)
    elif (module, name) == ("keras.src.models.functional", "Functional"):
        found = keras.Model
    elif module.startswith("keras.src.ops."):
        found = _operation(module, name)
        for node in config.get("inbound_nodes", [{}]):
            # Of other arguments Keras would compute the result while reading.
            known = known and _takes_tensor(node)
    else:
        found = getattr(_KERAS_MODULES.get(module), name, None)
    if not known or not isinstance(found, type):
        raise ValueError(
            "A preset may hold classes of Keras and keras_gen only. "
            f"Received: {module}.{name}, registered as {registered!r}"
        )


def _takes_tensor(node):
    """Return whether a call of an operation has a tensor of its network."""

    def has_tensor(value):
        if isinstance(value, dict):
            if "class_name" in value:
                return value["class_name"] == "__keras_tensor__"
            value = list(value.values())
        return isinstance(value, list) and any(map(has_tensor, value))

    return set(node) == {"args", "kwargs"} and has_tensor(node)


def _operation(module, name):
    """Return an operation of Keras, such as a sum of two tensors."""
    if module.endswith("_test"):
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    is_one = isinstance(found, type) and issubclass(found, keras.Operation)
    return found if is_one else None


def halve(path):
    """Keep as float16 the matrices of a file that float16 holds exactly."""

    def copy(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            if value.dtype == np.float32 and value.ndim > 1:
                with np.errstate(over="ignore"):
                    half = value.astype(np.float16)
                value = half if np.array_equal(half, value) else value
            target = new.create_dataset(name, data=value)
        else:
            target = new.require_group(name)
        target.attrs.update(item.attrs)

    with (
        atomic_file(path) as other,
        h5py.File(path, "r") as old,
        h5py.File(other, "w") as new,
    ):
        old.visititems(copy)
        new.attrs.update(old.attrs)


def layout(path):
    """Return name to (shape, dtype) of all arrays in a file of weights.

    Raises:
        ValueError: If the file holds anything but groups and plain arrays
            (links, virtual, external, chunked or compressed data), or NaN.
    """
    arrays, seen, places = {}, set(), []

    def visit(group, prefix, depth):
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        for key in group:
            name = f"{prefix}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise ValueError(f"{name} is there twice")
            seen.add(address)
            if isinstance(item, h5py.Group):
                visit(item, name, depth + 1)
            elif not isinstance(item, h5py.Dataset):
                raise ValueError(f"{name} is neither a group nor an array")
            elif item.is_virtual or item.external:
                raise ValueError(f"{name} lies in another file")
            elif item.dtype.kind not in "biuf" or item.chunks is not None:
                raise ValueError(f"{name} is not a plain array of numbers")
            elif item.shape is None:
                raise ValueError(f"{name} has no shape")
            elif item.id.get_storage_size() != item.nbytes:
                raise ValueError(f"{name} is declared larger than it is")
            elif not np.isfinite(item[()]).all():
                raise ValueError(f"{name} is not finite")
            else:
                # Backends keep random states as integers of their own.
                integer = item.dtype.kind in "iu"
                dtype = "integer" if integer else str(item.dtype)
                arrays[name] = (tuple(item.shape), dtype)
                places.append((item.id.get_offset() or 0, item.nbytes, name))

    with h5py.File(path, "r") as file:
        visit(file, "", 0)
    end = 0
    for start, size, name in sorted(place for place in places if place[1]):
        if start < end:
            raise ValueError(f"{name} overlaps another array")
        end = start + size
    return arrays
