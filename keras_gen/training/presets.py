"""Models as folders: a configuration, weights, and a card of both."""

import contextlib
import json
import math
import os
import platform
import tempfile
from pathlib import Path

import keras

from keras_gen._version import __version__
from keras_gen.files import atomic_file
from keras_gen.files import atomic_folder
from keras_gen.training.preset_files import CARD
from keras_gen.training.preset_files import CONFIG
from keras_gen.training.preset_files import WEIGHTS
from keras_gen.training.preset_files import check_config
from keras_gen.training.preset_files import check_file
from keras_gen.training.preset_files import describe_file
from keras_gen.training.preset_files import layout
from keras_gen.training.preset_files import read_json

_FILES = {CONFIG, WEIGHTS, CARD}
# Beside them in an entry of the zoo; the card holds their digests as well.
_COMPANIONS = ("samples.png", "training.gif")


def save_to_preset(model, folder, card=None):
    """Write `config.json`, `model.weights.h5` and `card.json`.

    The weights are those to sample with: averaged ones where the model keeps
    averages. Optimizers and random state are not written; to go on training
    as if nothing had happened, use `callbacks.Checkpoint` or `model.save`.

    An existing preset at `folder` is replaced. A crash leaves the new one, the
    old one, or in the instant between two renames the old one beside it under
    a name that begins with `.tmp-`. What else the folder holds, such as a
    training script, is not touched; then the files are replaced one after the
    other, the card last, and after a crash between them `from_preset` says
    that the preset is damaged.

    Args:
        model: A `GenerativeModel`.
        folder: Path of the folder to write.
        card: Dict of plain values to tell readers: data, command, metrics.
            Sizes, digests and versions are added.

    Raises:
        ValueError: If `folder` is a file or holds files of these names that
            are no preset's, or a network holds layers that a reader could
            not rebuild from this package and Keras alone.
        OSError: If the folder cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not _can_hold_preset(folder):
        raise ValueError(
            f"{str(folder)!r} exists and is not a preset, so it is not "
            "replaced. Choose a folder of its own for the preset."
        )
    config = _without_compilation(model.get_config())
    check_config(config)
    description = {"class": type(model).__name__, "config": config}
    # A model that was never compiled has no optimizer to write along.
    bare = type(model).from_config(without_averages(config))
    _copy_weights(model, bare)
    card = {
        "class": type(model).__name__,
        "parameters": sum(math.prod(w.shape) for w in bare.weights),
        **(card or {}),
        "versions": {
            "keras_gen": __version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }

    def write(temporary, name):
        if name == WEIGHTS:
            bare.save_weights(temporary)
        else:
            value = description if name == CONFIG else card
            temporary.write_text(json.dumps(value, indent=1) + "\n")
        if name != CARD:
            card.setdefault("files", {})[name] = describe_file(temporary)

    others = set(os.listdir(folder)) - _FILES if folder.exists() else ()
    for name in _COMPANIONS:
        if name in others:
            described = describe_file(folder / name)
            card.setdefault("files", {})[name] = described
    if others:
        for name in (WEIGHTS, CONFIG, CARD):
            with atomic_file(folder / name) as temporary:
                write(temporary, name)
        return
    with atomic_folder(folder) as temporary:
        for name in (WEIGHTS, CONFIG, CARD):
            write(temporary / name, name)


def _can_hold_preset(folder):
    """Whether no file but a preset's would be replaced in `folder`."""
    if not folder.is_dir():
        return False
    if not set(os.listdir(folder)) & _FILES:
        return True
    try:
        return "class" in read_json(folder, CONFIG)
    except (OSError, ValueError):
        return False


def load_preset(folder, load_weights, overrides, wanted):
    """Return the model in a folder, see `keras_gen.hub.from_preset`."""
    folder = Path(folder)
    if not (folder / CONFIG).exists() and not (folder / CARD).exists():
        raise ValueError(
            f"There is no preset in {str(folder)!r}: expected the files "
            f"{CONFIG}, {WEIGHTS} and {CARD}."
        )
    try:
        try:
            card = read_json(folder, CARD)
        except FileNotFoundError as error:
            raise ValueError(f"{CARD} is missing") from error
        for name in (CONFIG, WEIGHTS):
            check_file(folder, card, name)
        description = read_json(folder, CONFIG)
        cls, config = _class_of(description), description.get("config")
        if not isinstance(config, dict):
            raise ValueError(f"'config' must be a dict, not {config!r}")
        check_config(config)
        arrays = layout(folder / WEIGHTS)
        size = sum(math.prod(shape) for shape, _ in arrays.values())
        # What the models of this package build is at most a few copies.
        with _at_most_weights(4 * size + 100_000):
            model = _construct(cls, without_averages(config))
        _check_layout(model, arrays)
        if load_weights:
            model.load_weights(folder / WEIGHTS)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"The preset {str(folder)!r} is refused: {error}"
        ) from error
    if wanted is not None and not issubclass(cls, wanted):
        raise ValueError(
            f"The preset {str(folder)!r} holds a {cls.__name__}, which is no "
            f"{wanted.__name__}."
        )
    return _override(model, config, overrides, load_weights)


def _override(model, config, overrides, load_weights):
    """Return the model with averages again and other arguments."""
    cls = type(model)
    unknown = sorted(set(overrides) - set(config))
    if unknown:
        raise ValueError(
            f"`{cls.__name__}` has no arguments {unknown}. Expected some of "
            f"{sorted(config)}"
        )
    plain = {
        key: keras.saving.serialize_keras_object(value)
        for key, value in overrides.items()
    }
    full = {**config, **plain}
    if full == without_averages(config):
        return model
    other = cls.from_config(full)
    if load_weights:
        try:
            _copy_weights(model, other)
        except ValueError as error:
            raise ValueError(
                f"The weights of this {cls.__name__} do not fit it with "
                f"{sorted(overrides)} replaced; pass `load_weights=False` to "
                "train it anew."
            ) from error
    return other


def _class_of(description):
    name = description.get("class")
    models = {
        key.split(">")[1]: cls
        for key, cls in keras.saving.get_custom_objects().items()
        if isinstance(cls, type) and cls.__module__.startswith("keras_gen.mod")
    }
    if not isinstance(name, str) or name not in models:
        raise ValueError(
            f"Unknown model class {name!r}. Expected one of {sorted(models)}"
        )
    return models[name]


def _construct(cls, config):
    try:
        return cls.from_config(config)
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise ValueError(
            f"{CONFIG} does not describe a {cls.__name__}: {error}"
        ) from error


def _check_layout(model, arrays):
    """Raise unless a file holds exactly what the model would write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS
        model.save_weights(path)
        expected = layout(path)
    for name in sorted(set(expected) | set(arrays)):
        if expected.get(name) != arrays.get(name):
            raise ValueError(
                f"{WEIGHTS} does not fit its {CONFIG}: {name} is "
                f"{arrays.get(name)}, expected {expected.get(name)}"
            )


@contextlib.contextmanager
def _at_most_weights(maximum):
    """Stop the construction of layers with more weights than `maximum`."""
    add_weight, total = keras.layers.Layer.add_weight, 0

    def counting(self, shape=None, *args, **kwargs):
        nonlocal total
        total += math.prod((shape,) if isinstance(shape, int) else shape or ())
        if total > maximum:
            raise ValueError(
                f"{CONFIG} declares more weights than {WEIGHTS} holds"
            )
        return add_weight(self, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = counting
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


def _without_compilation(config):
    """Return a configuration without the optimizers of models within."""
    if isinstance(config, dict):
        return {
            key: _without_compilation(value)
            for key, value in config.items()
            if key != "compile_config"
        }
    if isinstance(config, (list, tuple)):
        return [_without_compilation(value) for value in config]
    return config


# Averaged weights.


def without_averages(config):
    """Return a model's configuration without averaged weights, in it or within.

    Models within are arguments of the model, such as the prior of a `VQVAE`.
    """

    def within(value):
        if isinstance(value, dict) and str(value.get("module")).startswith(
            "keras_gen.models."
        ):
            return {**value, "config": without_averages(value["config"])}
        return value

    plain = {key: within(value) for key, value in config.items()}
    return {**plain, "ema_decay": None} if "ema_decay" in plain else plain


def _copy_weights(source, target):
    """Copy the weights to sample with, to a model with or without averages."""
    averages = _averages(source)
    weights = [averages.get(id(w), w) for w in _own(source)]
    pairs = list(zip(weights, _own(target), strict=True))
    for weight, own in pairs:
        if tuple(weight.shape) != tuple(own.shape):
            raise ValueError(f"{weight.shape} is not {own.shape}")
    for weight, own in pairs:
        own.assign(keras.ops.convert_to_numpy(weight))
    weights = {id(w): w for w in target.weights}
    for key, average in _averages(target).items():
        average.assign(keras.ops.convert_to_numpy(weights[key]))


def _averages(model):
    """Return id of a weight to its average, in the model and those within."""
    averages = {}
    for part in (model, *model.layers):
        if getattr(part, "averaged", None) is not None:
            for name, average in part.averaged.averages.items():
                network = getattr(part, name)
                pairs = zip(network.weights, average.weights, strict=True)
                averages.update({id(w): mean for w, mean in pairs})
    return averages


def _own(model):
    """Return the weights without averages and what belongs to them."""
    kept = {
        id(w)
        for part in (model, *model.layers)
        if getattr(part, "averaged", None) is not None
        for w in part.averaged.weights
    }
    return [w for w in model.weights if id(w) not in kept]
