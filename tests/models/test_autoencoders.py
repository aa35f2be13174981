import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES
from tests.conftest import host
from tests.conftest import tensor

SHAPE = (8, 8, 1)


def test_a_linear_autoencoder_reaches_the_principal_components():
    """Squared error of 4 codes against that of 4 principal components."""
    full = kg.data.load("digits", batch_size=2000)
    x, _ = full[0]
    flat = x.reshape(len(x), -1).astype("float64")
    values = np.linalg.eigvalsh(np.cov(flat, rowvar=False, bias=True))
    floor = values[:-4].sum() / 64 / 4  # pixels in [0, 1]
    model = kg.models.Autoencoder(
        kg.nets.dense_encoder(SHAPE, latent_dim=4, units=()),
        kg.nets.dense_decoder(SHAPE, latent_dim=4, units=()),
        likelihood=Linear(),
    )
    steps = keras.optimizers.schedules.CosineDecay(2e-2, 900)
    model.compile(keras.optimizers.Adam(steps))
    data = kg.data.ImageDataset(x, batch_size=250)
    model.fit(data, epochs=150, verbose=0)
    mse = model.evaluate(data, return_dict=True, verbose=0)["mse"]
    assert floor * (1 - 1e-4) < mse < floor * 1.02


class Linear(kg.losses.Gaussian):
    """Squared error whose images are not clipped to [-1, 1]."""

    def mean(self, outputs):
        return outputs


def test_mse_is_that_of_the_reconstructions(digits):
    model = CASES["autoencoder"]()
    x, _ = digits[0]
    logs = model.objective(tensor(x), None, training=False)
    expected = kg.metrics.mean_squared_error(x, model.reconstruct(x))
    np.testing.assert_allclose(host(logs["mse"]), expected, rtol=1e-4)


def test_the_target_of_denoising_is_the_clean_image(digits):
    class Blacken(keras.layers.Layer):
        def call(self, x, training=False):
            return 0 * x - 1 if training else x

    model = CASES["autoencoder"]()
    x, _ = digits[0]
    denoising = kg.models.DenoisingAutoencoder(
        model.encoder, model.decoder, Blacken()
    )
    black = model.reconstruct(-np.ones_like(x))
    logs = denoising.objective(tensor(x), None, training=True)
    expected = kg.metrics.mean_squared_error(x, black)
    np.testing.assert_allclose(host(logs["mse"]), expected, rtol=1e-4)
    clean = denoising.objective(tensor(x), None, training=False)
    expected = kg.metrics.mean_squared_error(x, model.reconstruct(x))
    np.testing.assert_allclose(host(clean["mse"]), expected, rtol=1e-4)


def test_the_loss_of_a_sparse_autoencoder_is_the_sum_of_its_terms(digits):
    model = CASES["sparse"]()
    x, _ = digits[0]
    logs = {
        k: float(host(v))
        for k, v in model.objective(tensor(x), None, training=False).items()
    }
    h = model.encode(x)
    penalty = host(kg.losses.KLSparsity()(tensor(h)))
    nll = model.likelihood.nll(tensor(x), model.decoder(tensor(h)))
    assert logs["penalty"] == pytest.approx(float(penalty), rel=1e-4)
    expected = float(host(nll).mean() + penalty)
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)
    assert logs["mean_activation"] == pytest.approx(h.mean(), rel=1e-4)


def test_samples_follow_the_codes(digits):
    model = CASES["autoencoder"]()
    model.compile(keras.optimizers.SGD(1e-12))  # the codes stay where they are
    model.fit(digits, epochs=20, verbose=0)
    z = model.codes.sample(np.random.default_rng(0).normal(size=(50_000, 3)))
    codes = model.encode(np.concatenate([digits[i][0] for i in range(3)]))
    spread = codes.std(axis=0)
    assert (np.abs(z.mean(axis=0) - codes.mean(axis=0)) < 0.05 * spread).all()
    np.testing.assert_allclose(
        np.corrcoef(z, rowvar=False), np.corrcoef(codes, rowvar=False), atol=0.1
    )


def test_bad_input():
    model = CASES["autoencoder"]()
    with pytest.raises(ValueError, match="`corruption` must be a layer"):
        kg.models.DenoisingAutoencoder(model.encoder, model.decoder, 0.3)
    with pytest.raises(ValueError, match="`penalty` must be callable"):
        kg.models.SparseAutoencoder(model.encoder, model.decoder, 0.3)
    with pytest.raises(ValueError, match="no posterior to sample from"):
        model.log_likelihood(np.zeros((1, *SHAPE), "float32"))
    with pytest.raises(ValueError, match="latents of `encoder`"):
        kg.models.Autoencoder(
            model.encoder, kg.nets.dense_decoder(SHAPE, latent_dim=4)
        )


def test_units_outside_of_the_range_of_a_penalty_warn():
    with pytest.warns(UserWarning, match="does not end in a sigmoid"):
        kg.models.SparseAutoencoder(
            kg.nets.dense_encoder(SHAPE, 3),
            kg.nets.dense_decoder(SHAPE, 3),
            kg.losses.KLSparsity(),
        )


@pytest.mark.parametrize("name", ["Autoencoder", "Sparse", "Denoising"])
def test_the_loss_is_that_of_the_likelihood(name, digits):
    """A sum over pixels, and the error that of what the likelihood shows."""
    networks = (
        kg.nets.dense_encoder(SHAPE, 3, units=(8,)),
        kg.nets.dense_decoder(SHAPE, 3, units=(8,)),
    )
    make, more = {
        "Autoencoder": (kg.models.Autoencoder, ()),
        "Sparse": (kg.models.SparseAutoencoder, (kg.losses.L1Sparsity(0.1),)),
        "Denoising": (
            kg.models.DenoisingAutoencoder,
            (keras.layers.Rescaling(1.0, offset=0.5),),
        ),
    }[name]
    model = make(*networks, *more, likelihood="bernoulli")
    x = digits[0][0]
    seen = x + 0.5 if name == "Denoising" else x
    h = model.encoder(tensor(seen))
    logits = host(model.decoder(h)).astype("float64")
    p = (x + 1) / 2
    nll = np.logaddexp(0, logits) - p * logits
    logs = model.objective(tensor(x), None, training=True)
    expected = nll.sum(axis=(1, 2, 3)).mean()
    if name == "Sparse":
        expected += float(host(logs["penalty"]))
    assert float(host(logs["loss"])) == pytest.approx(expected, rel=1e-5)
    shown = 2 / (1 + np.exp(-logits)) - 1
    mse = kg.metrics.mean_squared_error(x, shown.astype("float32"))
    assert float(host(logs["mse"])) == pytest.approx(mse, rel=1e-4)
