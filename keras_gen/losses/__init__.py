"""Likelihoods, divergences, adversarial losses and penalties."""

from keras_gen.losses.adversarial import Minimax
from keras_gen.losses.adversarial import NonSaturating
from keras_gen.losses.adversarial import get_adversarial_loss
from keras_gen.losses.divergences import gaussian_kl
from keras_gen.losses.likelihoods import Bernoulli
from keras_gen.losses.likelihoods import Gaussian
from keras_gen.losses.likelihoods import get_likelihood
from keras_gen.losses.penalties import GradientPenalty

__all__ = [
    "Bernoulli",
    "Gaussian",
    "GradientPenalty",
    "Minimax",
    "NonSaturating",
    "gaussian_kl",
    "get_adversarial_loss",
    "get_likelihood",
]
