"""What models with a latent space share, on the smallest of them."""

import math

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.training.noise import slerp
from tests.cases import CASES
from tests.conftest import host
from tests.conftest import tensor
from tests.models.test_vae import linear_gaussian_vae

LN_P = -1.98801  # of the linear Gaussian model at x = 1.7


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return CASES["vae"]()


@pytest.fixture(scope="module")
def images(digits):
    return digits[0][0]


@pytest.mark.parametrize(
    "k, expected", [(1, -2.16861), (2, -2.0537), (5, -2.0098), (20, -1.9931)]
)
def test_log_likelihood_of_a_linear_gaussian_model(k, expected):
    """Means of L_K over many images; it rises towards ln p(x) with K."""
    x = np.full((20_000, 1), 1.7, "float32")
    values = linear_gaussian_vae().log_likelihood(x, num_samples=k)
    error = 5 * values.std() / math.sqrt(len(values))
    assert abs(values.mean() - expected) < error + 2e-4
    assert values.mean() < LN_P + error


def test_log_likelihood_in_several_chunks():
    x = np.full((3, 1), 1.7, "float32")
    values = linear_gaussian_vae().log_likelihood(x, num_samples=20_700)
    np.testing.assert_allclose(values, LN_P, atol=0.03)


def test_log_likelihood_of_a_conditional_linear_gaussian_model():
    """z ~ N(m_y, 1), x|z ~ N(z + b_y, 1), and q the exact posterior.

    Then every weight is p(x|y) itself, N(x; m_y + b_y, 2).
    """
    m, b = np.array([-1.0, 2.0, 0.5]), np.array([0.3, -0.7, 4.0])
    x, y, z = keras.Input((1,)), keras.Input((3,)), keras.Input((1,))
    dense = [keras.layers.Dense(1, use_bias=False) for _ in range(3)]
    both = keras.layers.Concatenate()
    mean = dense[0](both([x, y]))
    log_var = keras.layers.Rescaling(0.0, offset=math.log(0.5))(x)
    prior = dense[2](y)
    model = kg.models.ConditionalVAE(
        keras.Model([x, y], [mean, log_var]),
        keras.Model([z, y], dense[1](both([z, y]))),
        prior=keras.Model(y, [prior, keras.layers.Rescaling(0.0)(prior)]),
        likelihood=kg.losses.Gaussian(sigma=1.0),
    )
    kernels = ([0.5, *(m - b) / 2], [1.0, *b], m)
    for layer, kernel in zip(dense, kernels, strict=True):
        layer.set_weights([np.reshape(kernel, (-1, 1))])
    images = np.array([[1.7], [-0.4], [0.2], [1.7]], "float32")
    labels = np.array([0, 2, 1, 2])
    values = model.log_likelihood(images, labels, num_samples=3)
    offset = images[:, 0] - (m + b)[labels]
    expected = -0.5 * math.log(2 * math.pi * 2) - offset**2 / 4
    np.testing.assert_allclose(values, expected, atol=1e-4)


def test_interpolation_ends_at_the_reconstructions(model, images):
    start, end = images[:3], images[3:6]
    for spherical in (False, True):
        path = model.interpolate(start, end, 5, spherical)
        assert path.shape == (3, 5, 8, 8, 1)
        np.testing.assert_allclose(
            path[:, 0], model.reconstruct(start), atol=1e-4
        )
        np.testing.assert_allclose(
            path[:, -1], model.reconstruct(end), atol=1e-4
        )
    z = (model.encode(start) + model.encode(end)) / 2
    middle = model.interpolate(start, end, 3)[:, 1]
    np.testing.assert_allclose(middle, model.decode(z), atol=1e-5)


def test_a_great_circle_keeps_the_length(model, images, monkeypatch):
    codes = iter(np.array([[[3.0, 0, 0]], [[0, 3.0, 0]]], "float32"))
    monkeypatch.setattr(model, "encode", lambda *a, **k: next(codes))
    seen = []
    monkeypatch.setattr(
        model,
        "decode",
        lambda z, *a, **k: seen.append(z) or np.zeros((7, 8, 8, 1)),
    )
    model.interpolate(images[:1], images[1:2], 7, spherical=True)
    angles = np.linspace(0, np.pi / 2, 7)
    expected = 3 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], -1)
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


def test_the_way_is_straight_where_a_turn_has_no_direction():
    t = np.linspace(0, 1, 5)[:, None]
    parallel, opposite = ([1.0, 2.0], [3.0, 6.0]), ([-1.0, 0.0], [2.0, 0.0])
    for z0, z1 in (parallel, opposite, ([0.0, 0.0], [1.0, 1.0])):
        z0, z1 = np.array([z0]), np.array([z1])
        np.testing.assert_allclose(slerp(z0, z1, t), (1 - t) * z0 + t * z1)


def test_traversal_changes_one_latent(model, images):
    grid = model.traverse(images[:2], dimensions=[2, 0], values=[-1.0, 4.0])
    assert grid.shape == (2, 2, 2, 8, 8, 1)
    z = model.encode(images[:2])
    z[:, 2] = 4.0
    np.testing.assert_allclose(grid[:, 0, 1], model.decode(z), atol=1e-5)
    assert model.traverse(images[:1]).shape == (1, 3, 7, 8, 8, 1)


def test_labels_reach_every_tool(images):
    model = CASES["conditional_vae"]()
    labels = np.arange(3)
    path = model.interpolate(images[:3], images[3:6], 2, labels=labels)
    expected = model.reconstruct(images[:3], labels)
    np.testing.assert_allclose(path[:, 0], expected, atol=1e-5)
    one = model.traverse(images[2:3], [0], [0.5], labels=2)[0, 0, 0]
    three = model.traverse(images[:3], [0], [0.5], labels=labels)[2, 0, 0]
    np.testing.assert_allclose(one, three, atol=1e-5)
    values = model.log_likelihood(images[:3], labels, num_samples=700)
    assert values.shape == (3,) and np.isfinite(values).all()


@pytest.mark.parametrize(
    "name",
    ["autoencoder", "denoising", "sparse"]
    + ["vae", "vae_warmup", "iwae", "vamp_vae", "conditional_vae"]
    + ["vqvae", "vqvae_lookup_free", "vqvae_residual", "image_transformer"],
)
def test_duplicating_a_batch_leaves_the_loss_unchanged(
    name, digits, monkeypatch
):
    """Not so where pairs in the batch are compared: total correlation, MMD."""
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: keras.ops.ones(shape)
    )
    model = CASES[name]()
    x, y = digits[0]
    once = model.evaluation_step(tensor(x), y)
    x, y = np.concatenate([x, x]), np.concatenate([y, y])
    twice = model.evaluation_step(tensor(x), y)
    for key in set(once) - {"perplexity", "usage"}:  # those are counts
        np.testing.assert_allclose(host(once[key]), host(twice[key]), rtol=1e-5)


class Unbounded(kg.losses.Gaussian):
    """A Gaussian whose images are not clipped to [-1, 1]."""

    def mean(self, outputs):
        return outputs


def test_completions_of_a_linear_gaussian_model_have_the_exact_mean():
    """z ~ N(0, 1), x|z ~ N(W z, s^2 I) in two dimensions, exact posterior."""
    w, s2 = np.array([[0.8, -0.6]]), 0.3
    precision = 1 + (w**2).sum() / s2
    x = keras.Input((2,))
    mean = keras.layers.Dense(1, use_bias=False)
    log_var = keras.layers.Dense(1, kernel_initializer="zeros")
    encoder = keras.Model(x, [mean(x), log_var(x)])
    mean.set_weights([w.T / s2 / precision])
    log_var.set_weights([np.zeros((2, 1)), np.array([-np.log(precision)])])
    z = keras.Input((1,))
    rows = keras.layers.Dense(2, use_bias=False)
    decoder = keras.Model(z, rows(z))
    rows.set_weights([w])
    model = kg.models.VAE(encoder, decoder, likelihood=Unbounded(s2**0.5))

    known = np.array([True, False])
    x = np.full((20_000, 2), 0.9, "float32")
    done = model.inpaint(x, known, num_steps=15, seed=0)
    np.testing.assert_array_equal(done[:, 0], x[:, 0])
    exact = w[0, 1] * w[0, 0] * 0.9 / (w[0, 0] ** 2 + s2)
    error = 5 * done[:, 1].std() / math.sqrt(len(x))
    assert abs(done[:, 1].mean() - exact) < error
    assert done[:, 1].std() > 0.05


def test_completions_keep_what_is_known(model, images):
    known = np.zeros((8, 8, 1), bool)
    known[:4] = True
    done = model.inpaint(images[:5], known, num_steps=2, seed=1)
    np.testing.assert_array_equal(done[:, :4], images[:5, :4])
    garbage = np.where(known, images[:5], 7.0)
    np.testing.assert_array_equal(
        model.inpaint(garbage, known, num_steps=2, seed=1), done
    )
    assert not np.allclose(
        done, model.inpaint(images[:5], known, num_steps=2, seed=2)
    )


def test_a_map_of_two_latents():
    model = kg.models.VAE(
        kg.nets.dense_encoder((8, 8, 1), 2, outputs=2, units=(8,)),
        kg.nets.dense_decoder((8, 8, 1), 2, units=(8,)),
    )
    images = model.latent_map(n=3)
    assert images.shape == (3, 3, 8, 8, 1)
    q = 0.96742157  # the normal quantile of 5/6
    np.testing.assert_allclose(
        images[0, 2], model.decode([[q, q]])[0], atol=1e-5
    )
    np.testing.assert_allclose(
        images[2, 1], model.decode([[0, -q]])[0], atol=1e-5
    )
    for make in (kg.models.VAE, kg.models.Autoencoder):
        model = make(
            kg.nets.dense_encoder(
                (8, 8, 1), 2, outputs=1 + (make == kg.models.VAE)
            ),
            kg.nets.dense_decoder((8, 8, 1), 2),
        )
        with pytest.raises(ValueError, match="not conditional"):
            model.latent_map(labels=3)


def test_bad_input(model, images):
    with pytest.raises(ValueError, match="`steps` must be at least 2"):
        model.interpolate(images[:1], images[:1], 1)
    with pytest.raises(ValueError, match="must hold as many images"):
        model.interpolate(images[:2], images[:1])
    with pytest.raises(ValueError, match=r"`dimensions` must be in \[0, 3\)"):
        model.traverse(images[:1], [3])
    with pytest.raises(ValueError, match="`num_samples` must be at least 1"):
        model.log_likelihood(images[:1], num_samples=0)
    optimal = kg.models.VAE(
        model.encoder, model.decoder, likelihood=kg.losses.Gaussian("optimal")
    )
    with pytest.raises(ValueError, match="fitted to each batch"):
        optimal.log_likelihood(images[:1])
    with pytest.raises(ValueError, match="`known` must be a bool array"):
        model.inpaint(images, np.ones((8, 8, 1)))
    with pytest.raises(ValueError, match="`known` must broadcast"):
        model.inpaint(images, np.ones((3, 3), bool))
    known = np.ones((8, 8, 1), bool)
    with pytest.raises(ValueError, match="floating-point|uint8"):
        model.inpaint(np.zeros((2, 8, 8, 1), "uint8"), known)
    with pytest.raises(ValueError, match=r"expects pixels in \[-1, 1\]"):
        model.inpaint(2 + images, known)
    for method in (model.encode, model.reconstruct, model.log_likelihood):
        with pytest.raises(ValueError, match=r"expects pixels in \[-1, 1\]"):
            method(2 + images)
        with pytest.raises(ValueError, match="received an empty batch"):
            method(images[:0])
    with pytest.raises(ValueError, match="floating-point"):
        model.log_likelihood(np.zeros((2, 8, 8, 1), "uint8"))
    conditional = CASES["conditional_vae"]()
    with pytest.raises(ValueError, match="an integer, or 5 integers"):
        conditional.log_likelihood(images[:5], labels=[3], num_samples=2)
    with pytest.raises(ValueError, match="received 0 samples"):
        model.decode(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="draws from 2 latents"):
        model.latent_map()


@pytest.mark.parametrize("method", ["encode", "reconstruct", "log_likelihood"])
def test_averaged_weights_or_those_of_now(method, images):
    """Of encoder, decoder and prior."""
    model, copy = (CASES["conditional_vae"]() for _ in range(2))

    def run(model, **options):
        if method == "log_likelihood":
            options |= {"num_samples": 3, "seed": 0}
        return getattr(model, method)(images, 3, **options)

    copy.set_weights(model.get_weights())
    averaged = run(copy)
    for name in ("encoder", "decoder", "prior"):
        for m in (model, copy):
            network = getattr(m, name)
            network.set_weights([w + 0.05 for w in network.get_weights()])
    for use_ema in (None, True):
        np.testing.assert_array_equal(run(model, use_ema=use_ema), averaged)
    now = run(model, use_ema=False)
    np.testing.assert_array_equal(now, run(copy, use_ema=False))
    assert np.abs(now - averaged).min() > 0


def test_the_seed_of_a_likelihood(images):
    model = CASES["vae"]()
    a, b, c = (
        model.log_likelihood(images, num_samples=3, seed=seed)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(a, b) and (a != c).all()


@pytest.mark.parametrize(
    "name",
    ["sparse", "vae", "info_vae", "beta_tc_vae", "vamp_vae", "conditional_vae"],
)
def test_what_is_added_to_the_reconstruction_moves_the_encoder(
    name, images, monkeypatch
):
    """By its gradient; a decoder of zeros does not see the codes."""
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, **_: keras.ops.ones(shape)
    )
    keras.utils.set_random_seed(0)
    model = CASES[name]()
    model.decoder.set_weights([0 * w for w in model.decoder.get_weights()])
    y = np.arange(len(images)) % 10 if model.num_classes else None
    start = model.encoder.get_weights()
    # Away from where a KL term is flat.
    rng = np.random.default_rng(0)
    start = [w + 0.1 * rng.normal(size=w.shape) for w in start]
    way = [rng.normal(size=w.shape) for w in start]
    way[:2] = 0 * way[0], 0 * way[1]  # the last layers: behind ReLUs are kinks

    def loss(t):
        model.encoder.set_weights(
            [w + t * d for w, d in zip(start, way, strict=True)]
        )
        x = keras.ops.convert_to_tensor(images)
        return float(host(model.objective(x, y, False)["loss"]))

    slope = (loss(2e-3) - loss(-2e-3)) / 4e-3
    loss(0.0)
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(images, y)
    end = model.encoder.get_weights()
    moves = [a - b for a, b in zip(start, end, strict=True)]
    found = sum((m * d).sum() for m, d in zip(moves, way, strict=True))
    assert abs(slope) > 0.1
    assert found == pytest.approx(slope, rel=0.02, abs=0.01)
