import keras
import numpy as np
import pytest

from keras_gen import nets
from tests.conftest import host
from tests.conftest import tensor

SHAPES = [(28, 28, 1), (32, 16, 3), (8, 8, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_shapes_and_ranges(kind, shape):
    def build(part, *arguments, **options):
        return getattr(nets, f"{kind}_{part}")(shape, *arguments, **options)

    x, z = tensor(np.ones((2, *shape))), tensor(100 * np.ones((2, 5)))
    mean, log_var = build("encoder", 5, outputs=2)(x)
    assert mean.shape == log_var.shape == (2, 5)
    assert build("encoder", 5)(x).shape == (2, 5)
    decoded = host(build("decoder", 5)(z))
    assert decoded.shape == (2, *shape)
    assert np.abs(decoded).max() > 1  # linear
    generated = host(build("generator", 5)(z))
    assert generated.shape == (2, *shape)
    assert np.abs(generated).max() <= 1  # tanh
    assert build("discriminator")(x).shape == (2, 1)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_discriminators_do_not_mix_samples(kind):
    """Gradient penalties take a gradient per sample."""
    model = getattr(nets, f"{kind}_discriminator")((8, 8, 1))
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1))
    whole = host(model(tensor(x), training=True))
    one = host(model(tensor(x[:1]), training=True))
    np.testing.assert_allclose(whole[:1], one, atol=1e-5)
    assert not any(
        isinstance(layer, keras.layers.BatchNormalization)
        for layer in model.layers
    )
