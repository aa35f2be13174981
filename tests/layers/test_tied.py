import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.conftest import host

SHAPE = (8, 8, 1)


def tied_autoencoder():
    encoder = kg.nets.dense_encoder(SHAPE, latent_dim=3, units=(16,))
    model = kg.models.Autoencoder(encoder, decoder=None)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


def test_the_decoder_is_the_encoder_transposed():
    model = tied_autoencoder()
    first, second = [
        layer for layer in model.encoder.layers if hasattr(layer, "kernel")
    ]
    z = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    hidden = np.maximum(z @ host(second.kernel).T, 0)
    expected = (hidden @ host(first.kernel).T).reshape(5, *SHAPE)
    np.testing.assert_allclose(
        model.decode(z), np.clip(expected, -1, 1), atol=1e-5
    )
    # Two kernels, two biases each way.
    assert len(model.trainable_variables) == 6


def test_weights_stay_tied_through_training_and_saving(digits, tmp_path):
    model = tied_autoencoder()
    before = model.evaluate(digits, return_dict=True, verbose=0)["loss"]
    model.fit(digits, epochs=5, verbose=0)
    after = model.evaluate(digits, return_dict=True, verbose=0)["loss"]
    assert after < before
    x = digits[0][0]
    model.save_to_preset(tmp_path / "preset")
    model.save(tmp_path / "model.keras")
    for loaded in (
        kg.from_preset(tmp_path / "preset"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        assert loaded.tied and len(loaded.trainable_variables) == 6
        np.testing.assert_array_equal(
            loaded.reconstruct(x), model.reconstruct(x)
        )


def test_bad_input():
    with pytest.raises(ValueError, match="Tied weights need an encoder of"):
        kg.models.Autoencoder(kg.nets.conv_encoder(SHAPE, 3), None)
    encoder = kg.nets.dense_encoder(SHAPE, latent_dim=3)
    with pytest.raises(ValueError, match="`ema_decay` .* tied"):
        kg.models.Autoencoder(encoder, None, ema_decay=0.9)
