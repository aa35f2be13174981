"""Penalties that keep most units of a code inactive."""

import keras
from keras import ops

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class L1Sparsity:
    """Charge the size of every unit: weight mean_b sum_j |h_j|.

    Args:
        weight: Float of at least 0.
    """

    def __init__(self, weight=0.1):
        self.weight = checks.check_non_negative(weight, "weight")

    def __call__(self, h):
        return self.weight * ops.mean(ops.sum(ops.abs(h), axis=-1))

    def get_config(self):
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_gen")
class KLSparsity:
    """Pull the mean activation of every unit towards a target.

        weight sum_j KL(rho || r_j),    r_j = mean_b h_j
        KL = rho ln(rho / r) + (1 - rho) ln((1 - rho) / (1 - r))

    for units in (0, 1), such as sigmoids. Where several devices train with
    TensorFlow, the mean is over the part of the batch that each sees.

    Args:
        target: Float in (0, 1), rho.
        weight: Float of at least 0.

    Reference:
        Ng, Sparse Autoencoder, CS294A lecture notes, 2011.
    """

    def __init__(self, target=0.05, weight=1.0):
        if not 0 < target < 1:
            raise ValueError(
                f"`target` must be in (0, 1). Received: target={target}"
            )
        self.target = float(target)
        self.weight = checks.check_non_negative(weight, "weight")

    def __call__(self, h):
        rho, r = self.target, ops.clip(ops.mean(h, axis=0), 1e-6, 1 - 1e-6)
        kl = rho * (ops.log(rho) - ops.log(r))
        kl = kl + (1 - rho) * (ops.log(1 - rho) - ops.log(1 - r))
        return self.weight * ops.sum(kl)

    def get_config(self):
        return {"target": self.target, "weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
