import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.layers.code_usage import CodePerplexity
from keras_gen.layers.code_usage import CodeUsage
from keras_gen.layers.code_usage import count_codes
from tests.cases import CASES
from tests.conftest import host
from tests.conftest import tensor

NETS = {"filters": (4, 4), "residual_blocks": 1, "residual_filters": 4}


def networks(dim=2):
    return (
        kg.nets.grid_encoder((8, 8, 1), dim, **NETS),
        kg.nets.grid_decoder((8, 8, 1), dim, **NETS),
    )


def test_the_loss_is_that_of_the_quantized_image(digits):
    model = CASES["vqvae"]()
    x, _ = digits[0]
    codes = model.encode(x)
    assert codes.shape == (32, 2, 2, 1) and codes.dtype == np.int32
    z = model.run_network(model.encoder, x)
    book = host(model.quantizer.codebook)
    distances = np.linalg.norm(z[..., None, :] - book, axis=-1)
    np.testing.assert_array_equal(codes[..., 0], distances.argmin(axis=-1))
    logs = {
        k: host(v) for k, v in model.objective(tensor(x), None, False).items()
    }
    commitment = 0.25 * (distances.min(axis=-1) ** 2).sum(axis=(1, 2)).mean()
    np.testing.assert_allclose(logs["quantizer_loss"], commitment, rtol=1e-4)
    outputs = model.decoder(tensor(book[codes[..., 0]]))
    nll = host(model.likelihood.nll(tensor(x), outputs)).mean()
    np.testing.assert_allclose(logs["loss"], nll + commitment, rtol=1e-5)
    expected = kg.metrics.mean_squared_error(x, model.reconstruct(x))
    np.testing.assert_allclose(logs["mse"], expected, rtol=1e-4)
    np.testing.assert_array_equal(
        logs["perplexity"][0], np.bincount(codes.ravel(), minlength=5)
    )


def test_samples_are_decoded_codes_of_the_prior():
    model = CASES["vqvae"]()
    codes = model.prior.generate(4, seed=2)
    np.testing.assert_allclose(
        model.generate(4, seed=2), model.decode(codes), atol=1e-6
    )


def test_a_prior_can_be_attached_after_training(digits, tmp_path):
    model = kg.models.VQVAE(*networks(), kg.layers.VectorQuantizer(6, 2))
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(digits, verbose=0)
    with pytest.raises(ValueError, match="has no prior to draw codes from"):
        model.generate(2)
    prior = kg.models.Autoregressive(kg.nets.pixel_cnn((2, 2), 6, 4, 1))
    prior.compile(keras.optimizers.Adam(1e-2))
    codes = model.encode(digits[0][0])
    prior.fit(codes, epochs=2, verbose=0)
    model.attach_prior(prior)
    model.save_to_preset(tmp_path / "preset")
    loaded = kg.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(
        loaded.generate(3, seed=1), model.generate(3, seed=1), atol=1e-6
    )
    model.fit(digits, verbose=0)  # the prior stays as it is


def test_a_prior_of_another_codebook_is_recognised(digits, tmp_path):
    """One of the same size, which no shape would tell."""
    encoder, decoder = networks()
    model = kg.models.VQVAE(encoder, decoder, kg.layers.VectorQuantizer(6, 2))
    other = kg.models.VQVAE(*networks(), kg.layers.VectorQuantizer(6, 2))
    prior = kg.models.Autoregressive(
        kg.nets.pixel_cnn((2, 2), 6, 4, 1), codebook=model.fingerprint
    )
    with pytest.raises(ValueError, match="the codes of another `VQVAE`"):
        other.attach_prior(prior)
    model.attach_prior(prior)
    # It stays the model's own, saved and on its way to others.
    model.save_to_preset(tmp_path / "model")
    read = kg.from_preset(tmp_path / "model")
    assert read.fingerprint == model.fingerprint == read.prior.codebook
    again = kg.models.VQVAE(read.encoder, read.decoder, read.quantizer)
    again.attach_prior(read.prior)
    # Training goes on, and the codes mean something else.
    last = kg.models.VQVAE(read.encoder, read.decoder, read.quantizer)
    last.compile(keras.optimizers.Adam(1e-3))
    last.fit(digits, verbose=0)
    with pytest.raises(ValueError, match="or of this one before it changed"):
        last.attach_prior(read.prior)


def test_a_prior_is_attached_once():
    model = CASES["vqvae"]()
    with pytest.raises(ValueError, match="has a prior. Make another model"):
        model.attach_prior(model.prior)
    network = kg.nets.pixel_cnn((2, 2), 5, filters=4, blocks=1)
    images = kg.models.Autoregressive(network, images=True)
    parts = model.encoder, model.decoder, model.quantizer
    with pytest.raises(ValueError, match="images=False"):
        kg.models.VQVAE(*parts, prior=images)
    other = kg.models.VQVAE(*parts, prior=kg.models.Autoregressive(network))
    assert other.generate(2, seed=0).shape == (2, 8, 8, 1)


def test_perplexity_is_counted_over_the_epoch():
    metric, usage = CodePerplexity((4,)), CodeUsage((4,))
    for codes in ([0, 0], [1, 1], [2, 2]):
        codes = np.array(codes, "int32").reshape(1, 2, 1)
        counts = count_codes(keras.ops.convert_to_tensor(codes), (4,))
        metric.update_state(counts, sample_weight=5)
        usage.update_state(counts)
    np.testing.assert_allclose(host(metric.result()), 3, rtol=1e-5)
    np.testing.assert_allclose(host(usage.result()), 3 / 4)
    metric.reset_state()
    metric.update_state(tensor([[7, 0, 0, 0]]))
    np.testing.assert_allclose(host(metric.result()), 1, rtol=1e-5)
    counts = np.array([[4, 3, 2, 1]])
    metric.reset_state()
    metric.update_state(tensor(counts))
    p = counts / 10
    np.testing.assert_allclose(
        host(metric.result()), np.exp(-(p * np.log(p)).sum()), rtol=1e-5
    )


def test_codes_are_counted_in_each_codebook():
    sizes = (4, 3)
    codes = np.random.default_rng(0).integers(0, sizes, (2, 5, 2))
    expected = [np.bincount(codes[..., i].ravel(), None, 4) for i in (0, 1)]
    counts = count_codes(keras.ops.convert_to_tensor(codes, "int32"), sizes)
    np.testing.assert_array_equal(host(counts), expected)


def test_codebooks_of_a_residual_quantizer(digits):
    quantizer = kg.layers.ResidualQuantizer(
        [kg.layers.VectorQuantizer(4, 2), kg.layers.VectorQuantizer(3, 2)]
    )
    model = kg.models.VQVAE(*networks(), quantizer)
    model.compile(keras.optimizers.Adam(1e-3))
    logs = model.fit(digits, verbose=0).history
    assert 1 <= logs["perplexity"][0] <= 3.5 and 0 < logs["usage"][0] <= 1
    x, _ = digits[0]
    codes = model.encode(x)
    assert codes.shape == (32, 2, 2, 2)
    assert codes[..., 0].max() < 4 and codes[..., 1].max() < 3
    assert model.decode(codes).shape == x.shape
    with pytest.raises(ValueError, match="codebooks of one size"):
        model.attach_prior(CASES["autoregressive"]())


def test_a_prior_of_several_codebooks():
    """It sees those of a place side by side, and draws them so."""
    model = CASES["vqvae_residual"]()
    assert model.prior_shape == (2, 4, 1)
    noise = model.starting_noise(6, seed=0)
    codes = model.prior.from_noise(noise)
    assert codes.shape == (6, 2, 4, 1) and len(np.unique(codes)) == 5
    grids = np.stack([codes[:, :, 0::2, 0], codes[:, :, 1::2, 0]], axis=-1)
    np.testing.assert_array_equal(
        model.generate(6, seed=0), model.decode(grids)
    )


def test_bad_input():
    encoder, decoder = networks()
    quantizer = kg.layers.VectorQuantizer(6, 2)
    with pytest.raises(ValueError, match="`quantizer` must be one of"):
        kg.models.VQVAE(encoder, decoder, keras.layers.Dense(2))
    with pytest.raises(ValueError, match=r"takes, \(batch, height, width, 3\)"):
        kg.models.VQVAE(encoder, decoder, kg.layers.VectorQuantizer(6, 3))
    with pytest.raises(ValueError, match="must take what `encoder` returns"):
        kg.models.VQVAE(encoder, networks(3)[1], quantizer)
    model = kg.models.VQVAE(encoder, decoder, quantizer)
    prior = kg.models.Autoregressive(kg.nets.pixel_cnn((2, 2), 7, 4, 1))
    with pytest.raises(ValueError, match=r"with 6 codes, .* 7 codes"):
        model.attach_prior(prior)
    with pytest.raises(ValueError, match="`prior` must be an `Autoregressive`"):
        model.attach_prior(encoder)
    codes = np.zeros((1, 2, 2, 1), "int32")
    with pytest.raises(ValueError, match=r"codes in \[0, 6\)"):
        model.decode(codes + 6)
    with pytest.raises(ValueError, match="integers of shape"):
        model.decode(codes[:, :1])
    with pytest.raises(ValueError, match="multiples of 4"):
        kg.nets.grid_encoder((10, 10, 1), 2, **NETS)


def test_training_takes_no_labels(digits):
    """Those of its prior are for drawing."""
    x, y = digits[0]
    model = CASES["vqvae"]()
    parts = kg.models.VQVAE(
        model.encoder,
        model.decoder,
        model.quantizer,
        prior=kg.models.Autoregressive(
            kg.nets.pixel_cnn((2, 2), 5, filters=4, blocks=1, num_classes=10)
        ),
    )
    parts.compile("adam")
    parts.fit(x, verbose=0)
    parts.evaluate(x, verbose=0)
    with pytest.raises(ValueError, match="labels"):
        parts.generate(1)


def test_perplexity_is_the_mean_over_codebooks():
    """Of 1 code in use and of 4."""
    metric = kg.layers.code_usage.CodePerplexity((4, 4))
    metric.update_state(tensor([[4, 0, 0, 0], [1, 1, 1, 1]]))
    assert float(host(metric.result())) == pytest.approx(2.5)
