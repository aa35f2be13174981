"""Models as folders: a configuration of plain types and a file of weights."""

import json
import warnings
from pathlib import Path

from keras_gen import models
from keras_gen.training.presets import CONFIG
from keras_gen.training.presets import WEIGHTS
from keras_gen.training.presets import check_classes
from keras_gen.training.presets import digest
from keras_gen.training.presets import save_to_preset

__all__ = ["from_preset", "save_to_preset"]


def from_preset(folder):
    """Load a model from a folder that `save_to_preset` wrote.

    Nothing in the folder is executed: the class is looked up among the models
    of this package, networks may consist of Keras's and this package's layers
    only, and the weights are numbers.

    Args:
        folder: Path of the folder, written on any backend.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: If the folder is not a preset, names an unknown class, or
            its weights do not fit its configuration.

    Example:
    >>> model.save_to_preset("runs/vae/model")
    >>> model = keras_gen.from_preset("runs/vae/model")
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / CONFIG).read_text())
        class_name, config = description["class"], description["config"]
        if not isinstance(config, dict):
            raise ValueError(f"'config' must be a dict, not {config!r}")
    except FileNotFoundError as error:
        raise ValueError(
            f"There is no preset in {str(folder)!r}: expected the files "
            f"{CONFIG} and {WEIGHTS}."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(folder / CONFIG)!r} is damaged or not a preset: {error}"
        ) from error
    if class_name not in models.__all__:
        raise ValueError(
            f"Unknown model class {class_name!r}. Expected one of "
            f"{models.__all__}"
        )
    check_classes(config)
    try:
        model = getattr(models, class_name).from_config(config)
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"{str(folder / CONFIG)!r} does not describe a {class_name}: "
            f"{error}"
        ) from error
    try:
        # Presets written before digests have none.
        expected = description.get("sha256")
        if expected not in (None, digest(folder / WEIGHTS)):
            raise ValueError("its SHA-256 is another")
        with warnings.catch_warnings():
            # Where a file lacks weights, Keras may only warn.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise ValueError(
            f"{str(folder / WEIGHTS)!r} is damaged or does not fit its "
            f"{CONFIG}: {error}"
        ) from error
    return model
