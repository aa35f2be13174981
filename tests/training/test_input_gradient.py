import keras
import numpy as np
from keras import ops

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


class Critic(keras.layers.Layer):
    """Dense, tanh, Dense: a critic whose second derivatives are not trivial."""

    def __init__(self, kernels):
        super().__init__()
        self.kernels = [
            self.add_weight(
                shape=k.shape,
                initializer=keras.initializers.Constant(k),
                name=f"k{i}",
            )
            for i, k in enumerate(kernels)
        ]
        self.built = True

    def call(self, x):
        hidden = ops.tanh(ops.matmul(x, self.kernels[0]))
        return ops.matmul(hidden, self.kernels[1])


def _penalty64(k0, k1, x):
    """mean (||grad_x D|| - 1)^2 in float64 NumPy."""
    hidden = np.tanh(x @ k0)
    slope = ((1 - hidden**2) * k1[:, 0]) @ k0.T
    norms = np.sqrt((slope**2).sum(axis=-1) + 1e-12)
    return ((norms - 1) ** 2).mean()


def test_second_order_against_float64_finite_differences():
    """One SGD step on a penalty moves weights by its parameter gradient."""
    import keras_gen as kg

    rng = np.random.default_rng(0)
    k0 = rng.normal(size=(3, 5)).astype("float32")
    k1 = rng.normal(size=(5, 1)).astype("float32")
    x = rng.normal(size=(7, 3)).astype("float32")

    class Model(kg.training.GenerativeModel):
        def __init__(self):
            super().__init__(logs=("loss",))
            self.critic = Critic([k0, k1])
            self.data_shape = (3,)

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
    np.testing.assert_allclose(loss, _penalty64(*base, x), rtol=1e-5)
    for i in range(2):
        gradient = np.zeros_like(base[i])
        for index in np.ndindex(*gradient.shape):
            h = 1e-5
            up, down = [k.copy() for k in base], [k.copy() for k in base]
            up[i][index] += h
            down[i][index] -= h
            gradient[index] = (_penalty64(*up, x) - _penalty64(*down, x)) / (
                2 * h
            )
        moved = base[i] - host(model.critic.kernels[i])
        np.testing.assert_allclose(moved, gradient, atol=2e-6, rtol=2e-4)
