"""Checks of what a person hands to a model, with messages that say the fix."""

import keras
import numpy as np

_SCALING = (
    "Scale 8-bit pixels with `x.astype('float32') / 127.5 - 1`, or let "
    "`keras_gen.data.load` do it."
)


def check_positive_integer(value, name):
    """Return `value` as an int, or raise if it is not an integer above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}"
        )
    if value < 1:
        raise ValueError(
            f"`{name}` must be at least 1. Received: {name}={value}"
        )
    return int(value)


def check_non_negative(value, name):
    """Return `value` as a float, or raise if it is negative or not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not (np.isfinite(number) and number >= 0):
        raise ValueError(
            f"`{name}` must be a finite number of at least 0. "
            f"Received: {name}={value!r}"
        )
    return number


def check_seed(seed):
    """Return `seed` as an int, or raise if it is not an integer above -1."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r}")
    if seed < 0:
        raise ValueError(f"`seed` must be at least 0. Received: seed={seed}")
    return int(seed)


def check_known(known, shape):
    """Return the mask `known` broadcast to images of `shape`, or raise."""
    known = np.asarray(known)
    if known.dtype != bool:
        raise ValueError(
            "`known` must be a bool array, True where a pixel is kept. "
            f"Received: dtype {known.dtype}"
        )
    try:
        return np.broadcast_to(known, shape)
    except ValueError:
        raise ValueError(
            f"`known` must broadcast to the images, {shape}. Received: shape "
            f"{known.shape}"
        ) from None


def check_ends(start, end, steps):
    """Raise unless `steps` images can lie between each of `start` and `end`."""
    if check_positive_integer(steps, "steps") < 2:
        raise ValueError("`steps` must be at least 2. Received: steps=1")
    if len(start) != len(end):
        raise ValueError(
            "`start` and `end` must hold as many images. Received: "
            f"{len(start)} and {len(end)}"
        )


def check_network(network, name, num_outputs=1, num_inputs=1):
    """Raise unless `network` is built and has the expected outputs.

    Args:
        network: Functional or `Sequential` model that knows its input shape.
        name: String, the argument's name, for the message.
        num_outputs: Integer, how many tensors the network must return.
        num_inputs: Integer, how many it must take.
    """
    if not isinstance(network, keras.Model):
        raise ValueError(
            f"`{name}` must be a `keras.Model`. Received: {network!r} of type "
            f"{type(network).__name__}"
        )
    if not network.built or not network.outputs:
        raise ValueError(
            f"`{name}` must know its input shape when it is passed: start it "
            "with a `keras.Input`. Received an unbuilt model."
        )
    if (len(network.inputs), len(network.outputs)) != (num_inputs, num_outputs):
        raise ValueError(
            f"`{name}` must have {num_inputs} input(s) and {num_outputs} "
            "output(s). "
            f"Received: {len(network.inputs)} input(s) and "
            f"{len(network.outputs)} output(s)."
        )


def check_batch(x, shape, model_name, kind="float"):
    """Raise unless `x` is a batch of samples of `shape`.

    Looks only at dtype and shape, so it also works on symbolic tensors.

    Args:
        x: Tensor or array.
        shape: Tuple, the shape of one sample.
        model_name: String for the message.
        kind: `"float"`, or `"int"` for codes.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    if kind == "int" and "int" not in dtype:
        raise ValueError(
            f"`{model_name}` expects codes, integers. Received: dtype={dtype}"
        )
    if kind == "float" and "float" not in dtype:
        raise ValueError(
            f"`{model_name}` expects floating-point data in [-1, 1]. "
            f"Received: dtype={dtype}. {_SCALING}"
        )
    received = tuple(x.shape)
    expected = (None, *shape)
    fits = len(received) == len(expected) and all(
        e is None or r is None or r == e
        for r, e in zip(received[1:], expected[1:])
    )
    if not fits:
        raise ValueError(
            f"`{model_name}` expects batches of shape {expected}, channels "
            f"last. Received: shape={received}"
        )


def check_array(x, shape, model_name):
    """`check_batch` of an array; of images, also that it has any in range."""
    check_batch(x, shape, model_name)
    if len(shape) == 3:
        check_range(x, model_name)


def check_not_empty(x):
    """Raise if arrays, or lists or dicts of them, have no rows."""
    if len(keras.tree.flatten(x)[0]) == 0:
        raise ValueError("There is nothing to compute: received 0 samples.")


def check_range(x, model_name, beyond=0.001):
    """Raise if the pixels of the array `x` cannot be in [-1, 1].

    They may be `beyond` outside. NaN passes: whether to stop on it is the
    `StopOnNaN` callback's business.
    """
    if x.size == 0:
        raise ValueError(
            f"`{model_name}` received an empty batch: shape={x.shape}."
        )
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    if low < -1.0 - beyond or high > 1.0 + beyond:
        raise ValueError(
            f"`{model_name}` expects pixels in [-1, 1]. Received values in "
            f"[{low:g}, {high:g}]. {_SCALING}"
        )


def check_labels(labels, n, num_classes):
    """Return labels as an integer array `(n,)`, None without, or raise.

    Args:
        labels: Integer, or sequence of n integers, in [0, num_classes).
        n: Integer.
        num_classes: Integer, or None for a model that takes no labels.
    """
    if num_classes is None:
        if labels is not None:
            raise ValueError(
                f"This model is not conditional. Received: labels={labels!r}"
            )
        return None
    if labels is None:
        raise ValueError(
            "This model is conditional: `labels` must be an integer, or one "
            f"integer for each sample, in [0, {num_classes}). "
            "Received: labels=None"
        )
    array = np.asarray(labels)
    if array.dtype.kind not in "iu" or array.shape not in ((), (n,)):
        raise ValueError(
            f"`labels` must be an integer, or {n} integers. Received: "
            f"dtype={array.dtype}, shape={array.shape}"
        )
    if array.min() < 0 or array.max() >= num_classes:
        raise ValueError(
            f"`labels` must be in [0, {num_classes}). Received values in "
            f"[{array.min()}, {array.max()}]"
        )
    return np.broadcast_to(array, (n,)).astype("int32")


def check_codes(codes, shape, sizes, name):
    """Raise unless `codes` are integers of a codebook, in a batch of grids.

    Args:
        codes: Array.
        shape: Tuple (height, width, codebooks), the shape of one grid.
        sizes: Tuple of integers, the codes in each codebook.
        name: String for the message.
    """
    if codes.dtype.kind not in "iu" or codes.shape[1:] != tuple(shape):
        raise ValueError(
            f"`{name}` expects integers of shape {(None, *shape)}. Received: "
            f"dtype={codes.dtype}, shape={codes.shape}"
        )
    if codes.size and (codes.min() < 0 or (codes >= np.array(sizes)).any()):
        raise ValueError(
            f"`{name}` expects codes in [0, {max(sizes)}). Received values in "
            f"[{codes.min()}, {codes.max()}]"
        )
