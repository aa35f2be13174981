import keras
import numpy as np
from keras import ops

from keras_gen.layers import ConditionalBatchNormalization
from keras_gen.layers import LayerNormalization
from keras_gen.losses import GradientPenalty
from keras_gen.training import GenerativeModel
from keras_gen.training import input_gradient
from tests.conftest import host
from tests.conftest import tensor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3)).astype("float32")
KERNELS = [RNG.normal(size=s).astype("float32") for s in ((3, 6), (6, 1))]


def test_layer_normalisation():
    x = RNG.normal(2.0, 3.0, size=(4, 3, 2, 5)).astype("float32")
    y = host(LayerNormalization()(tensor(x)))
    axes = (1, 2, 3)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(
        x.var(axes, keepdims=True) + 1e-5
    )
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


class Penalised(GenerativeModel):
    """Move a critic down its gradient penalty, and nothing else."""

    def __init__(self, critic):
        super().__init__(logs=("loss",))
        self.critic, self.data_shape = critic, (3,)

    def training_step(self, x, y=None):
        penalty = GradientPenalty(1.0, at="real")

        def loss():
            return penalty(lambda x: input_gradient(self.critic, x), x, x, None)

        return {"loss": self.minimize(loss)}


def test_the_gradient_of_a_penalty_against_finite_differences():
    """Where Keras's own layer is wrong on TensorFlow: a norm after a Dense."""
    inputs = keras.Input((3,))
    first = keras.layers.Dense(6, use_bias=False)
    x = ops.tanh(LayerNormalization()(first(inputs)))
    critic = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(x))
    first.kernel.assign(KERNELS[0])
    critic.layers[-1].kernel.assign(KERNELS[1])
    model = Penalised(critic)
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(tensor(X))
    moved = KERNELS[0] - host(first.kernel)

    def score(x, kernel):
        h = x @ kernel
        h = h - h.mean(-1, keepdims=True)
        h = h / np.sqrt((h**2).mean(-1, keepdims=True) + 1e-5)
        return (np.tanh(h) @ KERNELS[1])[:, 0]

    def penalty(kernel):
        slope = np.stack(
            [
                (score(X + e, kernel) - score(X - e, kernel)) / 2e-5
                for e in 1e-5 * np.eye(3)
            ]
        )
        return ((np.sqrt((slope**2).sum(0)) - 1) ** 2).mean()

    kernel = KERNELS[0].astype("float64")
    expected = np.zeros_like(kernel)
    for index in np.ndindex(kernel.shape):
        e = np.zeros_like(kernel)
        e[index] = 1e-4
        expected[index] = (penalty(kernel + e) - penalty(kernel - e)) / 2e-4
    scale = np.abs(expected).max()
    np.testing.assert_allclose(moved, expected, atol=1e-4 * scale)


def test_a_scale_and_a_shift_for_each_class():
    layer = ConditionalBatchNormalization()
    x = RNG.normal(size=(6, 2, 2, 3)).astype("float32")
    labels = np.eye(2, dtype="float32")[[0, 1, 0, 1, 0, 1]]
    y = host(layer([tensor(x), tensor(labels)], training=True))
    axes = (0, 1, 2)
    plain = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-3)
    np.testing.assert_allclose(y, plain, rtol=1e-3, atol=1e-4)
    gamma, beta = RNG.normal(size=(2, 2, 3)).astype("float32")
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    y = host(layer([tensor(x), tensor(labels)], training=True))
    expected = plain[1] * (1 + gamma[1]) + beta[1]
    np.testing.assert_allclose(y[1], expected, rtol=1e-3, atol=1e-4)
