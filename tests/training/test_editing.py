"""Editing by diffusion models whose denoiser is known."""

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.diffusion import samplers
from keras_gen.training.editing import _resampled
from tests.diffusion.exact import Mixture
from tests.diffusion.exact import two_normals
from tests.models.test_diffusion import exact_model
from tests.models.test_diffusion import streams_of


def test_steps_taken_again_keep_every_level():
    """Mean and variance of x_t for data that are all 0.4, at each of them."""
    alphas, sigmas = kg.diffusion.CosineSchedule().grid(9)
    plan = _resampled(samplers.ddpm(alphas, sigmas), 3)
    assert len(plan) == 8 * 3 + 1
    mean, var = 0.4 * alphas[0], sigmas[0] ** 2
    for i in range(len(plan)):
        mean = plan.x[i] * mean + plan.data[i] * 0.4
        var = plan.x[i] ** 2 * var + plan.noise[i] ** 2
        assert mean == pytest.approx(0.4 * plan.next_alpha[i], rel=1e-9)
        assert var == pytest.approx(plan.next_sigma[i] ** 2, rel=1e-9)


def test_editing_starts_from_the_noise_of_its_strength():
    model = exact_model()
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype("float32")

    def stay(alphas, sigmas):
        level = {"alpha": alphas[0], "sigma": sigmas[0]}
        return samplers.plan([{**level, "x": 1.0}])

    start, _ = streams_of(5, 3, (2,))
    alpha, sigma = model.schedule.levels(0.6)
    np.testing.assert_allclose(
        model.edit(x, strength=0.6, seed=3, sampler=stay),
        alpha * x + sigma * start,
        atol=1e-6,
    )


def test_inpainting_at_its_ends(monkeypatch):
    """41 evaluations are four calls of 11, the last of them not full."""
    monkeypatch.setattr("keras_gen.training.sampling.NOISE_BYTES", 300)
    model = exact_model()
    x = two_normals().means[[0, 1, 1]].astype("float32")
    everything = np.ones(2, bool)
    np.testing.assert_allclose(
        model.inpaint(x, everything, num_steps=9, seed=0), x, atol=1e-6
    )
    plain = model.generate(3, seed=0, sampler="ddpm", num_steps=9)
    nothing = model.inpaint(x, ~everything, num_steps=9, resamples=1, seed=0)
    np.testing.assert_allclose(nothing, plain, atol=1e-5)


def test_inpainting_draws_from_the_conditional_distribution():
    """The second coordinate of two narrow components given the first."""
    model = exact_model(Mixture([[-0.7, 0.1], [0.5, 0.8]], 0.05))
    x = np.repeat(np.array([[-0.7, 9.0], [0.5, 9.0]], "float32"), 40, axis=0)
    known = np.array([True, False])
    done = model.inpaint(x, known, num_steps=60, resamples=4, seed=0)
    assert np.array_equal(done[:, 0], x[:, 0])
    np.testing.assert_allclose(done[:40, 1].mean(), 0.1, atol=0.05)
    np.testing.assert_allclose(done[40:, 1].mean(), 0.8, atol=0.05)


def test_editing_at_its_ends():
    model = exact_model()
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype("float32")
    assert np.array_equal(model.edit(x, strength=0.0), x)
    # Little noise changes little; nothing is left of x at full strength.
    near = model.edit(x, strength=0.05, seed=0)
    assert np.abs(near - x).max() < 0.4
    full = {"strength": 1.0, "num_steps": 1000, "seed": 0}
    far = model.edit(x, **full)
    np.testing.assert_allclose(far, model.edit(-x, **full), atol=0.005)


def test_inversion_leads_back():
    model = exact_model()
    x = two_normals().means.astype("float32") + 0.1
    noise = model.invert(x, num_steps=500)
    back = model.from_noise(noise, num_steps=500)
    np.testing.assert_allclose(back, x, atol=0.02)
    between = model.interpolate(x[:1], x[1:], steps=5, num_steps=300)
    assert between.shape == (1, 5, 2)
    np.testing.assert_allclose(between[0, [0, -1]], x, atol=0.02)
    with pytest.raises(ValueError, match="must hold as many images"):
        model.interpolate(x, x[:1])


@pytest.mark.parametrize("schedule", ["cosine", "rectified_flow"])
@pytest.mark.parametrize("own, expected", [(None, None), (20, 5)])
def test_a_part_of_the_way_takes_a_part_of_the_steps(schedule, own, expected):
    model = exact_model(schedule=schedule)
    model.num_steps = own
    alphas, _ = model.path(start=0.25)
    if expected is None:
        expected = {"cosine": 250, "rectified_flow": 12}[schedule]
    assert len(alphas) == expected + 1


METHODS = {
    "inpaint": lambda m, x, **options: m.inpaint(
        x, np.array([True, False]), num_steps=4, seed=0, **options
    ),
    "edit": lambda m, x, **options: m.edit(x, seed=0, num_steps=4, **options),
    "invert": lambda m, x, **options: m.invert(x, num_steps=4, **options),
    "from_noise": lambda m, x, **options: m.from_noise(
        x, num_steps=4, **options
    ),
    "interpolate": lambda m, x, **options: m.interpolate(
        x, x[::-1], steps=3, num_steps=4, **options
    ),
    "variational_bound": lambda m, x, **options: m.variational_bound(
        x, terms=3, **options
    )["total"],
    "flow_log_likelihood": lambda m, x, **options: m.flow_log_likelihood(
        x, num_steps=4, **options
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_each_sample_has_its_label(method):
    """With it the model is that of the one component it names."""
    x = np.random.default_rng(0).uniform(-1, 1, (4, 2)).astype("float32")
    labels = np.array([0, 1, 1, 0])
    run = METHODS[method]
    found = run(exact_model(labels=True), x, labels=labels)
    for label in (0, 1):
        one = exact_model(Mixture(two_normals().means[[label]], 0.25))
        of_label = labels == label
        np.testing.assert_allclose(
            found[of_label], run(one, x)[of_label], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("method", METHODS)
def test_averaged_weights_or_those_of_now(method):
    x = np.random.default_rng(0).uniform(-1, 1, (4, 2)).astype("float32")
    data, level = keras.Input((2,)), keras.Input((1,))

    def model(factor, ema_decay=None):
        dense = keras.layers.Dense(2, use_bias=False)
        network = keras.Model([data, level], dense(data))
        dense.set_weights([factor * np.eye(2)])
        return kg.models.Diffusion(
            network, "cosine", "data", ema_decay=ema_decay
        )

    both, run = model(0.5, ema_decay=0.9), METHODS[method]
    both.network.set_weights([0.3 * np.eye(2)])
    for use_ema, factor in ((None, 0.5), (True, 0.5), (False, 0.3)):
        np.testing.assert_allclose(
            run(both, x, use_ema=use_ema), run(model(factor), x), rtol=1e-5
        )


def test_editing_is_guided():
    """In one step, what comes out is the estimate."""
    model = exact_model(labels=True)
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype("float32")
    options = {"sampler": "ddim", "num_steps": 1, "labels": 1, "seed": 0}
    without, with_label, guided = (
        model.edit(x, guidance_scale=w, **options) for w in (0.0, 1.0, 3.0)
    )
    expected = without + 3.0 * (with_label - without)
    np.testing.assert_allclose(guided, expected, atol=1e-4)
