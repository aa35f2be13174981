import numpy as np
import pytest

from keras_gen import metrics
from keras_gen.metrics import latents

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 4, (2000, 2))
NOISE = 0.02 * RNG.normal(size=(2000, 2))
SCORES = {
    "mig": metrics.mutual_information_gap,
    "sap": metrics.separated_attribute_predictability,
    "d": lambda *a: dci(*a)["disentanglement"],
    "c": lambda *a: dci(*a)["completeness"],
}
dci = metrics.disentanglement_completeness_informativeness


def test_active_units_are_those_that_move():
    codes = RNG.normal(size=(1000, 5)) * [1.0, 0.2, 0.05, 0.0, 2.0]
    assert metrics.active_units(codes) == 3
    assert metrics.active_units(codes, threshold=0.001) == 4


@pytest.mark.parametrize("score", SCORES)
def test_one_latent_for_each_factor_is_best(score):
    """A rotation by 45 degrees mixes what was apart."""
    score = SCORES[score]
    apart = FACTORS + NOISE
    mixed = apart @ (np.array([[1, 1], [-1, 1]]) / np.sqrt(2))
    assert score(apart, FACTORS) > 0.6
    assert score(mixed, FACTORS) < 0.35 < score(apart, FACTORS) - 0.2
    # The order of latents means nothing.
    swapped = score(apart[:, ::-1], FACTORS)
    assert swapped == pytest.approx(score(apart, FACTORS), abs=0.02)


def test_exact_values():
    """Codes that are the factors: the gap is 1 but for chance."""
    codes = FACTORS.astype(float)
    assert metrics.mutual_information_gap(codes, FACTORS) == pytest.approx(
        1, abs=0.01
    )
    scores = dci(codes, FACTORS)
    assert scores["informativeness"] == 1
    assert scores["disentanglement"] > 0.95 and scores["completeness"] > 0.95
    # Both latents hold the one factor: no gap at all.
    twice = np.repeat(codes[:, :1], 2, axis=1)
    assert metrics.mutual_information_gap(twice, FACTORS[:, 0]) == 0


def dci_of(importances, monkeypatch):
    """Return the scores where forests find these importances."""
    rows = iter(importances)

    class Forest:
        def __init__(self, *args, **kwargs):
            self.feature_importances_ = np.array(next(rows))

        def fit(self, x, y):
            pass

        def score(self, x, y):
            return 1.0

    monkeypatch.setattr(latents, "RandomForestClassifier", Forest)
    return dci(RNG.normal(size=(2000, 3)), FACTORS)


def test_two_latents_may_share_a_factor(monkeypatch):
    """Disentangled, as each holds one factor; not complete, as one has two."""
    scores = dci_of([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], monkeypatch)
    assert scores["disentanglement"] == pytest.approx(1.0)
    expected = (1 - np.log(2) / np.log(3) + 1) / 2
    assert scores["completeness"] == pytest.approx(expected)


def test_latents_count_as_much_as_they_matter(monkeypatch):
    """Weights 0.3, 0.65 and 0.05; the last latent serves both factors."""
    scores = dci_of([[0.6, 0.36, 0.04], [0.0, 0.94, 0.06]], monkeypatch)

    def entropy(p):
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    expected = 1 - 0.65 * entropy(0.36 / 1.3) - 0.05 * entropy(0.4)
    assert scores["disentanglement"] == pytest.approx(expected)


def test_separated_attributes_exactly():
    """One latent tells the classes apart, the other is constant: chance."""
    y = np.arange(2000) % 2
    codes = np.stack([2.0 * y - 1.0, np.zeros(2000)], axis=1)
    score = metrics.separated_attribute_predictability(codes, y)
    assert score == pytest.approx(0.5, abs=0.03)


def test_codes_of_noise_score_nothing():
    codes = RNG.normal(size=(2000, 3))
    assert metrics.mutual_information_gap(codes, FACTORS) < 0.05
    assert dci(codes, FACTORS)["informativeness"] < 0.35


def test_bad_input():
    with pytest.raises(ValueError, match="with at least 2 latents"):
        dci(np.zeros((5, 1)), np.zeros((5, 1), int))
    with pytest.raises(ValueError, match="`factors` must be integers"):
        dci(np.zeros((5, 2)), np.zeros((5, 1)))
    with pytest.raises(ValueError, match="must take two values"):
        dci(np.zeros((5, 2)), np.zeros((5, 1), int))
    once = np.zeros((100, 1), int)
    once[-1] = 1
    with pytest.raises(ValueError, match="in the half to learn from"):
        [dci(RNG.normal(size=(100, 2)), once, seed) for seed in range(9)]
    with pytest.raises(ValueError, match="hold NaN"):
        dci(np.full((5, 2), np.nan), np.arange(5))
    with pytest.raises(ValueError, match="hold NaN"):
        metrics.active_units(np.full((5, 2), np.nan))
    with pytest.raises(ValueError, match="the same for all images"):
        dci(np.ones((5, 2)), np.arange(5))
