"""What reaches a training step: unpacked, and checked before it compiles."""

import warnings

import keras
from keras import ops

from keras_gen import checks


def check_first_batch(model, x, y=None):
    """Check shape, dtype and range before anything is compiled."""
    name = type(model).__name__
    if x is None:
        raise ValueError(f"`{name}.fit` needs data. Received: x=None")
    if isinstance(x, dict):
        x, y, _ = unpack(x)
    try:
        length = len(x)
    except TypeError:  # unknown or infinite
        length = None
    if length == 0:
        raise ValueError(
            f"`{name}` received an empty data set: {type(x).__name__} of "
            "length 0."
        )
    if hasattr(x, "shape"):
        batch = x[:256]
    elif isinstance(x, keras.utils.PyDataset):
        batch, y, _ = unpack(x[0])
    elif hasattr(x, "__iter__") and not hasattr(x, "__next__"):
        batch, y, _ = unpack(next(iter(x), None))
        if batch is None:
            raise ValueError(f"`{name}` received an empty data set.")
    else:  # A generator: looking at it would use up a batch.
        return
    batch = ops.convert_to_numpy(batch)
    if model.data_dtype == "int32":
        # All where they are at hand: no step looks at them.
        codes = x if hasattr(x, "shape") else getattr(x, "images", batch)
        codes = ops.convert_to_numpy(codes)
        checks.check_codes(codes, model.data_shape, (model.num_codes,), name)
    else:
        checks.check_batch(batch, model.data_shape, name)
    if model.num_classes is not None and getattr(model, "takes_labels", True):
        # All labels where they are at hand: no step looks at them.
        n = len(x) if hasattr(x, "shape") else len(batch)
        if hasattr(x, "serves_tuples_of_arrays") and x.labels is not None:
            n, y = len(x.labels), x.labels  # of our own sets
        if y is not None:
            y = ops.convert_to_numpy(y)
        checks.check_labels(y, n, model.num_classes)
    if len(model.data_shape) >= 3 and model.data_dtype == "float32":
        checks.check_range(batch, name)
        if batch.min() >= 0 and batch.max() > 0.5:
            warnings.warn(
                f"`{name}` expects pixels in [-1, 1], and the first batch "
                "has none below 0. If yours are in [0, 1], pass "
                "`2 * x - 1`.",
                stacklevel=4,
            )


def unpack(data):
    """Return `(x, y, sample_weight)` of any batch that Keras passes on."""
    if isinstance(data, list):  # torch loaders
        data = tuple(data)
    if isinstance(data, dict):
        if "image" not in data:
            raise ValueError(
                "A dict of data must have the key 'image' and may have "
                f"'label'. Received: {sorted(data)}"
            )
        return data["image"], data.get("label"), None
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, dict):  # Keras passes a dict on as the only input
        return unpack(x)
    return x, y, sample_weight
