import numpy as np
import pytest

import keras_gen as kg
from keras_gen.diffusion import samplers
from keras_gen.training.editing import _resampled
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
