import numpy as np
import pytest

from keras_gen.layers import MinibatchDiscrimination
from keras_gen.layers import MinibatchStd
from tests.conftest import host
from tests.conftest import tensor

RNG = np.random.default_rng(0)
F = RNG.normal(size=(5, 3)).astype("float32")


def brute_force(f, kernel, kernels, dim, include_self):
    m = (f @ kernel).reshape(len(f), kernels, dim)
    o = np.zeros((len(f), kernels))
    for i in range(len(f)):
        for j in range(len(f)):
            if i != j or include_self:
                o[i] += np.exp(-np.abs(m[i] - m[j]).sum(axis=-1))
    return np.concatenate([f, o], axis=-1)


@pytest.mark.parametrize("include_self", [True, False])
def test_against_a_double_loop(include_self):
    layer = MinibatchDiscrimination(4, 2, include_self)
    got = host(layer(tensor(F)))
    expected = brute_force(F, host(layer.kernel), 4, 2, include_self)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    order = [3, 1, 4, 0, 2]
    np.testing.assert_allclose(host(layer(tensor(F[order]))), got[order], 1e-4)
    # Equal rows count each other in full; rows far apart not at all.
    same = host(layer(tensor(np.repeat(F[:1], 5, axis=0))))[:, 3:]
    np.testing.assert_allclose(same, 5 if include_self else 4, rtol=1e-5)
    far = host(layer(tensor(F * 1e4)))[:, 3:]
    np.testing.assert_allclose(far, 1 if include_self else 0, atol=1e-6)


def test_standard_deviation():
    x = RNG.normal(size=(6, 2, 2, 3)).astype("float32")
    y = host(MinibatchStd()(tensor(x)))
    assert y.shape == (6, 2, 2, 4)
    np.testing.assert_array_equal(y[..., :3], x)
    np.testing.assert_allclose(y[..., 3], x.std(axis=0).mean(), rtol=1e-5)
    flat = host(MinibatchStd()(tensor(np.ones((4, 3)))))
    np.testing.assert_allclose(flat[:, 3], 1e-4, rtol=1e-4)


def test_bad_input():
    for layer in (MinibatchDiscrimination(2, 2), MinibatchStd()):
        layer.build((None, 3))
        with pytest.raises(ValueError, match="a batch of one"):
            layer(tensor(F[:1]), training=True)
    with pytest.raises(ValueError, match="Put a `Flatten` before it"):
        MinibatchDiscrimination()(tensor(np.ones((2, 2, 2, 1))))
    with pytest.raises(ValueError, match="`kernels` must be"):
        MinibatchDiscrimination(0)
