import keras
import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.pictures import to_grid
from tests.cases import CASES
from tests.conftest import host


def test_an_animation_of_a_long_training_is_short(tmp_path):
    frames = [tmp_path / f"{i}.png" for i in range(230)]
    for i, frame in enumerate(frames):
        Image.new("L", (2, 2), i).save(frame)
    kg.pictures.save_animation(tmp_path / "all.gif", frames)
    with Image.open(tmp_path / "all.gif") as animation:
        assert animation.n_frames == 200
        shades = []
        for i in (0, 199):
            animation.seek(i)
            shades.append(animation.convert("L").getpixel((0, 0)))
    assert shades == [0, 229]


def test_writes_samples_reconstructions_and_animation(digits, tmp_path):
    model = CASES["vae_warmup"]()
    x, _ = digits[0]
    grid = kg.callbacks.ImageGrid(
        tmp_path, num_images=9, every=2, reconstruct=x[:10], gif=True
    )
    model.fit(digits, epochs=4, verbose=0, callbacks=[grid])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "reconstructions-0002.png",
        "reconstructions-0004.png",
        "samples-0002.png",
        "samples-0004.png",
        "samples.gif",
    ]
    with Image.open(tmp_path / "samples-0004.png") as picture:
        expected = to_grid(model.generate(9, seed=0))
        np.testing.assert_array_equal(np.asarray(picture), expected)
    with Image.open(tmp_path / "samples.gif") as animation:
        assert animation.n_frames == 2


def test_raw_weights_on_request(digits, tmp_path):
    model = CASES["gan_conv"]()
    grid = kg.callbacks.ImageGrid(tmp_path, num_images=4, use_ema=False)
    model.fit(digits, verbose=0, callbacks=[grid])
    with Image.open(tmp_path / "samples-0001.png") as picture:
        raw = to_grid(model.generate(4, seed=0, use_ema=False))
        np.testing.assert_array_equal(np.asarray(picture), raw)
        averaged = to_grid(model.generate(4, seed=0))
        assert not np.array_equal(np.asarray(picture), averaged)


def test_drawing_does_not_change_training(digits, tmp_path):
    import keras

    def train(callbacks):
        keras.utils.set_random_seed(0)
        model = CASES["gan"]()
        return model.fit(
            digits, epochs=2, verbose=0, callbacks=callbacks
        ).history

    assert train([]) == train([kg.callbacks.ImageGrid(tmp_path)])


def test_a_folder_that_cannot_be_written(digits, tmp_path):
    (tmp_path / "file").write_text("")
    grid = kg.callbacks.ImageGrid(tmp_path / "file" / "grids")
    with pytest.raises(OSError, match="Cannot write to the folder"):
        CASES["vae"]().fit(digits, verbose=0, callbacks=[grid])


def test_grid_layout():
    images = np.full((5, 64, 64, 1), -1.0)
    images[4] = 1
    grid = to_grid(images, columns=3, padding=2)
    assert grid.shape == (2 * 66 + 2, 3 * 66 + 2, 3)
    assert grid[2:66, 2:66].max() == 0  # first image, black
    assert grid[68:132, 68:132].min() == 255  # fifth, white
    small = to_grid(np.zeros((1, 8, 8, 1)), padding=0)
    assert small.shape == (64, 64, 3) and (small == 128).all()
    pairs = np.stack([images, -images], axis=1)
    rows = np.concatenate([images, -images], axis=2)
    np.testing.assert_array_equal(to_grid(pairs), to_grid(rows))
    with pytest.raises(ValueError, match="NaN"):
        to_grid(np.full((1, 8, 8, 1), np.nan))
    with pytest.raises(ValueError, match="Expected images"):
        to_grid(np.zeros((8, 8)))


def test_tensorboard_of_keras_works(digits, tmp_path):
    import keras

    pytest.importorskip("tensorflow")
    CASES["gan"]().fit(
        digits,
        validation_data=digits,
        verbose=0,
        callbacks=[keras.callbacks.TensorBoard(tmp_path)],
    )
    assert list(tmp_path.rglob("events*"))


def test_trajectories_end_in_the_samples(digits, tmp_path):
    model = CASES["ddpm"]()
    labels = np.arange(6) % 10
    grid = kg.callbacks.ImageGrid(
        tmp_path, num_images=6, trajectories=2, labels=labels, num_steps=5
    )
    model.fit(digits, verbose=0, callbacks=[grid])
    samples = model.generate(2, labels=labels[:2], seed=0, num_steps=5)
    frames = model.denoising_trajectory(
        2, labels=labels[:2], seed=0, num_steps=5
    )
    np.testing.assert_allclose(frames[:, -1], samples, atol=1e-5)
    with Image.open(tmp_path / "trajectories-0001.png") as picture:
        shown = to_grid(frames.reshape(-1, *frames.shape[2:]), columns=8)
        difference = np.asarray(picture).astype(int) - shown
        assert np.abs(difference).max() <= 1


def test_bad_input_is_known_before_the_training(digits, tmp_path):
    with pytest.raises(ValueError, match="`every` must be at least 1"):
        kg.callbacks.ImageGrid(tmp_path, every=0)
    model = CASES["conditional_vae"]()
    before = host(model.trainable_variables[0]).copy()
    with pytest.raises(ValueError, match="conditional"):
        model.fit(digits, verbose=0, callbacks=kg.callbacks.ImageGrid(tmp_path))
    assert np.array_equal(before, host(model.trainable_variables[0]))
    for arguments, message in (
        ({"num_images": 0, "reconstruct": digits[0][0]}, "labels"),
        ({"labels": 3, "num_image": 4}, "num_image"),
    ):
        grid = kg.callbacks.ImageGrid(tmp_path, **arguments)
        with pytest.raises((ValueError, TypeError), match=message):
            model.fit(digits, verbose=0, callbacks=grid)
    grid = kg.callbacks.ImageGrid(tmp_path, 0, trajectories=2, num_steps=3)
    model = CASES["ddpm"]()
    with pytest.raises(ValueError, match="conditional"):
        model.fit(digits, verbose=0, callbacks=[grid])
    points = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model = kg.models.GAN(points, critic)
    model.compile("adam")
    with pytest.raises(ValueError, match="Expected images of shape"):
        grid = kg.callbacks.ImageGrid(tmp_path)
        model.fit(kg.data.load("ring"), verbose=0, callbacks=[grid])
    parts = CASES["vqvae"]()
    model = kg.models.VQVAE(parts.encoder, parts.decoder, parts.quantizer)
    model.compile("adam")
    with pytest.raises(ValueError, match="num_images=0"):
        model.fit(digits, verbose=0, callbacks=kg.callbacks.ImageGrid(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_is_not_full_and_an_earlier_training(digits, tmp_path):
    """All images are shown; the animation ends where this training does."""
    picture = Image.new("RGB", (8, 8))
    picture.save(tmp_path / "samples-0007.png")
    picture.save(tmp_path / "samples-mine.png")
    x = digits[0][0][:13]
    model = CASES["vae"]()
    grid = kg.callbacks.ImageGrid(tmp_path, 4, reconstruct=x, gif=True)
    model.fit(digits, epochs=2, verbose=0, callbacks=[grid])
    with Image.open(tmp_path / "samples.gif") as animation:
        assert animation.n_frames == 2
    shown = np.asarray(Image.open(tmp_path / "reconstructions-0002.png"))
    white = np.ones((7, 8, 8, 1))
    copies = model.reconstruct(x)
    rows = [x[:10], copies[:10], x[10:], white, copies[10:], white]
    np.testing.assert_array_equal(shown, to_grid(np.concatenate(rows), 10))
