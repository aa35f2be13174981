import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from tests.cases import CASES


def test_a_row_for_each_latent(digits, tmp_path):
    model = CASES["conditional_vae"]()
    x, y = digits[0]
    callback = kg.callbacks.LatentTraversal(
        tmp_path, x[0], label=y[0], values=(-2, 0, 2), every=2
    )
    model.fit(digits, epochs=3, verbose=0, callbacks=[callback])
    assert [p.name for p in tmp_path.iterdir()] == ["traversal-0002.png"]
    width, height = Image.open(tmp_path / "traversal-0002.png").size
    assert width == height == 3 * 64 + 4 * 4  # 3 latents, 3 values


def test_a_model_without_latents(digits, tmp_path):
    callback = kg.callbacks.LatentTraversal(tmp_path, np.zeros((8, 8, 1)))
    with pytest.raises(ValueError, match="no latents to traverse"):
        CASES["gan"]().fit(digits, verbose=0, callbacks=[callback])
