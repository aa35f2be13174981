"""Pretrained models by name: `from_preset`, `list_presets`, their cards."""

from keras_gen.training.preset_files import CONFIG
from keras_gen.training.preset_files import WEIGHTS
from keras_gen.training.preset_names import built_in
from keras_gen.training.preset_names import find
from keras_gen.training.preset_names import read_card
from keras_gen.training.presets import load_preset
from keras_gen.training.presets import save_to_preset

__all__ = ["from_preset", "list_presets", "save_to_preset"]


def from_preset(preset, load_weights=True, **overrides):
    """Load a model that `save_to_preset` wrote.

    Size and SHA-256 of the files are compared with those in its `card.json`,
    and nothing in them is executed: the class is looked up among the models of
    this package, networks may consist of Keras's and this package's layers
    only, and the weights are numbers. This protects from damage, and from code
    in files; it does not tell who wrote them.

    Args:
        preset: Name of a preset of `list_presets()`, path of a folder written
            on any backend, or `"hf://organisation/name"`, at a revision with
            `"hf://organisation/name@revision"`, which is downloaded once with
            `huggingface_hub`.
        load_weights: Bool. False leaves the random weights of a new model, to
            train the same architecture anew.
        **overrides: Arguments of the model to replace, such as `ema_decay`.

    Returns:
        The model, not compiled, with the weights to sample with.

    Raises:
        ValueError: If there is no such preset, a file of it is damaged, holds
            what a preset may not, or does not fit the others.
        ImportError: For `"hf://..."` without `huggingface_hub`.

    Example:
    >>> model = keras_gen.from_preset("vae_mnist")
    >>> model.generate(4, seed=0).shape
    (4, 28, 28, 1)
    """
    return load_preset(find(preset), load_weights, overrides, wanted=None)


def list_presets():
    """Return name to card of the presets that come with the package."""
    return {name: read_card(name) for name in built_in()}


def size_of(card):
    """Return the bytes of the files that a preset is loaded from."""
    files = card["files"]
    return sum(files[name]["size"] for name in (CONFIG, WEIGHTS))


def headline(card):
    """Return the lowest Frechet distance of a card, or else its last figure."""
    figures = card["metrics"]
    distances = [f for f in figures if "fd_" in f["name"]]
    return min(distances, key=lambda f: f["value"], default=figures[-1])


def describe_metric(figure):
    """Return a figure of a card as text."""
    error = f" ± {figure['error']:.2g}" if "error" in figure else ""
    return f"{figure['name']} {figure['value']:.4g}{error}"
