"""Estimates that are clipped, fed back, or come with a variance."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gen as kg
from keras_gen.diffusion import integrate
from keras_gen.diffusion import samplers
from keras_gen.training import input_gradient
from keras_gen.training.variational import VariationalBound
from tests.conftest import host
from tests.conftest import tensor
from tests.diffusion.exact import Mixture
from tests.diffusion.exact import MixtureLayer
from tests.models.test_diffusion import streams_of

D = kg.diffusion


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_estimates_of_images_are_clipped(name):
    """And what follows from them follows from the clipped ones."""
    mixture = Mixture([[-1.3, 0.4], [0.9, 1.2]], 0.3)
    x, level = keras.Input((1, 2, 1)), keras.Input((1,))
    y = MixtureLayer(mixture)([keras.layers.Flatten()(x), level])
    model = kg.models.Diffusion(
        keras.Model([x, level], keras.layers.Reshape((1, 2, 1))(y)),
        schedule="cosine",
        prediction="data",
        ema_decay=None,
    )
    alphas, sigmas = model.path(8)
    plan = samplers.SAMPLERS[name](alphas, sigmas)
    start, more = streams_of(6, 3, (2,))
    noise = [more() for _ in range(len(plan))]

    def run(denoise):
        return integrate(denoise, start, plan, noise).clip(-1, 1)

    clipped = run(lambda *point: mixture.denoise(*point).clip(-1, 1))
    assert np.abs(clipped - run(mixture.denoise)).max() > 2e-3
    samples = model.generate(6, seed=3, sampler=name, num_steps=8)
    np.testing.assert_allclose(samples.reshape(6, 2), clipped, atol=2e-4)


def self_conditioned():
    """Return a model whose estimate is x / 2 + 0.3 times the one before."""
    both, level = keras.Input((4,)), keras.Input((1,))
    dense = keras.layers.Dense(2, use_bias=False)
    network = keras.Model([both, level], dense(both))
    dense.set_weights([np.concatenate([np.eye(2) / 2, 0.3 * np.eye(2)])])
    return kg.models.Diffusion(
        network,
        schedule="cosine",
        prediction="data",
        self_conditioning=True,
        ema_decay=None,
    )


@pytest.mark.parametrize("name", ["ddim", "heun"])
def test_self_conditioning_shows_the_estimate_before(name):
    model = self_conditioned()
    plan = samplers.SAMPLERS[name](*model.path(7))
    start, more = streams_of(3, 0, (2,))
    noise = [more() for _ in range(len(plan))]
    before = np.zeros((3, 2))

    def denoise(x, alpha, sigma):
        nonlocal before
        before = 0.5 * x / np.hypot(alpha, sigma) + 0.3 * before
        return before

    expected = integrate(denoise, start, plan, noise)
    samples = model.generate(3, seed=0, sampler=name, num_steps=7)
    np.testing.assert_allclose(samples, expected, atol=1e-4)


def test_training_shows_half_of_the_first_estimates():
    """A constant to the gradient; zeros for the other half."""
    model = self_conditioned()
    x = np.random.default_rng(0).normal(size=(4000, 2))
    alpha, sigma = tensor(np.full((4000, 1), 0.8)), tensor([[0.6]] * 4000)

    def shown(x):
        return model.first_estimate(x, alpha, sigma, None, None)

    found = host(shown(tensor(x)))
    kept = found.any(axis=1)
    assert abs(kept.mean() - 0.5) < 5 * 0.5 / np.sqrt(4000)
    np.testing.assert_allclose(found[kept], x[kept] / 2, atol=1e-5)
    gradient = input_gradient(
        lambda x: ops.sum(shown(x) + 0.0 * x, axis=1), tensor(x)
    )
    assert not host(gradient).any()


def test_training_shows_the_estimate_and_the_condition(monkeypatch):
    """To a network that returns the one and twice the other."""
    image, level = keras.Input((4, 4, 3)), keras.Input((1,))
    both = image[..., 1:2] + 2.0 * image[..., 2:]
    model = kg.models.Diffusion(
        keras.Model([image, level], both),
        prediction="data",
        self_conditioning=True,
        condition=kg.layers.LowResolution(2),
        ema_decay=None,
    )
    rng = np.random.default_rng(0)
    x, shown = (tensor(a) for a in rng.uniform(-1, 1, (2, 40, 4, 4, 1)))
    ones, level = ops.ones_like(x), ops.ones((40, 1, 1, 1))
    first = model.first_estimate(x, level, level, None, ones)
    assert set(host(first).ravel()) == {0.0, 1.0}  # clipped
    monkeypatch.setattr(model, "first_estimate", lambda *_: shown)
    expected = ops.mean((x - shown - 2.0 * model.condition(x)) ** 2)
    loss = model.objective(x, None, training=True)["loss"]
    np.testing.assert_allclose(host(loss), host(expected), rtol=1e-5)


def learned_variance(v):
    """Return a model whose estimate is x / 2, and v everywhere."""
    image, level = keras.Input((2, 2, 1)), keras.Input((1,))
    both = keras.layers.Conv2D(2, 1)
    network = keras.Model([image, level], both(image))
    both.set_weights([np.array([[[[0.5, 0.0]]]]), np.array([0.0, v])])
    return kg.models.Diffusion(
        network,
        schedule=D.CosineSchedule(10),
        prediction="data",
        learn_variance=True,
        sampler="ddpm",
        num_steps=None,
        ema_decay=None,
    )


def with_learned_variance(levels, share):
    """Return a plan between those of the two fixed variances."""
    plan, large = (samplers.ddpm(*levels, v) for v in ("small", "large"))
    plan.noise = plan.noise ** (1 - share) * large.noise**share
    return plan


@pytest.mark.parametrize("v", [-1.0, 0.0, 1.0])
def test_samples_have_the_learned_variance(v):
    """-1 and 1 are the ends of the interval of its logarithm."""
    model = learned_variance(v)
    plan = with_learned_variance(model.path(None), (v + 1) / 2)
    start, more = streams_of(3, 0, (2, 2, 1))
    noise = [more() for _ in range(len(plan))]

    def denoise(x, alpha, sigma):
        return (0.5 * x / np.hypot(alpha, sigma)).clip(-1, 1)

    expected = integrate(denoise, start, plan, noise)
    np.testing.assert_allclose(
        model.generate(3, seed=0), expected.clip(-1, 1), atol=1e-4
    )


def test_guidance_goes_with_all_that_a_network_may_be_told():
    """Labels move the estimate and the variance; the sum is clipped."""
    image, level = keras.Input((1, 2, 3)), keras.Input((1,))
    label = keras.Input((2,))
    told = keras.layers.Dense(2, use_bias=False)
    seen = keras.layers.Conv2D(2, 1, use_bias=False)
    both = seen(image) + keras.layers.Reshape((1, 1, 2))(told(label))
    model = kg.models.Diffusion(
        keras.Model([image, level, label], both),
        schedule=D.CosineSchedule(10),
        prediction="data",
        self_conditioning=True,
        learn_variance=True,
        condition=keras.layers.Identity(),
        sampler="ddpm",
        num_steps=None,
        ema_decay=None,
    )
    of_label = np.array([[0.15, 0.4], [-0.1, -0.6]])
    told.set_weights([of_label])
    of_image = np.array([1.2, -0.3, 0.2])
    seen.set_weights([np.stack([of_image, 0 * of_image], 1)[None, None]])
    labels, rng = np.array([0, 1, 1]), np.random.default_rng(0)
    condition = rng.uniform(-1, 1, (3, 1, 2, 1))
    v = of_label[labels, 1].reshape(3, 1, 1, 1)
    plan = with_learned_variance(model.path(None), 0.0)
    large = samplers.ddpm(*model.path(None), "large").noise
    start, more = streams_of(3, 0, (1, 2, 1))
    # The plan's noise is of the small variance.
    noise = [
        more() * (b / s if s else 1.0) ** ((v + 1) / 2)
        for s, b in zip(plan.noise, large, strict=True)
    ]
    before, clipped = 0.0, 0

    def denoise(x, alpha, sigma):
        nonlocal before, clipped
        free = 1.2 * x / np.hypot(alpha, sigma) - 0.3 * before + 0.2 * condition
        guided = free + 3.0 * of_label[labels, 0].reshape(3, 1, 1, 1)
        before = guided.clip(-1, 1)
        clipped += (guided != before).sum()
        return before

    expected = integrate(denoise, start, plan, noise)
    assert 10 < clipped < 50  # of 60
    samples = model.generate(
        3, labels=labels, seed=0, condition=condition, guidance_scale=3.0
    )
    np.testing.assert_allclose(samples, expected.clip(-1, 1), atol=1e-4)


def test_the_bound_counts_a_thousandth():
    """L_simple + 0.001 L_vlb, which has T terms, in nats per dimension."""
    model = learned_variance(0.0)
    x = tensor(np.zeros((5, 2, 2, 1)))
    losses = []
    for term in (0.0, 7.0):
        model.seed_generator.state.assign([0, 0])
        bound = lambda *_, term=term: term * ops.ones((5,))  # noqa: E731
        object.__setattr__(model, "bound", bound)
        losses.append(host(model.objective(x, None, True)["loss"]).item())
    difference = losses[1] - losses[0]
    assert difference == pytest.approx(0.001 * 10 * 7.0 / 4, rel=1e-3)


@pytest.mark.parametrize("v", [0.0, 0.5, 1.0])
def test_a_learned_variance_lies_between_its_bounds(v):
    """KL(q || p) of normal densities; means differ by b (x_0 - D)."""
    schedule = D.CosineSchedule(6)
    levels = schedule.grid(6)
    small, large = (
        samplers.ddpm(*levels, name).noise[-2::-1, None] ** 2
        for name in ("small", "large")
    )
    b = samplers.ddpm(*levels).data[-2::-1, None]
    x, x_t, data = np.random.default_rng(0).normal(size=(3, 5, 2))
    var = small ** (1 - v) * large**v
    kl = np.log(var / small) + (small + (b * (x - data)) ** 2) / var - 1
    found = VariationalBound(schedule, "learned")(
        *(tensor(array) for array in (x, x_t, data)),
        ops.convert_to_tensor(np.array([2, 3, 4, 5, 6], "int32")),
        tensor(np.full((5, 2), v)),
    )
    np.testing.assert_allclose(host(found), kl.sum(axis=1) / 2, rtol=1e-4)


def test_the_variance_is_learned_without_moving_the_mean():
    """A network of two numbers, mean and v; only the bound asks for v."""
    image, level = keras.Input((2, 2, 1)), keras.Input((1,))
    both = keras.layers.Conv2D(2, 1)(image)
    model = kg.models.Diffusion(
        keras.Model([image, level], both),
        schedule=D.CosineSchedule(10),
        learn_variance=True,
        sampler="ddpm",
        num_steps=None,
        ema_decay=None,
    )
    plain = kg.models.Diffusion(
        keras.Model([image, level], keras.layers.Conv2D(1, 1)(image)),
        schedule=D.CosineSchedule(10),
        ema_decay=None,
    )
    kernel, bias = (host(v) for v in model.network.weights)
    plain.network.set_weights([kernel[..., :1], bias[:1]])
    x = np.random.default_rng(0).uniform(-1, 1, (8, 2, 2, 1)).astype("float32")
    for m in (model, plain):
        m.seed_generator.state.assign([0, 0])
        m.compile(keras.optimizers.SGD(0.1))
        m.fit(x, batch_size=8, shuffle=False, verbose=0)
    moved, other = (
        host(model.network.weights[0]),
        host(plain.network.weights[0]),
    )
    np.testing.assert_allclose(moved[..., :1], other, atol=1e-6)
    assert np.abs(moved[..., 1] - kernel[..., 1]).max() > 1e-6
    assert model.generate(2, seed=0).shape == (2, 2, 2, 1)
