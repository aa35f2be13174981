"""The same script gives the same numbers on every backend.

Runs three processes, one a backend, from the TensorFlow session only.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cases import CASES
from tests.conftest import BACKEND

BACKENDS = ("tensorflow", "jax", "torch")

pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow"
    or not all(importlib.util.find_spec(name) for name in BACKENDS),
    reason="runs once, under TensorFlow, with all backends installed",
)


def run(backend, *arguments):
    """Run this file as a script under a backend and return what it prints."""
    output = subprocess.run(
        [sys.executable, "-m", "tests.test_backends", *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The curves of each backend, and where each saved its cases."""
    root = tmp_path_factory.mktemp("presets")
    return {b: run(b, "train", root / b) for b in BACKENDS}, root


def test_loss_curves_agree(trained):
    """Equal weights, equal noise: equal losses over 30 steps."""
    curves, _ = trained
    assert {key[:3] for key in curves["tensorflow"]} == {"vae", "gan"}
    for key, reference in curves["tensorflow"].items():
        assert len(reference) == 30
        assert abs(reference[-1] - reference[0]) > 1e-2  # something happens
        for backend in BACKENDS[1:]:
            np.testing.assert_allclose(
                curves[backend][key], reference, rtol=2e-5, atol=2e-5
            )


def test_a_model_saved_on_one_backend_generates_alike_on_all(trained):
    """Each backend saves a third of the cases; each draws from all of them."""
    _, root = trained
    images = {b: run(b, "generate", root) for b in BACKENDS}
    assert len(images["tensorflow"]) == len(CASES)
    for preset, reference in images["tensorflow"].items():
        assert np.std(reference) > 0.01
        for backend in BACKENDS[1:]:
            difference = np.subtract(images[backend][preset], reference)
            assert np.abs(difference).max() < 1e-4, (preset, backend)


def _table_noise(shape, seed):
    """Stand in for `keras.random.normal`: row t of one table for draw t."""
    from keras import ops

    rows, dimensions = 32, int(shape[-1])
    table = np.random.default_rng(0).standard_normal((256, rows * 3))
    table = ops.convert_to_tensor(table.astype("float32"))
    t = ops.cast(seed.next()[1], "int32")
    row = ops.reshape(ops.take(table, t, axis=0), (rows, 3))
    return row[:, :dimensions]


def _train(folder):
    """Save a third of the cases, then train two of other noise."""
    import keras

    _save(folder)
    keras.random.normal = _table_noise
    return {
        f"{name}: {key}": values
        for name in ("vae", "gan")
        for key, values in _curve(name).items()
    }


def _curve(name):
    import keras

    import keras_gen as kg

    model = CASES[name]()
    rng = np.random.default_rng(1)
    model.set_weights(
        [0.3 * rng.standard_normal(w.shape) for w in model.get_weights()]
    )
    full = kg.data.load("digits")
    data = kg.data.ImageDataset(full.images[:96], None, 32)
    curves = {}

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for key, value in logs.items():
                curves.setdefault(key, []).append(float(value))

    model.fit(data, epochs=10, verbose=0, callbacks=[Record()])
    return curves


def _save(folder):
    """Save a third of the cases, with every value moved."""
    import keras

    own = BACKENDS.index(keras.backend.backend())
    for name in list(CASES)[own :: len(BACKENDS)]:
        keras.utils.set_random_seed(1)
        model = CASES[name]()
        rng = np.random.default_rng(1)
        for v in model.weights:
            if v.dtype == "float32":  # variances and counts stay positive
                value = np.array(keras.ops.convert_to_numpy(v))
                value *= rng.uniform(0.5, 1.5, v.shape)
                v.assign(value + rng.uniform(0.0, 0.1, v.shape))
        model.save_to_preset(Path(folder) / name)


def _generate(folder):
    import keras_gen as kg
    from tests.checks import generate

    images = {}
    for path in sorted(Path(folder).glob("*/*/config.json")):
        model, options = kg.from_preset(path.parent), {}
        if isinstance(model, kg.models.FlowMatching):
            options = {"num_steps": 20}  # long enough for errors to grow
        samples = generate(model, 4, seed=0, **options)
        images[str(path.parent.relative_to(folder))] = samples.tolist()
    return images


if __name__ == "__main__":
    command, argument = sys.argv[1:]
    commands = {"train": _train, "generate": _generate}
    print(json.dumps(commands[command](argument)))
