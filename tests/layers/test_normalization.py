import keras
import numpy as np
import pytest
from keras import ops

from keras_gen.layers import AdaptiveNormalization
from keras_gen.layers import ConditionalBatchNormalization
from keras_gen.layers import GroupNormalization
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


def grouped(x, groups):
    """Return `x` (batch, height, width, channels) normalised in groups."""
    parts = x.reshape(*x.shape[:3], groups, -1).astype("float64")
    axes = (1, 2, 4)
    parts = parts - parts.mean(axes, keepdims=True)
    parts = parts / np.sqrt((parts**2).mean(axes, keepdims=True) + 1e-5)
    return parts.reshape(x.shape)


@pytest.mark.parametrize("groups", [1, 3, 6])
def test_group_normalisation(groups):
    x = RNG.normal(2.0, 3.0, size=(4, 3, 2, 6)).astype("float32")
    layer = GroupNormalization(groups)
    layer.build(x.shape)
    gamma, beta = RNG.normal(size=(2, 6)).astype("float32")
    layer.set_weights([gamma, beta])
    expected = grouped(x, groups) * gamma + beta
    np.testing.assert_allclose(host(layer(tensor(x))), expected, atol=2e-5)


def test_the_gradient_of_group_normalisation_is_that_of_keras():
    x = RNG.normal(2.0, 3.0, size=(4, 3, 2, 6)).astype("float32")
    weights = tensor(RNG.normal(size=x.shape).astype("float32"))
    ours, theirs = [
        host(input_gradient(lambda x: ops.tanh(layer(x)) * weights, tensor(x)))
        for layer in (
            GroupNormalization(3),
            keras.layers.GroupNormalization(3, epsilon=1e-5),
        )
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_group_normalisation_of_a_large_constant_is_finite():
    """E[x^2] - E[x]^2 rounds to about 0, and must not be negative."""
    x = np.full((2, 9, 7, 4), 1000.1, "float32")
    y = host(GroupNormalization(2)(tensor(x)))
    assert np.isfinite(y).all()


def test_groups_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match="must divide the channels"):
        GroupNormalization(4)(tensor(np.zeros((2, 2, 2, 6), "float32")))
    e = np.zeros((2, 5), "float32")
    with pytest.raises(ValueError, match="must divide the channels"):
        AdaptiveNormalization(4)([tensor(np.zeros((2, 2, 6), "float32")), e])


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_group_normalisation_in_half_precision(dtype):
    """Only what goes in and out is rounded."""
    policy = keras.DTypePolicy(dtype)
    x = ops.cast(RNG.normal(10.0, 1.0, (4, 3, 2, 6)), policy.compute_dtype)
    y = host(ops.cast(GroupNormalization(3, dtype=policy)(x), "float32"))
    expected = grouped(host(ops.cast(x, "float32")), 3)
    error = {"mixed_bfloat16": 0.008, "mixed_float16": 0.001}[dtype]
    np.testing.assert_allclose(y, expected, rtol=error, atol=error)


@pytest.mark.parametrize("groups", [2, None])
def test_adaptive_normalisation(groups):
    x = RNG.normal(2.0, 3.0, size=(4, 3, 2, 6)).astype("float32")
    e = RNG.normal(size=(4, 5)).astype("float32")
    layer = AdaptiveNormalization(groups)
    layer.build([x.shape, e.shape])
    kernel = RNG.normal(size=(5, 12)).astype("float32")
    layer.modulation.kernel.assign(kernel)
    scale, shift = np.split((e @ kernel)[:, None, None], 2, axis=-1)
    if groups is None:  # the channels of each position
        plain = grouped(x.reshape(-1, 1, 1, 6), 1).reshape(x.shape)
    else:
        plain = grouped(x, groups)
    y = host(layer([tensor(x), tensor(e)]))
    np.testing.assert_allclose(y, (1 + scale) * plain + shift, atol=1e-4)


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
