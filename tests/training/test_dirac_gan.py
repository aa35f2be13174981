"""The Dirac-GAN: D(x) = psi x, G = theta, all data at 0.

Its alternating updates are a recursion of two numbers, so every step of the
machinery shows: order, number of steps, detaching, optimizers, penalty.
"""

import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.conftest import host

RATE = 0.2


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def recursion(theta, psi, steps, k, gamma, loss):
    """Return (theta, psi) after each step, in float64."""
    path = []
    for _ in range(steps):
        for _ in range(k):
            psi -= RATE * (sigmoid(psi * theta) * theta + gamma * psi)
        if loss == "non_saturating":
            theta += RATE * psi * sigmoid(-psi * theta)
        else:
            theta += RATE * psi * sigmoid(psi * theta)
        path.append((theta, psi))
    return np.array(path)


def dirac_gan(k, gamma, loss, theta=1.0, psi=0.5):
    z = keras.Input((1,))
    # A kernel of 0 hides z, and theta is the bias. Gradients on the kernel
    # depend on z, so it must not be trained.
    hidden = keras.layers.Rescaling(0.0)(z)
    generator = keras.Model(z, keras.layers.Dense(1, name="theta")(hidden))
    discriminator = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    generator.set_weights([np.zeros((1, 1)), np.array([theta])])
    discriminator.set_weights([np.array([[psi]])])
    penalty = kg.losses.GradientPenalty(gamma / 2, at="real", center=0.0)
    model = kg.models.GAN(
        generator,
        discriminator,
        loss=loss,
        discriminator_steps=k,
        penalty=penalty if gamma else None,
    )
    model.compile(keras.optimizers.SGD(RATE))
    return model


@pytest.mark.parametrize("loss", ["non_saturating", "minimax"])
@pytest.mark.parametrize("k, gamma", [(1, 0.0), (3, 0.0), (1, 0.5), (3, 0.5)])
def test_recursion(k, gamma, loss):
    model = dirac_gan(k, gamma, loss)
    zeros = np.zeros((4, 1), "float32")
    path = []
    for _ in range(30):
        model.train_on_batch(zeros)
        path.append(
            (
                host(model.generator.layers[-1].bias)[0],
                host(model.discriminator.layers[-1].kernel)[0, 0],
            )
        )
    expected = recursion(1.0, 0.5, 30, k, gamma, loss)
    np.testing.assert_allclose(np.array(path), expected, atol=1e-6)


def test_r1_contracts_and_without_it_the_game_circles():
    zeros, radius = np.zeros((4, 1), "float32"), []
    for gamma in (0.5, 0.0):
        model = dirac_gan(1, gamma, "non_saturating")
        for _ in range(300):
            model.train_on_batch(zeros)
        theta = host(model.generator.layers[-1].bias)[0]
        psi = host(model.discriminator.layers[-1].kernel)[0, 0]
        radius.append(np.hypot(theta, psi))
    assert radius[0] < 1e-3 < 0.1 < radius[1]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_iterations_count_which_network_moved(k):
    model = dirac_gan(k, 0.0, "non_saturating")
    zeros = np.zeros((4, 1), "float32")
    for _ in range(5):
        model.train_on_batch(zeros)
    assert int(host(model.optimizer["discriminator"].iterations)) == 5 * k
    assert int(host(model.optimizer["generator"].iterations)) == 5
