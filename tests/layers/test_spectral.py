import keras
import numpy as np
import pytest
from keras import ops

from keras_gen.layers import SpectralConv2D
from keras_gen.layers import SpectralDense
from tests.conftest import host
from tests.conftest import tensor

X = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
KERNEL = np.random.default_rng(1).normal(size=(7, 4)).astype("float32")


def dense(kernel=KERNEL):
    layer = SpectralDense(kernel.shape[1])
    layer.build((None, kernel.shape[0]))
    layer.kernel.assign(kernel)
    for _ in range(50):  # u follows the new kernel
        layer(tensor(X), training=True)
    return layer


def test_the_largest_singular_value_is_divided_by():
    layer = dense()
    sigma = np.linalg.svd(KERNEL, compute_uv=False)[0]
    normalized = host(layer.normalized_kernel())
    np.testing.assert_allclose(normalized, KERNEL / sigma, rtol=1e-5)
    top = np.linalg.svd(normalized, compute_uv=False)[0]
    assert abs(top - 1) < 1e-5
    np.testing.assert_allclose(
        host(layer(tensor(X))), X @ KERNEL / sigma, rtol=1e-4, atol=1e-5
    )


def test_a_new_layer_is_nearly_normalised():
    layer = SpectralDense(6)
    layer.build((None, 8))
    top = np.linalg.svd(host(layer.normalized_kernel()), compute_uv=False)[0]
    assert abs(top - 1) < 0.05


def test_the_scale_of_the_kernel_does_not_matter():
    np.testing.assert_allclose(
        host(dense(3 * KERNEL)(tensor(X))), host(dense()(tensor(X))), rtol=1e-5
    )


def test_convolution():
    layer = SpectralConv2D(3, 2, use_bias=False)
    layer.build((None, 4, 4, 2))
    kernel = np.random.default_rng(2).normal(size=(2, 2, 2, 3))
    layer.kernel.assign(kernel)
    x = tensor(np.random.default_rng(3).normal(size=(2, 4, 4, 2)))
    for _ in range(100):
        y = host(layer(x, training=True))
    sigma = np.linalg.svd(kernel.reshape(-1, 3), compute_uv=False)[0]
    plain = keras.layers.Conv2D(3, 2, use_bias=False)
    plain.build((None, 4, 4, 2))
    plain.kernel.assign(kernel / sigma)
    np.testing.assert_allclose(y, host(plain(x)), rtol=1e-4, atol=1e-5)


def test_a_forward_pass_moves_u_in_training_only():
    layer = SpectralDense(4)
    layer.build((None, 7))
    layer.kernel.assign(KERNEL)
    u = host(layer.u).copy()
    layer(tensor(X))
    assert np.array_equal(host(layer.u), u)
    layer(tensor(X), training=True)
    assert not np.array_equal(host(layer.u), u)
    assert np.array_equal(host(layer.kernel), KERNEL)


def test_one_step_against_finite_differences():
    """The kernel moves down the gradient of sum y^2, the same everywhere."""
    keras.utils.set_random_seed(0)
    layer = dense()
    layer.bias.assign(np.zeros(4))
    x = keras.Input((7,))
    model = keras.Model(x, layer(x))
    target = np.ones((5, 4), "float32")
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = host(layer.kernel).astype("float64")
    model.train_on_batch(tensor(X), tensor(target))
    moved = before - host(layer.kernel)

    def loss(kernel):
        sigma = np.linalg.svd(kernel, compute_uv=False)[0]
        return ((X @ kernel / sigma - target) ** 2).mean()

    expected = np.zeros_like(before)
    for index in np.ndindex(before.shape):
        step = np.zeros_like(before)
        step[index] = 1e-5
        expected[index] = (loss(before + step) - loss(before - step)) / 2e-5
    np.testing.assert_allclose(moved, expected, atol=1e-5)
    # The loss does not depend on the kernel's scale: no move along it.
    assert abs((moved * before).sum()) < 1e-5


@pytest.mark.parametrize("make", [SpectralDense, SpectralConv2D])
def test_config(make):
    arguments = {"units": 3} if make is SpectralDense else {"filters": 3}
    if make is SpectralConv2D:
        arguments["kernel_size"] = 2
    layer = make(**arguments, use_bias=False)
    copy = make.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert ops.shape(copy(tensor(np.ones((2, 3, 3, 1)))))[-1] == 3
