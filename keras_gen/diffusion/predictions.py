"""What a denoising network predicts, and how its errors are weighed.

Each prediction is a choice of what the network's output stands for. All say
the same in other words: with x = alpha x_0 + sigma noise known, each yields the
estimate of x_0 that samplers need.

    prediction   target                       estimate of x_0
    noise        noise                        (x - sigma o) / alpha
    data         x_0                          o
    velocity     (alpha noise - sigma x_0)/k  (alpha x - sigma k o) / k^2,
                                              k^2 = alpha^2 + sigma^2
    flow         noise - x_0                  (x - sigma o) / (alpha + sigma)

No target changes when alpha and sigma are scaled together: a network that sees
x / k and sigma / alpha means the same on every schedule. Functions take arrays
and tensors alike.
"""

import keras
from keras import ops


class Prediction:
    """The base of predictions.

    A subclass has `target(x0, noise, alpha, sigma)`, `data(x, output, alpha,
    sigma)`, and `noise_per_output(alpha, sigma)`: by how much the noise that a
    network implies changes with its output.
    """

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_gen")
class NoisePrediction(Prediction):
    """The network predicts the noise (Ho et al., 2020, arXiv:2006.11239)."""

    def target(self, x0, noise, alpha, sigma):
        return noise

    def data(self, x, output, alpha, sigma):
        return (x - sigma * output) / alpha

    def noise_per_output(self, alpha, sigma):
        return 1.0


@keras.saving.register_keras_serializable("keras_gen")
class DataPrediction(Prediction):
    """The network predicts the data, x_0."""

    def target(self, x0, noise, alpha, sigma):
        return x0

    def data(self, x, output, alpha, sigma):
        return output

    def noise_per_output(self, alpha, sigma):
        return alpha / sigma


@keras.saving.register_keras_serializable("keras_gen")
class VelocityPrediction(Prediction):
    """The network predicts v (Salimans and Ho, 2022, arXiv:2202.00512).

    There k, the root of alpha^2 + sigma^2, is 1.
    """

    def target(self, x0, noise, alpha, sigma):
        return (alpha * noise - sigma * x0) / _norm(alpha, sigma)

    def data(self, x, output, alpha, sigma):
        k = _norm(alpha, sigma)
        return (alpha * x / k - sigma * output) / k

    def noise_per_output(self, alpha, sigma):
        return alpha / _norm(alpha, sigma)


def _norm(alpha, sigma):
    return (alpha**2 + sigma**2) ** 0.5


@keras.saving.register_keras_serializable("keras_gen")
class FlowPrediction(Prediction):
    """The network predicts u = noise - x_0, in time from data to noise.

    On the path x = (1 - t) x_0 + t noise this is dx/dt (Lipman et al., 2022,
    arXiv:2210.02747, where time runs the other way).
    """

    def target(self, x0, noise, alpha, sigma):
        return noise - x0

    def data(self, x, output, alpha, sigma):
        return (x - sigma * output) / (alpha + sigma)

    def noise_per_output(self, alpha, sigma):
        return alpha / (alpha + sigma)


@keras.saving.register_keras_serializable("keras_gen")
class PreconditionedPrediction(Prediction):
    """The network's output is mixed with its input, as noise demands.

        x_0 = c_skip x / alpha + c_out o,    s = sigma / alpha
        c_skip = d^2 / (s^2 + d^2),    c_out = s d / sqrt(s^2 + d^2)

    so that targets have unit variance if the data have standard deviation d.
    Of EDM this is the output: its input, x / sqrt(s^2 + d^2) where alpha is 1,
    and its level, ln(s) / 4, are here those of all models, x / sqrt(s^2 + 1)
    and ln(s).

    Args:
        data_std: Float d above 0.

    Reference:
        Karras et al., 2022, arXiv:2206.00364.
    """

    def __init__(self, data_std=0.5):
        if not data_std > 0:
            raise ValueError(
                f"`data_std` must be above 0. Received: data_std={data_std}"
            )
        self.data_std = data_std

    def _mix(self, alpha, sigma):
        # Both written without dividing by alpha, which may be 0.
        d = self.data_std
        s = sigma**2 + (d * alpha) ** 2
        return d**2 * alpha / s, sigma * d / s**0.5

    def target(self, x0, noise, alpha, sigma):
        skip, out = self._mix(alpha, sigma)
        return (x0 - skip * (alpha * x0 + sigma * noise)) / out

    def data(self, x, output, alpha, sigma):
        skip, out = self._mix(alpha, sigma)
        return skip * x + out * output

    def noise_per_output(self, alpha, sigma):
        d = self.data_std  # without dividing by sigma, which may be 0
        return alpha * d / (sigma**2 + (d * alpha) ** 2) ** 0.5

    def get_config(self):
        return {"data_std": self.data_std}


PREDICTIONS = {
    "noise": NoisePrediction,
    "data": DataPrediction,
    "velocity": VelocityPrediction,
    "flow": FlowPrediction,
    "preconditioned": PreconditionedPrediction,
}


def get_prediction(prediction):
    """Return a prediction given it or its name."""
    if isinstance(prediction, Prediction):
        return prediction
    if prediction not in PREDICTIONS:
        raise ValueError(
            "`prediction` must be a prediction or one of "
            f"{sorted(PREDICTIONS)}. Received: prediction={prediction!r}"
        )
    return PREDICTIONS[prediction]()


@keras.saving.register_keras_serializable("keras_gen")
class Weighting:
    """How much an error counts at each level of noise.

        "output"    1 on the squared error of what the network returns; with
                    the "preconditioned" prediction the weighting of EDM
                    (Karras et al., 2022, arXiv:2206.00364)
        "simple"    1 on that of the noise (Ho et al., 2020)
        "min_snr"   min(SNR, gamma) / SNR on that of the noise
                    (Hang et al., 2023, arXiv:2303.09556; gamma 5)
        "p2"        1 / (1 + SNR)^gamma on that of the noise
                    (Choi et al., 2022, arXiv:2204.00227; gamma 1)

    All but the first give one loss whatever the network predicts. An error of
    the data counts SNR times as much in the noise, which has no bound where
    there is next to none: with the "data" prediction "simple" is for schedules
    that begin at some noise.

    Args:
        name: String, one of these.
        gamma: Float above 0, or None for the value given.
    """

    DEFAULTS = {"output": None, "simple": None, "min_snr": 5.0, "p2": 1.0}

    def __init__(self, name="output", gamma=None):
        if name not in self.DEFAULTS:
            raise ValueError(
                f"`weighting` must be one of {sorted(self.DEFAULTS)}. "
                f"Received: weighting={name!r}"
            )
        default = self.DEFAULTS[name]
        if gamma is not None and (default is None or not gamma > 0):
            raise ValueError(
                '`gamma` must be above 0, and is for "min_snr" and "p2" only. '
                f"Received: name={name!r}, gamma={gamma}"
            )
        self.name = name
        self.gamma = default if gamma is None else gamma

    def __call__(self, prediction, alpha, sigma):
        """Return the weight of the squared error of the network's output."""
        if self.name == "output":
            return ops.ones_like(alpha)
        return self.on_noise(alpha, sigma) * ops.square(
            prediction.noise_per_output(alpha, sigma)
        )

    def on_noise(self, alpha, sigma):
        """Return the weight of the squared error of the noise."""
        if self.name == "min_snr":
            # min(SNR, gamma) / SNR without dividing by a zero SNR.
            snr = ops.square(alpha / sigma)
            return self.gamma / ops.maximum(snr, self.gamma)
        if self.name == "p2":
            return (1.0 + ops.square(alpha / sigma)) ** -self.gamma
        return ops.ones_like(alpha)

    def get_config(self):
        return {"name": self.name, "gamma": self.gamma}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def get_weighting(weighting):
    """Return a weighting given it or its name."""
    return (
        weighting if isinstance(weighting, Weighting) else Weighting(weighting)
    )
