"""What people get wrong, and what they are told."""

import shutil
import warnings

import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES

GOOD = np.zeros((4, 8, 8, 1), "float32") - 0.5


@pytest.mark.parametrize("name", ["vae", "gan"])
@pytest.mark.parametrize(
    "x, message",
    [
        (np.zeros((4, 8, 8, 1), "uint8"), "Received: dtype=uint8. Scale 8-bit"),
        (GOOD * 255 + 255, r"Received values in \[127.5, 127.5\]. Scale 8-bit"),
        (GOOD[..., 0], r"expects batches of shape \(None, 8, 8, 1\)"),
        (np.zeros((4, 8, 8, 3), "float32"), r"Received: shape=\(4, 8, 8, 3\)"),
        (np.zeros((4, 1, 8, 8), "float32"), "channels last"),
        (GOOD[:0], "empty data set"),
        (None, "needs data"),
    ],
)
def test_fit(name, x, message):
    with pytest.raises(ValueError, match=message):
        CASES[name]().fit(x, verbose=0)


def test_train_on_batch_is_checked_too():
    with pytest.raises(ValueError, match="Received: dtype=int"):
        CASES["vae"]().train_on_batch(np.zeros((4, 8, 8, 1), "int32"))


def test_steps_per_epoch_would_break_the_order(digits):
    with pytest.raises(ValueError, match="`steps_per_epoch` would end epochs"):
        CASES["vae"]().fit(digits, steps_per_epoch=2, verbose=0)


def test_all_labels_are_checked():
    """Not those of the first batch only: no step would notice."""
    x, y = np.repeat(GOOD, 75, axis=0), np.zeros(300, int)
    y[299] = 10
    data = kg.data.ImageDataset(np.zeros((300, 8, 8, 1), "uint8"), y, 32)
    for arguments in ((x, y), (data,)):
        with pytest.raises(ValueError, match=r"must be in \[0, 10\)"):
            CASES["conditional_vae"]().fit(*arguments, verbose=0)


def test_validation_data_is_checked_too():
    with pytest.raises(ValueError, match="Received: dtype=uint8"):
        CASES["vae"]().fit(
            GOOD, validation_data=(GOOD.astype("uint8"),), verbose=0
        )


def test_latents_must_be_vectors():
    x = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(4, 3, strides=2, padding="same")
    z = keras.Input((4, 4, 4))
    back = keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same")
    with pytest.raises(ValueError, match="`encoder` must return vectors"):
        kg.models.VAE(
            keras.Model(x, [maps(x), maps(x)]), keras.Model(z, back(z))
        )


def test_pixels_without_negatives_get_a_warning():
    with pytest.warns(UserWarning, match="none below 0"):
        CASES["vae"]().fit(GOOD + 1.2, verbose=0)


def test_sample_weights_are_refused():
    with pytest.raises(ValueError, match="does not support `sample_weight`"):
        CASES["vae"]().fit(GOOD, GOOD, sample_weight=np.ones(4), verbose=0)


@pytest.mark.parametrize("name", ["vae", "gan"])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_samples": 0}, "`num_samples` must be at least 1"),
        ({"num_samples": 2.5}, "`num_samples` must be a positive integer"),
        ({"num_samples": 2, "seed": -1}, "`seed` must be at least 0"),
        ({"num_samples": 2, "seed": "a"}, "`seed` must be an integer"),
        ({"num_samples": 2, "batch_size": 0}, "`batch_size` must be at least"),
        ({"num_samples": 2, "labels": [1, 2]}, "is not conditional"),
    ],
)
def test_generate(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        CASES[name]().generate(**arguments)


def test_labels_of_a_model_without():
    """No likelihood given a label comes of a model that knows none."""
    x, vae = np.zeros((2, 8, 8, 1), "float32"), CASES["vae"]()
    ddpm = kg.models.DDPM(
        kg.nets.unet((8, 8, 1), filters=(4,), blocks=1, attention=())
    )
    for method in (vae.encode, vae.log_likelihood, ddpm.variational_bound):
        with pytest.raises(ValueError, match="is not conditional"):
            method(x, labels=[1, 2])
    with pytest.raises(ValueError, match="is not conditional"):
        vae.decode(np.zeros((2, 3), "float32"), labels=1)


def test_latents_of_another_length():
    with pytest.raises(ValueError, match=r"batches of shape \(None, 3\)"):
        CASES["vae"]().decode(np.zeros((2, 4), "float32"))


@pytest.mark.parametrize(
    "build",
    [
        lambda: kg.nets.conv_encoder((27, 28, 1), 2),
        lambda: kg.nets.conv_decoder((30, 30, 1), 2),
        lambda: kg.nets.conv_generator((8, 9, 1), 2),
        lambda: kg.nets.conv_discriminator((8, 10, 1)),
    ],
)
def test_sizes_that_do_not_halve(build):
    with pytest.raises(ValueError, match="must be multiples of 4"):
        build()


def test_image_shape_without_channels():
    with pytest.raises(ValueError, match="must be .height, width, channels."):
        kg.nets.conv_encoder((28, 28), 2)


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_nan_stops_training_and_spares_the_checkpoint(name, digits, tmp_path):
    """Epoch 1 is good and saved; a NaN in epoch 2 ends training unsaved."""
    bad = kg.data.ImageDataset(digits.images.copy(), None, 32)
    model = CASES[name]()

    class Poison(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                bad.images[5] = np.nan

    with pytest.warns(UserWarning, match="not finite"):
        history = model.fit(
            bad,
            epochs=5,
            verbose=0,
            callbacks=[
                Poison(),
                kg.callbacks.StopOnNaN(),
                kg.callbacks.ImageGrid(tmp_path / "grids", 4),
                kg.callbacks.Checkpoint(tmp_path),
            ],
        )
    assert len(history.epoch) == 2
    grids = [p.name for p in (tmp_path / "grids").iterdir()]
    assert grids == ["samples-0001.png"]  # of NaN there is no picture
    shutil.rmtree(tmp_path / "grids")
    assert [p.name for p in tmp_path.iterdir()] == ["ckpt-000001"]
    fresh = CASES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fresh.fit(
            digits,
            epochs=2,
            verbose=0,
            callbacks=[kg.callbacks.Checkpoint(tmp_path)],
        )
    assert np.isfinite(fresh.generate(2, seed=0)).all()


def test_weights_that_the_last_step_spoilt_are_not_saved(digits, tmp_path):
    """The logs of that step are of before it."""
    model = CASES["gan"]()

    class Spoil(keras.callbacks.Callback):
        adds_logs = True

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                weight = model.generator.trainable_weights[0]
                weight.assign(np.full(weight.shape, np.nan))

    callbacks = [
        Spoil(),
        kg.callbacks.EvaluateSamples("digits", 100),
        kg.callbacks.StopOnNaN(),
        kg.callbacks.Checkpoint(tmp_path),
    ]
    with pytest.warns(UserWarning, match="kernel'. not finite"):
        history = model.fit(digits, epochs=5, verbose=0, callbacks=callbacks)
    assert len(history.epoch) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["ckpt-000001"]
