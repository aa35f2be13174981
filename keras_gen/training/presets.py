"""Models as folders: a configuration, weights, and a card of both."""

import contextlib
import errno
import importlib.metadata
import json
import math
import os
import platform
import tempfile
import threading
from pathlib import Path

import keras
import numpy as np
from keras.ops import convert_to_numpy

from keras_gen._version import __version__
from keras_gen.files import atomic_file
from keras_gen.files import atomic_folder
from keras_gen.files import check_space
from keras_gen.training.preset_files import CARD
from keras_gen.training.preset_files import CONFIG
from keras_gen.training.preset_files import WEIGHTS
from keras_gen.training.preset_files import check_config
from keras_gen.training.preset_files import check_file
from keras_gen.training.preset_files import describe_file
from keras_gen.training.preset_files import halve
from keras_gen.training.preset_files import layout
from keras_gen.training.preset_files import plain_file
from keras_gen.training.preset_files import read_json
from keras_gen.training.preset_names import built_in
from keras_gen.training.preset_names import forget_download

_FILES = {CONFIG, WEIGHTS, CARD}
# Beside them in an entry of the zoo; the card holds their digests as well.
_COMPANIONS = (
    "reconstructions.png",
    "samples.png",
    "training.gif",
    "traversals.png",
)


def save_to_preset(model, folder, card=None, half_precision=False):
    """Write `config.json`, `model.weights.h5` and `card.json`.

    The weights are those to sample with: averaged ones where the model keeps
    averages. Optimizers, random state and the labelled samples of a
    `SemiSupervisedGAN` are not written; to go on training as if nothing had
    happened, use `callbacks.Checkpoint` or `model.save`.

    An existing preset at `folder` is replaced. A crash leaves the new one, the
    old one, or in the instant between two renames the old one beside it under
    a name that begins with `.tmp-`. What else the folder holds, such as a
    training script, is not touched; then the files are replaced one after the
    other, the card last, and after a crash between them `from_preset` says
    that the preset is damaged.

    Args:
        model: A `GenerativeModel`.
        folder: Path of the folder to write.
        card: Dict of plain values to tell readers: `summary`, `data`,
            `command`, ...; `metrics` is a list of dicts of `name`, `value` and
            `protocol`, and `error` if known. Sizes, digests and versions are
            added.
        half_precision: Bool, whether to round trained matrices and kernels to
            float16, 11 bits, for half the size. The model that is read
            computes as this one does, from the rounded values. Biases and
            statistics stay as they are.

    Raises:
        ValueError: If `folder` is a file or holds files of these names that
            are no preset's, or is the bare name of a preset of the package,
            a network holds layers that a reader could
            not rebuild from this package and Keras alone, or a weight is not
            finite, which in half precision ends at 65,504.
        TypeError: If `card` holds what JSON cannot.
        OSError: If the folder cannot be written.
    """
    if isinstance(folder, str) and folder in built_in():
        raise ValueError(
            f"{folder!r} is a preset of the package, which `from_preset` would "
            f"read in its place. Choose another name, or './{folder}'."
        )
    folder = Path(folder)
    if folder.exists() and not _can_hold_preset(folder):
        raise ValueError(
            f"{str(folder)!r} exists and is not a preset, so it is not "
            "replaced. Choose a folder of its own for the preset."
        )
    config = _without_compilation(model.get_config())
    check_config(config)
    description = {"class": type(model).__name__, "config": config}
    if _class_of(description) is not type(model):
        raise ValueError(
            "A preset may hold models of keras_gen.models only. Received: "
            f"{type(model)}"
        )
    # A model that was never compiled has no optimizer to write along.
    bare = type(model).from_config(without_averages(config))
    _copy_weights(model, bare)
    if half_precision:
        _round(bare)
    for state in bare.random_state():
        state.assign(0 * convert_to_numpy(state))
    backend = keras.backend.backend()
    card = {
        **(card or {}),
        "class": type(model).__name__,
        "parameters": sum(math.prod(w.shape) for w in bare.weights),
        "versions": {
            "keras_gen": __version__,
            "keras": keras.__version__,
            backend: importlib.metadata.version(backend),
            "python": platform.python_version(),
        },
        "files": {},
    }
    # Fails before anything is replaced if there is what JSON cannot hold.
    texts = {CONFIG: _json(description), CARD: _json(card)}

    def write(temporary, name):
        if name == WEIGHTS:
            check_space(temporary.parent, bare.variables)
            bare.save_weights(temporary)
            if half_precision:
                halve(temporary)
            layout(temporary)  # fails for what a reader would refuse
        else:
            text = texts[CONFIG] if name == CONFIG else _json(card)
            temporary.write_text(text)
        if name != CARD:
            card["files"][name] = describe_file(temporary)

    others = set(os.listdir(folder)) - _FILES if folder.exists() else set()
    for name in sorted(others & set(_COMPANIONS)):
        card["files"][name] = describe_file(folder / name)
    if others:
        # The class first, by which the rest is known as ours; the card last,
        # without which it is no preset yet.
        for name in (CONFIG, WEIGHTS, CARD):
            with atomic_file(folder / name) as temporary:
                write(temporary, name)
        return
    with atomic_folder(folder) as temporary:
        for name in (CONFIG, WEIGHTS, CARD):
            write(temporary / name, name)


def _round(model):
    """Round trained matrices and kernels to what float16 holds."""
    for part in model.layers:  # some may be frozen, such as a prior
        part.trainable = True
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            value = convert_to_numpy(weight)
            with np.errstate(over="ignore"):  # `layout` refuses infinity
                weight.assign(value.astype(np.float16).astype(value.dtype))


def _json(value):
    return json.dumps(value, indent=1) + "\n"


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
    inner = folder / "model"
    if not (folder / CONFIG).exists() and not (folder / CARD).exists():
        raise ValueError(
            f"There is no preset in {str(folder)!r}: expected the files "
            f"{CONFIG}, {WEIGHTS} and {CARD}."
            + (" Did you mean its folder 'model'?" if inner.is_dir() else "")
        )
    try:
        model = _verified_model(folder, load_weights, wanted)
    except MemoryError:
        raise
    # Whatever else goes wrong, the files are the reason, or the disk is full.
    except Exception as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG):
            raise
        reason = " ".join(str(error).split())[:400]
        raise ValueError(
            f"The preset {str(folder)!r} is refused: {reason}"
        ) from error
    return _override(model, overrides) if overrides else model


def _verified_model(folder, load_weights, wanted):
    try:
        cls, config, arrays = _checked(folder)
    except ValueError:
        forget_download(folder)
        raise
    if wanted is not None and not issubclass(cls, wanted):
        raise ValueError(
            f"it holds a {cls.__name__}, which is no {wanted.__name__}"
        )
    size = sum(math.prod(shape) for shape, _ in arrays.values())
    # What the models of this package build is at most a few copies.
    with _building(4 * size + 100_000, random=not load_weights):
        plain = _construct(cls, without_averages(config))
        _check_layout(plain, arrays)
        if load_weights:
            # Random states are not those of the training.
            states = [
                (state, np.array(convert_to_numpy(state)))
                for state in plain.random_state()
            ]
            plain.load_weights(folder / WEIGHTS)
            for state, value in states:
                state.assign(value)
        if config == without_averages(config):
            return plain
        model = _construct(cls, config)
        _copy_weights(plain, model)
    return model


def _checked(folder):
    """Return class, configuration and layout of the weights of a preset."""
    try:
        card = read_json(folder, CARD)
    except FileNotFoundError as error:
        raise ValueError(f"{CARD} is missing") from error
    for name in (CONFIG, WEIGHTS):
        check_file(folder, card, name)
    for name in card["files"]:  # others, such as pictures, may be missing
        if plain_file(folder, name).exists():
            check_file(folder, card, name)
    description = read_json(folder, CONFIG)
    cls, config = _class_of(description), description.get("config")
    if not isinstance(config, dict):
        raise ValueError(f"'config' must be a dict, not {config!r}")
    check_config(config)
    try:
        return cls, config, layout(folder / WEIGHTS)
    except OSError as error:
        raise ValueError(f"{WEIGHTS} is damaged: {error}") from error


def _override(model, overrides):
    """Return a model with other arguments and the networks of this one."""
    cls, config = type(model), model.get_config()
    unknown = sorted(set(overrides) - set(config))
    if unknown:
        raise ValueError(
            f"`{cls.__name__}` has no arguments {unknown}. Expected some of "
            f"{sorted(config)}"
        )
    kept = {key: v for key, v in config.items() if key not in overrides}
    other = cls(**cls.read_config(kept), **overrides)
    given = {
        id(w)
        for part in overrides.values()
        for w in getattr(part, "weights", ())
    }
    # Its arguments, and what it built of them: a prior, statistics of codes.
    built = [name for name in vars(model) if name not in config]
    for name in [*kept, *built]:
        pairs = zip(_parts(model, name), _parts(other, name), strict=False)
        for source, target in pairs:
            if name in kept or _alike(source, target, given):
                _copy_weights(source, target)
    _renew_averages(other)
    return other


def _parts(model, name):
    """Return the layers that an attribute of a model is, or is a list of."""
    value = getattr(model, name, None)
    values = value if isinstance(value, (list, tuple)) else [value]
    return [v for v in values if isinstance(v, keras.layers.Layer)]


def _alike(source, target, given):
    """Return whether the weights fit, and none of the target's was given."""
    shapes = [[tuple(w.shape) for w in _own(part)] for part in (source, target)]
    return shapes[0] == shapes[1] and not any(
        id(w) in given for w in target.weights
    )


def _class_of(description):
    name = description.get("class")
    models = {
        key.split(">")[1]: cls
        for key, cls in keras.saving.get_custom_objects().items()
        if isinstance(cls, type)
        and cls.__module__.startswith("keras_gen.models.")
    }
    if not isinstance(name, str) or name not in models:
        raise ValueError(
            f"Unknown model class {name!r:.80}. Expected one of "
            f"{sorted(models)}"
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
        check_space(folder, model.variables)
        model.save_weights(path)
        expected = layout(path)
    for name in sorted(set(expected) | set(arrays)):
        found, wanted = arrays.get(name), expected.get(name)
        if found not in (wanted, _half_precision(wanted)):
            raise ValueError(
                f"{WEIGHTS} does not fit its {CONFIG}: {name} is "
                f"{found}, expected {wanted}"
            )


def _half_precision(array):
    """Return shape and dtype of an array as `halve` may leave it."""
    if array is None or array[1] != "float32" or len(array[0]) < 2:
        return array
    return array[0], "float16"


_BUILDING = threading.Lock()


@contextlib.contextmanager
def _building(maximum, random):
    """Stop this thread from building layers of more weights than `maximum`.

    Unless `random`, weights that would start at random start at zero, as they
    are about to be read: on JAX each shape of random weights is compiled.
    """
    with _BUILDING:
        add_weight, total = keras.layers.Layer.add_weight, 0
        thread = threading.get_ident()

        def limited(self, shape=None, initializer=None, *args, **kwargs):
            nonlocal total
            if threading.get_ident() == thread:
                one = isinstance(shape, int)
                total += math.prod((shape,) if one else shape or ())
                start = keras.initializers.get(initializer or "glorot_uniform")
                if not random and hasattr(start, "seed"):
                    initializer = "zeros"
            if total > maximum:
                raise ValueError(
                    f"{CONFIG} declares more weights than {WEIGHTS} holds"
                )
            return add_weight(self, shape, initializer, *args, **kwargs)

        keras.layers.Layer.add_weight = limited
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
        own.assign(convert_to_numpy(weight))
    _renew_averages(target)


def _renew_averages(model):
    """Let averages begin at the weights."""
    weights = {id(w): w for w in model.weights}
    for key, average in _averages(model).items():
        average.assign(convert_to_numpy(weights[key]))


def _averages(model):
    """Return id of a weight to its average, in the model and those within."""
    averages = {}
    for part in (model, *getattr(model, "layers", ())):
        if getattr(part, "averaged", None) is not None:
            for name, average in part.averaged.averages.items():
                network = getattr(part, name)
                pairs = zip(network.weights, average.weights, strict=True)
                averages.update({id(w): mean for w, mean in pairs})
    return averages


def _own(model):
    """Return the weights without averages and without training data."""
    kept = {
        id(w)
        for part in (model, *getattr(model, "layers", ()))
        if getattr(part, "averaged", None) is not None
        for w in part.averaged.weights
    }
    return [
        w
        for w in model.weights
        if id(w) not in kept and not getattr(w, "is_data", False)
    ]
