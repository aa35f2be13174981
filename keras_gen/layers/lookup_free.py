"""A quantizer whose codes are signs."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.layers.quantizers import straight_through
from keras_gen.layers.quantizers import sum_per_image


@keras.saving.register_keras_serializable("keras_gen")
class LookupFreeQuantizer(keras.layers.Layer):
    """Keep the sign of each number: 2^dim codes, and no codebook to learn.

        q_j = sign(z_j), sign(0) = 1,    index = sum_j [z_j >= 0] 2^j
        L   = beta |z - sg(q)|^2 + gamma (E[H(p(c|z))] - H(E[p(c|z)]))
        p(c|z) = prod_j S(4 c_j z_j / T)

    with S the sigmoid: the softmax over codes of -|z - c|^2 / T. The entropies
    make each vector choose clearly, and all vectors together choose
    differently. Like the other term this one is summed over the vectors of an
    image.

    Args:
        dim: Integer, numbers in a vector, at most 14.
        beta: Float of at least 0, the weight of the commitment.
        gamma: Float of at least 0, the weight of the entropies.
        temperature: Float above 0, T.

    Reference:
        Yu et al., Language Model Beats Diffusion: Tokenizer is Key to Visual
        Generation, 2023, arXiv:2310.05737.
    """

    num_codebooks = 1

    def __init__(
        self,
        dim,
        beta=0.25,
        gamma=0.1,
        temperature=1.0,
        dtype="float32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        if checks.check_positive_integer(dim, "dim") > 14:
            raise ValueError(
                "`dim` must be at most 14: the entropy runs over all 2^dim "
                f"codes. Received: dim={dim}"
            )
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be above 0. Received: {temperature}"
            )
        self.dim = dim
        self.num_codes = 2**dim
        self.beta = checks.check_non_negative(beta, "beta")
        self.gamma = checks.check_non_negative(gamma, "gamma")
        self.temperature = float(temperature)
        # Row k holds the bits of k, lowest first.
        bits = list(itertools.product((0, 1), repeat=dim))
        self._bits = np.array(bits, "float32")[:, ::-1].copy()
        self._powers = 2 ** np.arange(dim)
        self.built = True

    @property
    def sizes(self):
        """Codes in each codebook."""
        return (self.num_codes,)

    def call(self, z, training=False):
        z = ops.cast(z, "float32")
        positive = ops.cast(z >= 0, "float32")
        q = ops.stop_gradient(2.0 * positive - 1.0)
        powers = ops.convert_to_tensor(self._powers, "int32")
        bits = ops.cast(positive, "int32")
        indices = ops.sum(bits * powers, axis=-1, keepdims=True)
        loss = self.beta * sum_per_image(ops.square(z - q))
        if self.gamma:
            vectors = int(np.prod(z.shape[1:-1], dtype=int))
            loss = loss + self.gamma * vectors * self.entropy_term(z)
        return straight_through(z, q), indices, loss

    def entropy_term(self, z):
        """Return E[H(p(c|z))] - H(E[p(c|z)]) in nats, a scalar."""
        logits = ops.reshape(4.0 * z / self.temperature, (-1, self.dim))
        up, down = -ops.softplus(-logits), -ops.softplus(logits)
        # Of independent bits: the entropies add up.
        each = -ops.sum(ops.exp(up) * up + ops.exp(down) * down, axis=-1)
        bits = ops.convert_to_tensor(self._bits)
        log_p = ops.matmul(up, ops.transpose(bits))
        log_p = log_p + ops.matmul(down, ops.transpose(1.0 - bits))
        p = ops.mean(ops.exp(log_p), axis=0)
        return ops.mean(each) + ops.sum(p * ops.log(ops.maximum(p, 1e-30)))

    def decode(self, indices):
        powers = ops.convert_to_tensor(self._powers, "int32")
        bits = ops.mod(ops.floor_divide(indices, powers), 2)
        return 2.0 * ops.cast(bits, "float32") - 1.0

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "beta": self.beta,
            "gamma": self.gamma,
            "temperature": self.temperature,
        }
