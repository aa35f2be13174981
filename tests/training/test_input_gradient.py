import keras
import numpy as np
import pytest
from keras import ops

import keras_gen as kg
from keras_gen.training import input_gradient
from tests.conftest import host
from tests.conftest import tensor


def test_analytic_gradients():
    rng = np.random.default_rng(0)
    x = ops.convert_to_tensor(rng.normal(size=(5, 4)).astype("float32"))
    a = rng.normal(size=(4, 4)).astype("float32")

    def quadratic(x):
        return ops.sum(x * ops.matmul(x, tensor(a)), axis=-1)

    np.testing.assert_allclose(
        host(input_gradient(quadratic, x)), host(x) @ (a + a.T), rtol=1e-4
    )
    np.testing.assert_allclose(
        host(input_gradient(ops.sin, x)), np.cos(host(x)), rtol=1e-5
    )
    assert not host(
        input_gradient(lambda x: ops.zeros((5,)) + a[0, 0], x)
    ).any()


def _dense(kernel):
    return kernel


def _convolution(kernel, size=4):
    """Return a convolution of images of size x size x 1 as a matrix."""
    k, filters = kernel.shape[0], kernel.shape[-1]
    n = size - k + 1
    matrix = np.zeros((size, size, n, n, filters), kernel.dtype)
    for i, j in np.ndindex(n, n):
        matrix[i : i + k, j : j + k, i, j] = kernel[:, :, 0]
    return matrix.reshape(size * size, -1)


# A first layer, its kernel as a matrix, shapes of an image and of the kernels.
CRITICS = {
    "dense": (
        lambda: keras.layers.Dense(5, use_bias=False),
        *(_dense, (3,), (3, 5), (5, 1)),
    ),
    "convolution": (
        lambda: keras.layers.Conv2D(2, 2, use_bias=False),
        *(_convolution, (4, 4, 1), (2, 2, 1, 2), (18, 1)),
    ),
}


def _penalty64(matrix, k0, k1, x):
    """mean (||grad_x D|| - 1)^2 in float64 NumPy."""
    k0, x = matrix(k0), x.reshape(len(x), -1)
    hidden = np.tanh(x @ k0)
    slope = ((1 - hidden**2) * k1[:, 0]) @ k0.T
    norms = np.sqrt((slope**2).sum(axis=-1) + 1e-12)
    return ((norms - 1) ** 2).mean()


@pytest.mark.parametrize("name", CRITICS)
def test_second_order_against_float64_finite_differences(name):
    """One SGD step on a penalty moves weights by its parameter gradient.

    The critic is a layer, tanh and a dense layer.
    """
    layer, matrix, shape, *shapes = CRITICS[name]
    rng = np.random.default_rng(0)
    k0, k1 = (rng.normal(size=s).astype("float32") for s in shapes)
    x = rng.uniform(-1, 1, (7, *shape)).astype("float32")
    critic = keras.Sequential(
        [
            keras.Input(shape),
            layer(),
            keras.layers.Activation("tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    critic.set_weights([k0, k1])

    class Model(kg.training.GenerativeModel):
        def __init__(self):
            super().__init__(logs=("loss",))
            self.critic = critic
            self.data_shape = shape

        def training_step(self, x, y=None):
            penalty = kg.losses.GradientPenalty(1.0, at="real")
            return {
                "loss": self.minimize(
                    lambda: penalty(
                        lambda x: input_gradient(self.critic, x), x, x, None
                    )
                )
            }

    model = Model()
    model.compile(keras.optimizers.SGD(1.0))
    loss = model.train_on_batch(x, return_dict=True)["loss"]
    base = [k0.astype("float64"), k1.astype("float64")]
    np.testing.assert_allclose(loss, _penalty64(matrix, *base, x), rtol=1e-5)
    for i in range(2):
        gradient = np.zeros_like(base[i])
        for index in np.ndindex(*gradient.shape):
            h = 1e-5
            up, down = [k.copy() for k in base], [k.copy() for k in base]
            up[i][index] += h
            down[i][index] -= h
            rise = _penalty64(matrix, *up, x) - _penalty64(matrix, *down, x)
            gradient[index] = rise / (2 * h)
        moved = base[i] - host(critic.weights[i])
        np.testing.assert_allclose(moved, gradient, atol=2e-6, rtol=2e-4)
