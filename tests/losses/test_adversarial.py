import math

import numpy as np
import pytest

from keras_gen.losses import get_adversarial_loss
from keras_gen.losses.adversarial import Minimax
from keras_gen.losses.adversarial import NonSaturating
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


@pytest.mark.parametrize(
    "name, discriminator, generator",
    [
        # r = (0.5, -1), f = (2, 0): each term written out.
        ("least_squares", (0.25 + 4 + 4 + 0) / 4, (1 + 1) / 4),
        ("hinge", (0.5 + 2 + 3 + 1) / 2, -1.0),
        ("wasserstein", 1 + 0.25, -1.0),
        (
            "relativistic",
            (np.logaddexp(0, 1.5) + np.logaddexp(0, 1)) / 2,
            (np.logaddexp(0, -1.5) + np.logaddexp(0, -1)) / 2,
        ),
    ],
)
def test_four_numbers_by_hand(name, discriminator, generator):
    r, f = tensor([[0.5], [-1.0]]), tensor([[2.0], [0.0]])
    loss = get_adversarial_loss(name)
    np.testing.assert_allclose(
        host(loss.discriminator(r, f)), discriminator, rtol=1e-6
    )
    np.testing.assert_allclose(host(loss.generator(f, r)), generator, rtol=1e-6)


def test_beyond_the_hinge_nothing_is_lost():
    """Of r = (3, 0) and f = (-4, -0.5) one each is beyond 1 and -1."""
    loss = get_adversarial_loss("hinge")
    value = loss.discriminator(tensor([[3.0], [0.0]]), tensor([[-4.0], [-0.5]]))
    np.testing.assert_allclose(host(value), (0 + 1 + 0 + 0.5) / 2, rtol=1e-6)


def test_only_differences_matter_to_the_relativistic_loss():
    r, f = tensor([[0.5], [-1.0]]), tensor([[2.0], [0.0]])

    def change(name):
        loss = get_adversarial_loss(name)
        d = loss.discriminator(r + 3, f + 3) - loss.discriminator(r, f)
        g = loss.generator(f + 3, r + 3) - loss.generator(f, r)
        return abs(host(d)), abs(host(g))

    assert max(change("relativistic")) < 1e-6
    assert min(change("non_saturating")) > 0.1


def test_smoothed_targets():
    loss = get_adversarial_loss("least_squares", 0.1)
    r, f = tensor([[0.9]]), tensor([[0.0]])
    assert abs(host(loss.discriminator(r, f))) < 1e-12
    for name in ("hinge", "wasserstein", "relativistic"):
        with pytest.raises(ValueError, match="has no targets to smooth"):
            get_adversarial_loss(name, 0.1)


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
            NonSaturating(smoothing).discriminator(
                tensor(np.repeat(logits, real_counts, axis=0)),
                tensor(np.repeat(logits, fake_counts, axis=0)),
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
    """Of equal laws D = 0.45 costs least, alpha being 0.9, and not 0.5."""
    d = np.array([0.40, 0.44, 0.45, 0.46, 0.50])
    logits = tensor(np.log(d / (1 - d)))
    loss = NonSaturating(0.1)
    values = [host(loss.discriminator(a, a)) for a in logits]
    assert np.argmin(values) == 2


def test_unknown_name():
    with pytest.raises(ValueError, match="`loss` must be one of"):
        get_adversarial_loss("nonsat")
