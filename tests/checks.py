"""Checks that hold for every generative model."""

import json
from unittest import mock

import keras
import numpy as np

import keras_gen as kg
from tests.conftest import host


def check_generative_model(make_model, data, folder):
    """Check everything that `GenerativeModel` promises.

    Args:
        make_model: Callable that returns a compiled model.
        data: `ImageDataset` of a few batches.
        folder: `pathlib.Path` to write to.
    """
    model = make_model()
    data = suited(model, data)
    _check_training_argument(model, data)  # first: it listens to the tracing
    _check_fit(model, data)
    _check_evaluation(model, data)
    _check_generate(model)
    _check_config(model)
    _check_preset(model, folder / "preset")
    _check_keras_file(model, data, folder / "model.keras")


def suited(model, data):
    """Return `data` the way the model takes it.

    Grids of 2x2 codes in [0, 5) if it takes codes; pairs of digits and their
    negatives if it takes pairs.

    Args:
        model: A `GenerativeModel`.
        data: `ImageDataset` of digits.
    """
    if model.data_shape[0] == 2 and len(model.data_shape) == 4:
        pairs = np.stack([data.images, -data.images], axis=1)
        return kg.data.ImageDataset(pairs, data.labels, data.batch_size)
    if model.data_dtype == "float32":
        return data
    n = len(data.images)
    means = data.images.reshape(n, 2, 4, 2, 4).mean(axis=(2, 4))
    codes = np.digitize(means, [-0.6, -0.4, -0.2, 0.0])[..., None]
    return kg.data.ImageDataset(
        codes.astype("int32"), data.labels, data.batch_size
    )


def state(model):
    """Return every value that decides how training goes on, by position."""
    variables = [*model.variables, *model.optimizer.variables]
    return [host(v).copy() for v in variables]


def assert_same_state(a, b):
    assert len(a) == len(b)
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        assert x.dtype == y.dtype and x.shape == y.shape
        assert x.tobytes() == y.tobytes(), f"variable {i} differs"


def _check_training_argument(model, data):
    """Networks hear whether they train, but for an estimate to show them."""
    shown = {False} if getattr(model, "self_conditioning", False) else set()
    for run, expected in ((model.fit, {True}), (model.evaluate, {False})):
        with mock.patch.object(
            keras.Model,
            "__call__",
            autospec=True,
            side_effect=keras.Model.__call__,
        ) as call:
            run(data, verbose=0)
        heard = {c.kwargs.get("training") for c in call.call_args_list}
        assert heard | shown == expected | shown


def _check_fit(model, data):
    before = {v.path: host(v).copy() for v in model.trainable_variables}
    history = model.fit(data, epochs=2, validation_data=data, verbose=0).history
    training = {name for name in history if not name.startswith("val_")}
    assert training == set(model.log_means)
    assert set(history) == training | {f"val_{name}" for name in training}
    for name, values in history.items():
        assert len(values) == 2 and np.isfinite(values).all(), name
    for v in model.trainable_variables:
        assert not np.array_equal(before[v.path], host(v)), (
            f"{v.path} did not move"
        )
    if hasattr(model, "codes"):  # what it draws from
        assert host(model.codes.mass) > 0


def _check_evaluation(model, data):
    """Nothing but random state and log averages may change."""
    before = [host(v).copy() for v in model.weights]
    logs = model.evaluate(data, return_dict=True, verbose=0)
    assert set(logs) == set(model.log_means)
    for old, new in zip(before, model.weights, strict=True):
        assert np.array_equal(old, host(new)), f"{new.path} moved"


def generate(model, n, **options):
    """Draw samples, of the classes 0, 1, ... if the model has classes."""
    if getattr(model, "has_condition", False):
        options["condition"] = np.zeros((n, *model.data_shape), "float32")
    if model.num_classes is not None:
        options["labels"] = np.arange(n) % model.num_classes
    return model.generate(n, **options)


def _check_generate(model):
    images = generate(model, 3, seed=3)
    assert images.shape == (3, *model.data_shape)
    assert images.dtype == model.data_dtype
    high = 1 if images.dtype == np.float32 else model.num_codes - 1
    assert images.min() >= -1 and images.max() <= high
    assert np.array_equal(images, generate(model, 3, seed=3))
    assert not np.array_equal(images, generate(model, 3, seed=4))
    np.testing.assert_allclose(
        images, generate(model, 3, seed=3, batch_size=2), atol=1e-5
    )
    # Sample i does not depend on how many are drawn with it.
    np.testing.assert_allclose(
        images[:2], generate(model, 2, seed=3), atol=1e-5
    )


def _check_config(model):
    config = json.loads(json.dumps(model.get_config()))
    copy = type(model).from_config(config)
    assert json.loads(json.dumps(copy.get_config())) == config
    assert [w.shape for w in copy.weights] == [w.shape for w in model.weights]


def _check_preset(model, folder):
    model.save_to_preset(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json",
        "config.json",
        "model.weights.h5",
    ]
    # Equal samples, but for the rounding of many steps.
    np.testing.assert_allclose(
        generate(kg.from_preset(folder), 2, seed=0),
        generate(model, 2, seed=0),
        rtol=0,
        atol=1e-5 if hasattr(model, "denoising_trajectory") else 0,
    )


def _check_keras_file(model, data, path):
    """A saved model goes on training as the original does, bit for bit."""
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert_same_state(state(model), state(loaded))
    for m in (model, loaded):
        keras.utils.set_random_seed(9)  # torch's Dropout, see `_torch.py`
        m.fit(data, epochs=1, verbose=0)
    assert_same_state(state(model), state(loaded))
