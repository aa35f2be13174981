"""Shared fixtures. Run with KERAS_BACKEND set to the backend to test."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Two test processes on two cores: more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# Many tests build the same small networks: let JAX compile each program once,
# for this process and those it starts, and not for speed.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.mkdtemp(prefix="jax-cache-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)

try:  # torch after TensorFlow can crash the interpreter
    import torch  # noqa: F401
except ImportError:
    pass

import keras
import numpy as np
import pytest

import keras_gen as kg

BACKEND = keras.backend.backend()
LONGEST = (
    "test_resume.py",
    "test_all.py",
    "test_backends.py",
    "test_comparison.py",
    "test_model.py",
    "test_cli.py",
)


def optimize_graphs(on):
    """Turn TensorFlow's optimizer of graphs on, or off to start sooner."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options(
            {"disable_meta_optimizer": not on}
        )


optimize_graphs(False)


def pytest_collection_modifyitems(items):
    """Begin with the longest files, so that none is left for one worker."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def data_folder(name):
    """Return a folder of real data beside the checkout, or skip."""
    root = os.environ.get("KERAS_GEN_TEST_DATA")
    if root is None:
        root = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in KERAS_GEN_TEST_DATA or ../shared/data")
    return folder


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


@pytest.fixture(scope="session")
def digits():
    """96 digits in batches of 32."""
    full = kg.data.load("digits")
    return kg.data.ImageDataset(full.images[:96], full.labels[:96], 32)


def tensor(x):
    """Return an array as a float32 tensor of the backend."""
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


def host(x):
    """Return a tensor or variable as a NumPy array."""
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.fixture
def preset(tmp_path):
    """The folder of a small model."""
    from tests.cases import CASES  # which builds on what is above

    CASES["vae"]().save_to_preset(tmp_path / "vae")
    return tmp_path / "vae"
