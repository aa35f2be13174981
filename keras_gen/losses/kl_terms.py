"""How a VAE's KL divergence enters its loss: weights, schedules, bounds.

Each is a layer, called with the KL of each sample and latent, `(batch,
latent_dim)`, that returns a scalar. Schedules count training steps in a
variable, which is saved with the model: a resumed run goes on where it was.
"""

import keras
from keras import ops

from keras_gen import checks


class _KLTerm(keras.layers.Layer):
    """Count training steps."""

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="float32",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )
        self.built = True

    def call(self, kl, training=False):
        step = ops.convert_to_tensor(self.step)
        term = self.term(kl, step)
        if training:  # last: on torch the tensor would change as well
            self.step.assign(step + 1.0)
        return term

    def term(self, kl, step):
        """Return the term of the loss at a step."""
        raise NotImplementedError


def check_beta(beta):
    """Return a weight as a float, or a layer of this module unchanged."""
    if isinstance(beta, keras.layers.Layer):
        return beta
    return checks.check_non_negative(beta, "beta")


def weigh_kl(beta, kl, training):
    """Return the term of the loss for `kl`, the KL of each sample and latent.

    Args:
        beta: Float, or a layer of this module.
        kl: Tensor `(batch, latent_dim)`.
        training: Bool.
    """
    if isinstance(beta, float):
        return beta * _total(kl)
    return beta(kl, training=training)


def _total(kl):
    return ops.mean(ops.sum(kl, axis=-1))


@keras.saving.register_keras_serializable("keras_gen")
class LinearWarmup(_KLTerm):
    """Raise the weight of the KL divergence from 0, step by step.

        beta_t = beta min(1, t / steps)

    Select the best epoch by `val_negative_elbo`, not by this loss.

    Args:
        steps: Integer, training steps until the full weight.
        beta: Float of at least 0, the full weight.

    Reference:
        Bowman et al., Generating Sentences from a Continuous Space, 2015,
        arXiv:1511.06349.
    """

    def __init__(self, steps, beta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.steps = checks.check_positive_integer(steps, "steps")
        self.beta = checks.check_non_negative(beta, "beta")

    def term(self, kl, step):
        return self.beta * ops.minimum(1.0, step / self.steps) * _total(kl)

    def get_config(self):
        config = super().get_config()
        return {**config, "steps": self.steps, "beta": self.beta}


@keras.saving.register_keras_serializable("keras_gen")
class CyclicalBeta(_KLTerm):
    """Raise the weight of the KL divergence from 0 again and again.

        beta_t = beta min(1, u / ramp),    u = (t mod period) / period

    Args:
        period: Integer, training steps in a cycle.
        ramp: Float in (0, 1], the share of a cycle in which the weight rises.
        beta: Float of at least 0, the full weight.

    Reference:
        Fu et al., Cyclical Annealing Schedule, 2019, arXiv:1903.10145.
    """

    def __init__(self, period, ramp=0.5, beta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.period = checks.check_positive_integer(period, "period")
        if not 0 < ramp <= 1:
            raise ValueError(f"`ramp` must be in (0, 1]. Received: ramp={ramp}")
        self.ramp = ramp
        self.beta = checks.check_non_negative(beta, "beta")

    def term(self, kl, step):
        u = ops.mod(step, float(self.period)) / self.period
        return self.beta * ops.minimum(1.0, u / self.ramp) * _total(kl)

    def get_config(self):
        config = {"period": self.period, "ramp": self.ramp, "beta": self.beta}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_gen")
class Capacity(_KLTerm):
    """Hold the KL divergence at a target that rises.

        gamma |KL - C_t|,    C_t = capacity min(1, t / steps)

    with the KL averaged over the batch first.

    Args:
        capacity: Float of at least 0, the final target in nats.
        steps: Integer, training steps until then.
        gamma: Float of at least 0.

    Reference:
        Burgess et al., Understanding Disentangling in beta-VAE, 2018,
        arXiv:1804.03599.
    """

    def __init__(self, capacity, steps, gamma=100.0, **kwargs):
        super().__init__(**kwargs)
        self.capacity = checks.check_non_negative(capacity, "capacity")
        self.steps = checks.check_positive_integer(steps, "steps")
        self.gamma = checks.check_non_negative(gamma, "gamma")

    def term(self, kl, step):
        target = self.capacity * ops.minimum(1.0, step / self.steps)
        return self.gamma * ops.abs(_total(kl) - target)

    def get_config(self):
        return {
            **super().get_config(),
            "capacity": self.capacity,
            "steps": self.steps,
            "gamma": self.gamma,
        }


@keras.saving.register_keras_serializable("keras_gen")
class FreeBits(_KLTerm):
    """Charge nothing for the first nats of each latent.

        sum_j max(nats, mean_b KL_j)

    Args:
        nats: Float of at least 0, for each latent.

    Reference:
        Kingma et al., Improving Variational Inference with Inverse
        Autoregressive Flow, 2016, arXiv:1606.04934.
    """

    def __init__(self, nats, **kwargs):
        super().__init__(**kwargs)
        self.nats = checks.check_non_negative(nats, "nats")

    def term(self, kl, step):
        return ops.sum(ops.maximum(self.nats, ops.mean(kl, axis=0)))

    def get_config(self):
        return {**super().get_config(), "nats": self.nats}
