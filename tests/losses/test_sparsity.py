import keras
import numpy as np
import pytest

from keras_gen.losses import KLSparsity
from keras_gen.losses import L1Sparsity
from tests.conftest import host
from tests.conftest import tensor

H = np.array([[0.1, 0.9, 0.2], [0.3, 0.5, 0.2]], "float32")


def test_l1():
    found = host(L1Sparsity(0.5)(tensor(H - 0.4)))
    expected = 0.5 * np.abs(H - 0.4).sum(axis=1).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_kl_is_that_of_two_coins():
    found = host(KLSparsity(0.2, weight=3.0)(tensor(H)))
    r, rho = H.mean(axis=0).astype("float64"), 0.2
    kl = rho * np.log(rho / r) + (1 - rho) * np.log((1 - rho) / (1 - r))
    np.testing.assert_allclose(found, 3 * kl.sum(), rtol=1e-5)


def test_kl_vanishes_at_the_target_only():
    at = host(KLSparsity(0.2)(tensor(np.full((4, 3), 0.2))))
    assert abs(at) < 1e-6
    assert host(KLSparsity(0.2)(tensor(np.full((4, 3), 0.21)))) > 1e-5
    dead = host(KLSparsity(0.2)(tensor(np.zeros((4, 3)))))
    assert np.isfinite(dead) and dead > 1


def test_configuration_and_bad_input():
    for penalty in (L1Sparsity(0.3), KLSparsity(0.1, 2.0)):
        config = keras.saving.serialize_keras_object(penalty)
        copy = keras.saving.deserialize_keras_object(config)
        assert copy.get_config() == penalty.get_config()
    with pytest.raises(ValueError, match=r"`target` must be in \(0, 1\)"):
        KLSparsity(0.0)
    with pytest.raises(ValueError, match="`weight` must be a finite number"):
        L1Sparsity(-1)
