"""Diffusion models against distributions whose denoiser is known."""

import functools

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.diffusion import integrate
from keras_gen.diffusion import samplers
from keras_gen.diffusion.predictions import PREDICTIONS
from tests.conftest import host
from tests.conftest import tensor
from tests.diffusion.exact import Mixture
from tests.diffusion.exact import network
from tests.diffusion.exact import two_normals

D = kg.diffusion


def exact_model(mixture=None, labels=False, **arguments):
    """Return a model whose network is the exact denoiser."""
    arguments = {"schedule": "cosine", "prediction": "data", **arguments}
    return kg.models.Diffusion(
        network(mixture or two_normals(), labels, arguments["prediction"]),
        ema_decay=None,
        **arguments,
    )


def streams_of(n, seed, shape):
    """Return starting noise and what follows it, as `generate` draws them."""
    streams = [np.random.default_rng([seed, i]) for i in range(n)]
    start = np.stack([s.standard_normal(shape) for s in streams])
    return start, lambda: np.stack([s.standard_normal(shape) for s in streams])


@pytest.mark.parametrize("schedule", ["linear", "rectified_flow", "karras"])
@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_the_compiled_loop_is_the_plan(name, schedule):
    """On every combination, the numbers of `integrate` in float64."""
    model = exact_model(schedule=schedule)
    if (name, schedule) == ("heun", "rectified_flow"):
        with pytest.raises(ValueError, match="flow_heun"):
            model.generate(2, sampler=name, num_steps=5, seed=0)
        return
    alphas, sigmas = model.path(12)
    plan = samplers.SAMPLERS[name](alphas, sigmas)
    start, more = streams_of(4, 3, (2,))
    noise = [more() for _ in range(len(plan))]
    x = start * np.hypot(alphas[0], sigmas[0])
    expected = integrate(two_normals().denoise, x, plan, noise)
    samples = model.generate(4, seed=3, sampler=name, num_steps=12)
    np.testing.assert_allclose(samples, expected, atol=2e-4)


@pytest.mark.parametrize(
    "prediction, schedule",
    [
        (prediction, schedule)
        for prediction in PREDICTIONS
        for schedule in ("cosine", "karras", "rectified_flow")
        # The noise says nothing where this schedule starts.
        if (prediction, schedule) != ("noise", "rectified_flow")
    ],
)
def test_the_same_estimates_in_other_words(prediction, schedule):
    """Trained on one schedule, sampled along the same and along others."""
    options = {"seed": 0, "num_steps": 9, "schedule": schedule}
    a = exact_model().generate(4, **options)
    b = exact_model(prediction=prediction).generate(4, **options)
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_samples_do_not_depend_on_how_they_are_computed(monkeypatch):
    """120 steps with noise go through the loop in several calls."""
    monkeypatch.setattr("keras_gen.training.sampling.NOISE_BYTES", 1000)
    model = exact_model()
    options = {"seed": 5, "sampler": "ddpm", "num_steps": 120}
    a = model.generate(7, **options)
    np.testing.assert_allclose(
        a, model.generate(7, batch_size=3, **options), atol=1e-5
    )
    np.testing.assert_allclose(a[:2], model.generate(2, **options), atol=1e-5)
    calls = []
    b = model.generate(
        7,
        batch_size=5,
        on_step=lambda i, n, x, data: calls.append((i, n, len(x), len(data))),
        **options,
    )
    np.testing.assert_allclose(a, b, atol=1e-5)
    expected = [(i, 120, 5, 5) for i in range(120)]
    assert calls == expected + [(i, 120, 2, 2) for i in range(120)]
    # The same again after another plan: nothing is remembered.
    model.generate(7, seed=5, num_steps=3)
    assert np.array_equal(a, model.generate(7, **options))
    frames = model.denoising_trajectory(7, 4, **options)
    assert frames.shape == (7, 4, 2)
    # Points of the plane are not clipped.
    np.testing.assert_allclose(frames[:, -1], a, atol=1e-5)


def test_a_thousand_steps_of_the_cosine_schedule():
    """Whose last alphas are next to nothing, in float32."""
    model, mixture = exact_model(), two_normals()
    x = model.generate(400, seed=0, sampler="ddpm", num_steps=1000)
    spread = 5 * 0.7 / np.sqrt(400)
    mean = mixture.weights @ mixture.means
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=spread)


def test_another_schedule_through_the_signal_to_noise_ratio():
    """The network knows levels, not times: both find the same points."""
    model = exact_model()
    a = model.generate(50, seed=0, sampler="heun", num_steps=300)
    b = model.generate(
        50, seed=0, sampler="heun", num_steps=100, schedule="karras"
    )
    assert np.median(np.abs(a - b)) < 0.02


def test_guidance_of_0_and_1_are_the_two_models():
    model = exact_model(labels=True)
    options = {"seed": 0, "num_steps": 10}
    free = exact_model().generate(6, **options)
    np.testing.assert_allclose(
        model.generate(6, guidance_scale=0.0, **options), free, atol=1e-5
    )
    for label in (0, 1):
        one = Mixture(two_normals().means[label : label + 1], 0.25)
        np.testing.assert_allclose(
            model.generate(6, labels=label, **options),
            exact_model(one).generate(6, **options),
            atol=1e-5,
        )


def test_guidance_of_0_takes_the_variance_without_labels():
    """A network whose variance alone hears of the label."""
    image, level = keras.Input((2, 2, 1)), keras.Input((1,))
    label = keras.Input((3,))
    v = keras.layers.Dense(4, use_bias=False)(label)
    both = [image, keras.layers.Reshape((2, 2, 1))(v)]
    model = kg.models.Diffusion(
        keras.Model(
            [image, level, label], keras.layers.Concatenate(axis=-1)(both)
        ),
        learn_variance=True,
        sampler="ddpm",
        ema_decay=None,
    )
    free = model.generate(2, seed=0, guidance_scale=0.0)
    for label in (0, 1):
        options = {"labels": label, "seed": 0}
        assert np.array_equal(
            free, model.generate(2, guidance_scale=0.0, **options)
        )
        assert np.abs(free - model.generate(2, **options)).max() > 1e-3


def test_heun_at_the_noisy_end_of_the_cosine_schedule():
    exact = exact_model().generate(
        50, seed=0, sampler="flow_heun", num_steps=500
    )
    few = exact_model().generate(50, seed=0, sampler="heun", num_steps=20)
    assert np.median(np.abs(few - exact)) < 0.03


def test_guidance_is_affine_and_has_an_interval():
    model = exact_model(labels=True)
    # One step: what comes out is the estimate itself.
    step = functools.partial(
        model.generate, 6, labels=1, seed=0, num_steps=1, sampler="ddim"
    )
    without, with_label = step(guidance_scale=0.0), step(guidance_scale=1.0)
    np.testing.assert_allclose(
        step(guidance_scale=3.0),
        without + 3.0 * (with_label - without),
        atol=1e-4,
    )
    alphas, sigmas = model.path(1)
    level = sigmas[0] / alphas[0]
    outside = step(guidance_scale=3.0, guidance_interval=(level, 2 * level))
    np.testing.assert_allclose(outside, with_label, atol=1e-5)
    inside = step(guidance_scale=3.0, guidance_interval=(0.0, level))
    np.testing.assert_allclose(inside, step(guidance_scale=3.0), atol=1e-5)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_loss_of_the_exact_denoiser(schedule):
    """Of normal data it is alpha^2 s^2 / (alpha^2 s^2 + sigma^2)."""
    s = 0.5
    model = kg.models.DDPM(
        network(Mixture([[0.2, -0.1]], s), prediction="noise"),
        schedule,
        ema_decay=None,
    )
    rng = np.random.default_rng(0)
    x = tensor([0.2, -0.1] + s * rng.normal(size=(40_000, 2)))
    a, b = model.schedule.alphas[1:], model.schedule.sigmas[1:]
    expected = np.mean((a * s) ** 2 / ((a * s) ** 2 + b**2))
    loss = float(host(model.objective(x, None, training=True)["loss"]))
    assert loss == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("means", [[[0.2, -0.1]], [[0.2, -0.1], [-0.9, 0.6]]])
def test_the_loss_of_flow_matching(means):
    """E |noise - x_0 - u|^2 = E var(x_0 | x_t, y) / t^2 for the exact u."""
    s = 0.5
    labels = len(means) > 1
    model = kg.models.FlowMatching(
        network(Mixture(means, s), labels, prediction="flow"),
        label_dropout=0.0,
        ema_decay=None,
    )
    y = np.arange(40_000) % len(means)
    x = np.random.default_rng(0).normal(size=(40_000, 2)) * s
    x = x + np.array(means)[y]
    t = (np.arange(2000) + 0.5) / 2000
    expected = np.mean(s**2 / ((1 - t) ** 2 * s**2 + t**2))
    loss = model.objective(tensor(x), y, training=True)["loss"]
    assert float(host(loss)) == pytest.approx(expected, rel=0.02)


def test_weighting_decides_the_loss_and_not_the_prediction():
    """The exact denoiser costs the same, whatever its network returns."""
    x = tensor(np.random.default_rng(0).normal(size=(20_000, 2)) * 0.5)
    losses = [
        float(
            host(
                exact_model(
                    Mixture([[0.0, 0.0]], 0.5),
                    prediction=prediction,
                    weighting="min_snr",
                ).objective(x, None, training=True)["loss"]
            )
        )
        for prediction in ("noise", "data")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_labels_are_hidden_one_by_one():
    model = exact_model(labels=True, label_dropout=0.3)
    y = host(model.training_labels(np.arange(4000) % 2, training=True))
    hidden = (y.sum(axis=1) == 0).mean()
    assert hidden == pytest.approx(0.3, abs=0.03)
    assert (
        y[y.sum(axis=1) == 1].argmax(1) == (np.arange(4000) % 2)[y.sum(1) == 1]
    ).all()
    kept = host(model.training_labels(np.arange(10) % 2, training=False))
    assert (kept.sum(axis=1) == 1).all()


@pytest.mark.parametrize("name", ["DDPM", "FlowMatching", "Diffusion"])
def test_labels_are_hidden_in_training_alone(name, monkeypatch):
    """Without data and noise the loss is that of what the network adds: 1."""
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: keras.ops.zeros(shape)
    )
    inputs = [keras.Input((2,)), keras.Input((1,)), keras.Input((2,))]
    ones = keras.layers.Dense(2, use_bias=False, kernel_initializer="ones")
    model = getattr(kg.models, name)(
        keras.Model(inputs, ones(inputs[2])), label_dropout=0.3, ema_decay=None
    )
    model.compile(keras.optimizers.SGD(0.0))
    batch = np.zeros((4000, 2), "float32"), np.arange(4000) % 2
    kept = model.train_on_batch(*batch, return_dict=True)["loss"]
    assert float(kept) == pytest.approx(0.7, abs=5 * np.sqrt(0.21 / 4000))
    assert float(model.test_on_batch(*batch, return_dict=True)["loss"]) == 1.0


# Conditions.


def test_low_resolution_and_grayscale():
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1) / 16
    low = host(kg.layers.LowResolution(2)(tensor(x)))
    assert low.shape == x.shape
    np.testing.assert_allclose(low[0, :2, :2, 0], x[0, :2, :2].mean())
    np.testing.assert_allclose(low[0, 2:, :2, 0], x[0, 2:, :2].mean())
    colour = np.random.default_rng(0).uniform(-1, 1, (1, 2, 2, 3))
    grey = host(kg.layers.Grayscale()(tensor(colour)))
    np.testing.assert_allclose(
        grey[..., 0], colour @ [0.299, 0.587, 0.114], atol=1e-6
    )


# Bad input.


def image_network(channels=1, outputs=1, labels=None, size=4):
    inputs = [keras.Input((size, size, channels)), keras.Input((1,))]
    if labels:
        inputs.append(keras.Input((labels,)))
    return keras.Model(
        inputs, keras.layers.Conv2D(outputs, 3, padding="same")(inputs[0])
    )


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: kg.models.DDPM(
                image_network(), D.LinearSchedule(zero_terminal_snr=True)
            ),
            "velocity",
        ),
        (
            lambda: kg.models.DDPM(image_network(), "rectified_flow"),
            "alpha 0",
        ),
        (lambda: kg.models.DDPM(image_network(size=None)), "known shape"),
        (lambda: kg.models.DDPM(image_network(2)), "channels"),
        (lambda: kg.models.DDPM(image_network(1, 2)), "channels"),
        (
            lambda: kg.models.Diffusion(
                image_network(), self_conditioning=True
            ),
            "self_conditioning",
        ),
        (
            lambda: kg.models.Diffusion(
                image_network(), condition=kg.layers.LowResolution(2)
            ),
            "condition",
        ),
        (
            lambda: kg.models.Diffusion(
                image_network(3), condition=kg.layers.LowResolution(2)
            ),
            "`condition` makes",
        ),
        (
            lambda: kg.models.Diffusion(
                image_network(1, 2), "rectified_flow", learn_variance=True
            ),
            "discrete schedule",
        ),
        (
            lambda: kg.models.DDPM(image_network(), label_dropout=1.0),
            "label_dropout",
        ),
        (lambda: kg.models.DDPM(image_network(), sampler="plms"), "dpmpp_2m"),
        (lambda: kg.models.DDPM(image_network(), sampler=D.ddim), "functions"),
        (lambda: D.Weighting("min_snr", gamma=-1.0), "gamma"),
        (lambda: D.Weighting("simple", gamma=1.0), "gamma"),
        (lambda: kg.models.DDPM(keras.Sequential()), "keras.Input"),
        (lambda: kg.nets.unet((30, 30, 1)), "multiples of 4"),
        (lambda: kg.nets.dit((28, 28, 1), patch=3), "divide"),
        (lambda: kg.layers.LowResolution(3)(np.zeros((1, 4, 4, 1))), "divide"),
    ],
)
def test_bad_models(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.generate(2, sampler="plms"), "dpmpp_2m"),
        (lambda m: m.generate(2, num_steps=1001), "at most 1000"),
        (lambda m: m.generate(2, labels=1), "not conditional"),
        (lambda m: m.generate(2, guidance_scale=2.0), "nothing to guide"),
        (lambda m: m.generate(0), "num_samples"),
        (lambda m: m.generate(2, schedule="rectified_flow"), "alpha 0"),
        (
            lambda m: m.generate(
                2, sampler=functools.partial(D.ddpm, variance="learned")
            ),
            "learn_variance",
        ),
        (
            lambda m: m.generate(2, condition=np.zeros((2, 4, 4, 1))),
            "condition",
        ),
        (
            lambda m: m.inpaint(np.zeros((2, 4, 4, 1)), np.ones((3, 3), bool)),
            "broadcast",
        ),
        (
            lambda m: m.inpaint(np.zeros((2, 4, 4, 1)), np.ones((4, 4, 1))),
            "bool",
        ),
        (lambda m: m.edit(np.zeros((2, 4, 4, 1)), strength=1.5), "strength"),
        (lambda m: m.invert(np.zeros((2, 4, 4, 1)), num_steps=1), "2 steps"),
        (
            lambda m: m.generate(2, num_steps=2, guidance_interval=(2.0, 1.0)),
            "low < high",
        ),
        (lambda m: m.edit(np.zeros((2, 5, 5, 1))), "shape"),
        (
            lambda m: m.variational_bound(
                np.zeros((2, 4, 4, 1)), variance="learned"
            ),
            "not give a variance",
        ),
        (
            lambda m: m.variational_bound(
                np.zeros((2, 4, 4, 1)), variance="Large"
            ),
            "`variance` must be",
        ),
        (
            lambda m: m.flow_log_likelihood(np.zeros((2, 4, 4, 1), "uint8")),
            "floating-point",
        ),
        (
            lambda m: m.flow_log_likelihood(np.full((2, 4, 4, 1), 200.0)),
            "127.5",
        ),
        (lambda m: m.edit(np.zeros((0, 4, 4, 1))), "empty"),
        (lambda m: m.denoising_trajectory(2, num_frames=1), "num_frames"),
        (lambda m: m.generate(2, guidance_scale=np.nan), "finite"),
    ],
)
def test_bad_calls(call, message):
    model = kg.models.DDPM(image_network(), ema_decay=None)
    with pytest.raises(ValueError, match=message):
        call(model)


def test_labels_are_needed_to_train_and_to_draw():
    model = kg.models.DDPM(image_network(labels=3), ema_decay=None)
    model.compile("adam")
    with pytest.raises(ValueError, match="labels"):
        model.fit(np.zeros((4, 4, 4, 1), "float32"), verbose=0)
    with pytest.raises(ValueError, match="conditional"):
        model.generate(2, num_steps=2)
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        model.generate(2, labels=3, num_steps=2)


def test_defaults_give_way_to_short_schedules():
    model = exact_model(schedule=D.CosineSchedule(10))
    x = np.zeros((2, 2), "float32")
    known = np.array([True, False])
    assert model.generate(2, seed=0).shape == (2, 2)
    assert model.inpaint(x, known, seed=0).shape == (2, 2)
    assert model.edit(x, strength=0.02, seed=0).shape == (2, 2)
    assert model.from_noise(model.invert(x)).shape == (2, 2)
    with pytest.raises(ValueError, match="at most 10"):
        model.generate(2, num_steps=11)


def test_guidance_needs_hidden_labels():
    model = exact_model(labels=True, label_dropout=0.0)
    assert model.generate(2, labels=1, num_steps=3).shape == (2, 2)
    with pytest.raises(ValueError, match="label_dropout"):
        model.generate(2, labels=1, num_steps=3, guidance_scale=2.0)


def test_a_condition_is_needed_wherever_the_network_is():
    model = kg.models.Diffusion(
        image_network(2), condition=kg.layers.LowResolution(2), ema_decay=None
    )
    x = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 1)).astype("float32")
    low = host(model.condition(tensor(x)))
    assert model.edit(x, condition=low, seed=0).shape == x.shape
    known = np.ones((4, 4, 1), bool)
    done = model.inpaint(x, known, condition=low, num_steps=3, seed=0)
    np.testing.assert_allclose(done, x, atol=1e-6)
    for call in (
        lambda: model.generate(2),
        lambda: model.edit(x),
        lambda: model.invert(x),
    ):
        with pytest.raises(ValueError, match="need it"):
            call()
    with pytest.raises(ValueError, match="floating-point"):
        model.generate(2, condition=low.astype("uint8"))


def test_sampling_sees_new_weights():
    """The compiled loop of before must not keep the weights of then."""
    model = kg.models.DDPM(image_network(), num_steps=3, ema_decay=0.5)
    first = model.generate(2, seed=0)
    model.compile(keras.optimizers.SGD(0.5))
    x = np.random.default_rng(0).uniform(-1, 1, (8, 4, 4, 1)).astype("float32")
    model.fit(x, epochs=2, verbose=0)
    second = model.generate(2, seed=0)
    assert np.abs(first - second).max() > 1e-3
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(copy.generate(2, seed=0), second, atol=1e-5)
