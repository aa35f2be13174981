"""Distributions whose denoiser E[x_0 | x_t] is known exactly, in float64."""

import keras
import numpy as np
from keras import ops

from keras_gen.diffusion import get_prediction


class Mixture:
    """Normal distributions N(m_k, std^2 I) with weights, in any dimension.

    At x_t = alpha x_0 + sigma noise each component has mean alpha m_k and
    variance v = alpha^2 std^2 + sigma^2, so that

        E[x_0 | x_t, k] = m_k + alpha std^2 / v (x_t - alpha m_k)

    and the weights of the components follow from Bayes's rule.
    """

    def __init__(self, means, std, weights=None):
        self.means = np.asarray(means, "float64")
        self.std = std
        n = len(self.means)
        self.weights = np.full(n, 1 / n) if weights is None else weights

    def _parts(self, x, alpha, sigma):
        v = alpha**2 * self.std**2 + sigma**2
        offset = x[:, None] - alpha * self.means
        log_w = np.log(self.weights) - (offset**2).sum(-1) / (2 * v)
        return v, offset, log_w

    def denoise(self, x, alpha, sigma):
        v, offset, log_w = self._parts(x, alpha, sigma)
        w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
        w /= w.sum(axis=1, keepdims=True)
        means = self.means + alpha * self.std**2 / v * offset
        return (w[..., None] * means).sum(axis=1)

    def log_density(self, x, alpha=1.0, sigma=0.0):
        v, _, log_w = self._parts(x, alpha, sigma)
        log_p = log_w - 0.5 * x.shape[1] * np.log(2 * np.pi * v)
        top = log_p.max(axis=1)
        return top + np.log(np.exp(log_p - top[:, None]).sum(axis=1))


def two_normals():
    return Mixture([[-0.7, 0.1], [0.5, 0.4]], 0.25, np.array([0.4, 0.6]))


class MixtureLayer(keras.layers.Layer):
    """The exact denoiser of a mixture as a network sees it.

    Inputs are x / sqrt(alpha^2 + sigma^2), ln(sigma / alpha) and labels, which
    name a component, or are zero for all of them. Returns what `prediction`
    says of E[x_0 | x_t] and E[noise | x_t] where alpha^2 + sigma^2 = 1.
    """

    def __init__(self, mixture, prediction="data"):
        super().__init__()
        self.mixture = mixture
        self.prediction = get_prediction(prediction)

    def call(self, inputs):
        x, level, *labels = inputs
        m = self.mixture
        alpha = 1.0 / ops.sqrt(1.0 + ops.exp(2.0 * level))
        sigma = alpha * ops.exp(level)
        v = ops.expand_dims(alpha**2 * m.std**2 + sigma**2, 1)
        means = ops.convert_to_tensor(m.means.astype("float32"))
        offset = ops.expand_dims(x, 1) - ops.expand_dims(alpha, 1) * means
        log_w = ops.convert_to_tensor(np.log(m.weights).astype("float32"))
        log_w = log_w - ops.sum(ops.square(offset), axis=-1) / (2.0 * v[..., 0])
        if labels:
            known = ops.sum(labels[0], axis=-1, keepdims=True)
            log_w = log_w - 1e6 * known * (1.0 - labels[0])
        w = ops.exp(log_w - ops.max(log_w, axis=-1, keepdims=True))
        w = ops.expand_dims(w / ops.sum(w, axis=-1, keepdims=True), -1)
        gain = ops.expand_dims(alpha * m.std**2, 1) / v
        data = ops.sum(w * (means + gain * offset), axis=1)
        noise = (x - alpha * data) / sigma
        return self.prediction.target(data, noise, alpha, sigma)


def network(mixture, labels=False, prediction="data"):
    """Return the exact denoiser as a `keras.Model`."""
    inputs = [keras.Input((mixture.means.shape[1],)), keras.Input((1,))]
    if labels:
        inputs.append(keras.Input((len(mixture.means),)))
    return keras.Model(inputs, MixtureLayer(mixture, prediction)(inputs))
