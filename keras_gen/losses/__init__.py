"""Likelihoods, divergences, KL schedules, adversarial losses, penalties."""

from keras_gen.losses.adversarial import get_adversarial_loss
from keras_gen.losses.aggregate import aggregate_log_density
from keras_gen.losses.aggregate import stratified_log_weights
from keras_gen.losses.divergences import gaussian_kl
from keras_gen.losses.divergences import gaussian_log_density
from keras_gen.losses.divergences import log_mean_exp
from keras_gen.losses.kl_terms import Capacity
from keras_gen.losses.kl_terms import CyclicalBeta
from keras_gen.losses.kl_terms import FreeBits
from keras_gen.losses.kl_terms import LinearWarmup
from keras_gen.losses.likelihoods import Bernoulli
from keras_gen.losses.likelihoods import DiscretizedLogistic
from keras_gen.losses.likelihoods import Gaussian
from keras_gen.losses.likelihoods import Laplace
from keras_gen.losses.likelihoods import get_likelihood
from keras_gen.losses.mmd import squared_mmd
from keras_gen.losses.penalties import GradientPenalty
from keras_gen.losses.pull_away import pull_away
from keras_gen.losses.sparsity import KLSparsity
from keras_gen.losses.sparsity import L1Sparsity

__all__ = [
    "Bernoulli",
    "Capacity",
    "CyclicalBeta",
    "DiscretizedLogistic",
    "FreeBits",
    "Gaussian",
    "GradientPenalty",
    "KLSparsity",
    "L1Sparsity",
    "Laplace",
    "LinearWarmup",
    "aggregate_log_density",
    "gaussian_kl",
    "gaussian_log_density",
    "get_adversarial_loss",
    "get_likelihood",
    "log_mean_exp",
    "pull_away",
    "squared_mmd",
    "stratified_log_weights",
]
