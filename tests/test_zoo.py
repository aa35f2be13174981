"""Every entry of the zoo loads and draws, on every backend."""

from pathlib import Path

import numpy as np
import pytest

import keras_gen as kg
from tests.checks import generate

ZOO = Path(__file__).resolve().parents[1] / "zoo"
ENTRIES = sorted(path.parent.name for path in ZOO.glob("*/config.json"))


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_draws_images(name):
    model = kg.from_preset(ZOO / name)
    images = generate(model, 3, seed=0)
    assert images.shape == (3, *model.data_shape)
    assert np.isfinite(images).all() and images.std() > 0.1
    assert (ZOO / name / "train.py").exists()
    assert (ZOO / name / "samples.png").exists()


def test_the_zoo_is_small():
    size = sum(path.stat().st_size for path in ZOO.rglob("*.*"))
    assert size < 50e6
