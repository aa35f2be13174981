"""A resumed run equals one that was never interrupted, bit for bit.

Each backend resumes some of the cases, as each takes two processes. That every
case goes on alike from a saved file, within one, is among the shared checks.
"""

import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES
from tests.checks import state
from tests.checks import suited
from tests.conftest import BACKEND
from tests.conftest import host
from tests.conftest import optimize_graphs

EVERYWHERE = {
    "vae",
    "vqvae",
    "gan_conv",
    "semi_supervised_gan",
    "flow_matching",
}
OWN = list(CASES)[("tensorflow", "jax", "torch").index(BACKEND) :: 3]
NAMES = [name for name in CASES if name in {*EVERYWHERE, *OWN}]


def train(name, data, folder, epochs=4, seed=5):
    """Train one case with checkpoints; return its state and history."""
    keras.utils.set_random_seed(seed)
    model = CASES[name]()
    data = suited(model, data)
    data.set_epoch(0)
    history = model.fit(
        data,
        epochs=epochs,
        # Validation draws noise as well; once is enough to compile it.
        validation_data=own_order(data) if name == "vae" else None,
        verbose=0,
        callbacks=[kg.callbacks.Checkpoint(folder, every=2)],
    ).history
    logs = [np.array(history[key]) for key in sorted(history)]
    return state(model) + logs


def own_order(data):
    return kg.data.ImageDataset(data.images, None, 32, seed=1, binarize=True)


def make_data():
    full = kg.data.load("digits")
    return kg.data.ImageDataset(full.images[:96], full.labels[:96], 32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each case whole, here, and its second half in one fresh process."""
    root, whole = tmp_path_factory.mktemp("resume"), {}
    optimize_graphs(True)  # as users run it: it must not reorder sums
    for name in NAMES:
        whole[name] = train(name, make_data(), root / name)
        shutil.rmtree(root / name / "ckpt-000004")  # as if killed before it
        assert (root / name / "ckpt-000002").is_dir()
    optimize_graphs(False)
    subprocess.run(
        [sys.executable, "-m", "tests.training.test_resume", str(root)],
        check=True,
    )
    return whole, root


@pytest.mark.parametrize("name", NAMES)
def test_resume_in_a_fresh_process_is_bit_exact(name, trained):
    whole, root = trained
    with np.load(root / f"{name}.npz") as file:
        parts = [file[key] for key in sorted(file.files)]
    assert len(whole[name]) == len(parts)
    for i, (a, b) in enumerate(zip(whole[name], parts, strict=True)):
        assert a.tobytes() == b.tobytes(), f"value {i} differs"


def test_resume_draws_new_noise_and_a_new_order(tmp_path):
    data = make_data()
    first = host(data[0][0])
    data.set_epoch(2)
    assert not np.array_equal(first, host(data[0][0]))
    train("vae", data, tmp_path, epochs=2)
    keras.utils.set_random_seed(5)
    model = CASES["vae"]()
    fresh = host(model.seed_generator.state)
    model.fit(
        data,
        epochs=2,
        verbose=0,
        callbacks=[kg.callbacks.Checkpoint(tmp_path)],
    )
    assert not np.array_equal(fresh, host(model.seed_generator.state))


if __name__ == "__main__":
    from pathlib import Path

    root = Path(sys.argv[1])
    optimize_graphs(True)
    for name in NAMES:
        # Of another seed: all must come from the checkpoint.
        values = train(name, make_data(), root / name, seed=6)
        np.savez(
            root / f"{name}.npz",
            **{f"{i:04d}": value for i, value in enumerate(values)},
        )
