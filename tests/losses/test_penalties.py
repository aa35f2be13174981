import keras
import numpy as np
import pytest
from keras import ops

from keras_gen.losses import GradientPenalty
from keras_gen.training import input_gradient
from tests.conftest import host
from tests.conftest import tensor

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(6, 3, 2, 1)).astype("float32")
FAKE = RNG.normal(size=(6, 3, 2, 1)).astype("float32")
W = RNG.normal(size=(3, 2, 1)).astype("float32")


def value(penalty, critic, real=REAL, fake=FAKE):
    seed = keras.random.SeedGenerator(0)
    real, fake = tensor(real), tensor(fake)
    return host(penalty(lambda x: input_gradient(critic, x), real, fake, seed))


def linear(x, scale=1.0, constant=0.0):
    return scale * ops.sum(x * tensor(W), axis=(1, 2, 3)) + constant


@pytest.mark.parametrize("at", ["real", "fake", "interpolate", "noise"])
def test_linear_critic(at):
    """The slope of a linear critic is ||w|| everywhere."""
    expected = 10 * (np.linalg.norm(W) - 1) ** 2
    got = value(GradientPenalty(10.0, at=at), linear)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_invariances():
    penalty = GradientPenalty(10.0)
    whole = value(penalty, linear)
    # One norm per sample: neither batch size nor order nor a constant matter.
    one = value(penalty, linear, REAL[:1], FAKE[:1])
    np.testing.assert_allclose(one, whole, rtol=1e-5)
    shuffled = value(penalty, linear, REAL[::-1].copy(), FAKE)
    np.testing.assert_allclose(shuffled, whole, rtol=1e-5)
    shifted = value(penalty, lambda x: linear(x, constant=9.0))
    np.testing.assert_allclose(shifted, whole, rtol=1e-5)
    # A norm per pixel instead would give another value.
    per_pixel = 10 * ((np.abs(W) - 1) ** 2).mean()
    assert abs(per_pixel - whole) > 0.1 * whole


def test_unit_slope_costs_nothing():
    scale = float(1 / np.linalg.norm(W))
    assert value(GradientPenalty(), lambda x: linear(x, scale)) < 1e-9


def test_one_sided():
    flat = float(0.5 / np.linalg.norm(W))
    steep = float(2.0 / np.linalg.norm(W))
    penalty = GradientPenalty(1.0, one_sided=True)
    assert value(penalty, lambda x: linear(x, flat)) == 0
    np.testing.assert_allclose(
        value(penalty, lambda x: linear(x, steep)), 1.0, rtol=1e-5
    )


def test_quadratic_critic():
    """R1 of 1/2 x'Ax + b'x is gamma/2 mean ||Ax + b||^2; R2 at the fakes."""
    a = RNG.normal(size=(6, 6))
    a, b = ((a + a.T) / 2).astype("float32"), W.reshape(-1)

    def critic(x, scale=1.0):
        x = ops.reshape(x, (-1, 6))
        quadratic = 0.5 * ops.sum(x * ops.matmul(x, tensor(a)), axis=-1)
        return scale * (quadratic + ops.sum(x * tensor(b), axis=-1))

    for at, points in (("real", REAL), ("fake", FAKE)):
        slopes = points.reshape(-1, 6) @ a + b
        expected = 0.5 * (slopes**2).sum(axis=-1).mean()
        r = GradientPenalty(0.5, at=at, center=0.0)
        np.testing.assert_allclose(value(r, critic), expected, rtol=1e-5)
        # Linear in gamma, quadratic in the scale of D.
        twice = GradientPenalty(1.0, at=at, center=0.0)
        np.testing.assert_allclose(
            value(twice, critic), 2 * expected, rtol=1e-5
        )
        np.testing.assert_allclose(
            value(r, lambda x: critic(x, 3.0)), 9 * expected, rtol=1e-5
        )


def test_dragan_without_noise_is_the_penalty_at_reals():
    def critic(x):
        return ops.sum(x * x * tensor(W), axis=(1, 2, 3))

    np.testing.assert_allclose(
        value(GradientPenalty(at="noise", noise_scale=0.0), critic),
        value(GradientPenalty(at="real"), critic),
        rtol=1e-6,
    )


def test_dragan_points_lie_around_the_reals():
    """x + c eps, and the slope is that at them: x of the critic x^2 / 2."""
    seed = [keras.random.SeedGenerator(0) for _ in range(2)]
    eps = host(keras.random.normal(REAL.shape, seed=seed[0]))
    penalty = GradientPenalty(at="noise", noise_scale=0.3)
    points = host(penalty.points(tensor(REAL), tensor(FAKE), seed[1]))
    np.testing.assert_allclose(points, REAL + 0.3 * eps, atol=1e-6)
    norms = np.linalg.norm(points.reshape(6, -1), axis=1)
    np.testing.assert_allclose(
        value(penalty, lambda x: 0.5 * ops.sum(x * x, axis=(1, 2, 3))),
        10 * ((norms - 1) ** 2).mean(),
        rtol=1e-5,
    )


def test_interpolates_lie_between():
    seed = keras.random.SeedGenerator(0)
    points = host(GradientPenalty().points(tensor(REAL), tensor(FAKE), seed))
    u = (points - FAKE) / (REAL - FAKE)
    u = u.reshape(6, -1)
    np.testing.assert_allclose(u, u[:, :1].repeat(6, axis=1), atol=1e-3)
    assert (u > 0).all() and (u < 1).all() and len(np.unique(u[:, 0])) == 6


def test_bad_arguments():
    with pytest.raises(ValueError, match="`at` must be one of"):
        GradientPenalty(at="middle")
    with pytest.raises(ValueError, match="`weight` must be at least 0"):
        GradientPenalty(-1.0)
    config = keras.saving.serialize_keras_object(
        GradientPenalty(3.0, at="fake")
    )
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == GradientPenalty(3.0, at="fake").get_config()
