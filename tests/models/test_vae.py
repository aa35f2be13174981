import math

import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.conftest import host
from tests.conftest import tensor


def linear_gaussian_vae(beta=1.0):
    """z ~ N(0,1), x|z ~ N(z,1), q(z|x) = N(0.3 x, 0.8)."""
    x = keras.Input((1,))
    mean = keras.layers.Rescaling(0.3)(x)
    log_var = keras.layers.Rescaling(0.0, offset=math.log(0.8))(x)
    z = keras.Input((1,))
    return kg.models.VAE(
        keras.Model(x, [mean, log_var]),
        keras.Model(z, keras.layers.Rescaling(1.0)(z)),
        likelihood=kg.losses.Gaussian(sigma=1.0),
        beta=beta,
    )


def test_the_bound_of_a_linear_gaussian_model():
    """At x = 1.7 the bound is -2.16861, below ln p(x) = -1.98801."""
    model = linear_gaussian_vae()
    x = np.full((400_000, 1), 1.7, "float32")
    logs = {
        k: float(host(v))
        for k, v in model.objective(tensor(x), None, False).items()
    }
    assert abs(-logs["loss"] - -2.16861) < 0.01
    kl = 0.5 * ((0.3 * 1.7) ** 2 + 0.8 - 1 - math.log(0.8))
    assert math.isclose(logs["kl_loss"], kl, rel_tol=1e-5)
    log_p = -0.5 * math.log(2 * math.pi * 2) - 1.7**2 / 4
    assert math.isclose(log_p, -1.98801, abs_tol=1e-5)


def test_beta_weighs_the_kl_term():
    x = np.full((8, 1), 1.7, "float32")
    logs = {
        k: float(host(v))
        for k, v in linear_gaussian_vae(beta=4.0)
        .objective(tensor(x), None, False)
        .items()
    }
    assert math.isclose(
        logs["loss"],
        logs["reconstruction_loss"] + 4 * logs["kl_loss"],
        rel_tol=1e-6,
    )


def test_encode_decode_reconstruct(digits):
    model = kg.models.VAE(
        kg.nets.dense_encoder((8, 8, 1), 2, outputs=2, units=(8,)),
        kg.nets.dense_decoder((8, 8, 1), 2, units=(8,)),
    )
    x, _ = digits[0]
    z = model.encode(x)
    assert z.shape == (32, 2)
    np.testing.assert_allclose(model.reconstruct(x), model.decode(z), atol=1e-6)


def test_bad_networks():
    encoder = kg.nets.dense_encoder((8, 8, 1), 4, outputs=2)
    decoder = kg.nets.dense_decoder((8, 8, 1), 4)
    with pytest.raises(ValueError, match="latents of `encoder` and `decoder`"):
        kg.models.VAE(encoder, kg.nets.dense_decoder((8, 8, 1), 5))
    with pytest.raises(ValueError, match="must return what `encoder` takes"):
        kg.models.VAE(encoder, kg.nets.dense_decoder((8, 8, 3), 4))
    with pytest.raises(ValueError, match=r"1 input\(s\) and 2 output\(s\)"):
        kg.models.VAE(kg.nets.dense_encoder((8, 8, 1), 4), decoder)
    with pytest.raises(ValueError, match="`beta` must be a finite number"):
        kg.models.VAE(encoder, decoder, beta=-1)
    with pytest.raises(ValueError, match="start it with a `keras.Input`"):
        kg.models.VAE(encoder, keras.Sequential([keras.layers.Dense(3)]))
