import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.pictures import to_grid
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


def test_what_is_shown_is_what_was_asked_for(digits, tmp_path):
    model = CASES["conditional_vae"]()
    x, y = digits[0]
    options = {"dimensions": (2, 0, 1), "values": (-2, 2), "use_ema": False}
    callback = kg.callbacks.LatentTraversal(tmp_path, x[0], y[0], **options)
    reconstruct = kg.callbacks.ImageGrid(
        tmp_path, 0, reconstruct=(x[:10], y[:10]), use_ema=False
    )
    model.fit(digits, verbose=0, callbacks=[callback, reconstruct])
    images = model.traverse(x[:1], labels=y[:1], **options)[0]
    shown = {"traversal": (images.reshape(-1, *x.shape[1:]), 2)}
    copies = model.reconstruct(x[:10], y[:10], use_ema=False)
    shown["reconstructions"] = np.concatenate([x[:10], copies]), 10
    for name, (expected, columns) in shown.items():
        with Image.open(tmp_path / f"{name}-0001.png") as picture:
            expected = to_grid(expected, columns).astype(int)
            assert np.abs(np.asarray(picture) - expected).max() <= 1


def test_a_model_without_latents(digits, tmp_path):
    callback = kg.callbacks.LatentTraversal(tmp_path, np.zeros((8, 8, 1)))
    with pytest.raises(ValueError, match="no latents to traverse"):
        CASES["gan"]().fit(digits, verbose=0, callbacks=[callback])
