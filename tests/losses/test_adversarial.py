import math

import numpy as np
import pytest

from keras_gen.losses import Minimax
from keras_gen.losses import NonSaturating
from keras_gen.losses import get_adversarial_loss
from tests.conftest import host
from tests.conftest import tensor

ZERO = tensor(np.zeros((4, 1)))


def test_values_where_the_discriminator_is_undecided():
    loss = NonSaturating()
    assert math.isclose(
        host(loss.discriminator(ZERO, ZERO)), 2 * math.log(2), rel_tol=1e-6
    )
    assert math.isclose(host(loss.generator(ZERO)), math.log(2), rel_tol=1e-6)
    assert math.isclose(
        host(Minimax().generator(ZERO)), -math.log(2), rel_tol=1e-6
    )


def test_by_hand():
    r, f = np.array([[0.5], [-1.0]]), np.array([[2.0], [0.0]])
    sp = np.logaddexp
    expected = (sp(0, -r) + sp(0, f)).mean()
    r, f, z = tensor(r), tensor(f), f
    for loss in (NonSaturating(), Minimax()):
        np.testing.assert_allclose(
            host(loss.discriminator(r, f)), expected, rtol=1e-6
        )
    np.testing.assert_allclose(
        host(NonSaturating().generator(f)), sp(0, -z).mean(), rtol=1e-6
    )
    np.testing.assert_allclose(
        host(Minimax().generator(f)), -sp(0, z).mean(), rtol=1e-6
    )


def _optimal(p_data, p_model, smoothing):
    """Optimal logits on a discrete space, and the loss they reach."""
    alpha = 1 - smoothing
    d = alpha * p_data / (p_data + p_model)
    return np.log(d / (1 - d))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_optimal_discriminator_minimises_the_loss(smoothing):
    """D* = alpha p_d / (p_d + p_g); without smoothing -loss = -ln 4 + 2 JSD.

    Each of the 1,000 weighted outcomes is written out as that many samples.
    """
    real_counts, fake_counts = (
        np.array([500, 300, 200]),
        np.array([100, 1, 899]),
    )
    p, q = real_counts / 1000, fake_counts / 1000
    logits = _optimal(p, q, smoothing)

    def loss(logits):
        logits = logits[:, None]
        return host(
            NonSaturating().discriminator(
                tensor(np.repeat(logits, real_counts, axis=0)),
                tensor(np.repeat(logits, fake_counts, axis=0)),
                smoothing,
            )
        )

    best = loss(logits)
    for direction in np.eye(3):
        assert loss(logits + 0.05 * direction) > best
        assert loss(logits - 0.05 * direction) > best
    if not smoothing:
        m = (p + q) / 2
        jsd = 0.5 * (p * np.log(p / m) + q * np.log(q / m)).sum()
        assert math.isclose(-best, -math.log(4) + 2 * jsd, rel_tol=1e-5)


def test_equilibrium_under_smoothing_is_half_of_alpha():
    p = np.array([0.2, 0.8])
    d = 1 / (1 + np.exp(-_optimal(p, p, 0.1)))
    np.testing.assert_allclose(d, 0.45)


def test_unknown_name():
    with pytest.raises(ValueError, match="`loss` must be one of"):
        get_adversarial_loss("nonsat")
