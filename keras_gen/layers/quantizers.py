"""Quantizers: from vectors of a grid to entries of a finite codebook.

All are called with z_e of shape `(batch, ..., dim)` and return

- the quantized vectors, of the same shape, through which the gradient passes
  as if nothing had happened (straight-through: z_e + sg(q - z_e));
- the indices, int32 `(batch, ..., num_codebooks)`;
- the loss of the quantizer: a sum over the vectors of an image, a mean over
  the batch.

`decode(indices)` returns the vectors of indices. sg is stop-gradient.
Distances and rounding take float32 under any policy; whether a GPU multiplies
it in full or as TF32 is the backend's business.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_gen import checks


def straight_through(z, q):
    """Return q with the gradient of z."""
    return z + ops.stop_gradient(q - z)


def sum_per_image(squared):
    """Return the sum over all axes but the first, averaged over it."""
    axes = tuple(range(1, len(squared.shape)))
    return ops.mean(ops.sum(squared, axis=axes))


@keras.saving.register_keras_serializable("keras_gen")
class VectorQuantizer(keras.layers.Layer):
    """Replace each vector by the nearest of K learned codes.

        k = argmin_k |z_e - e_k|,    q = e_k
        gradient codebook  L = |sg(z_e) - q|^2 + beta |z_e - sg(q)|^2
        averaged codebook  L = beta |z_e - sg(q)|^2, and over the batch
                           N_k <- g N_k + (1 - g) n_k
                           m_k <- g m_k + (1 - g) sum_{i: k_i = k} z_i
                           e_k = m_k / N_k    where n_k > 0

    with n_k the vectors that chose k. The averaged codebook starts at N = 1,
    m = e, so that a code moves from where it is. With `restart_below`, codes
    whose N_k falls below it are put on random vectors of the batch, N_k at
    1 or, if that is more, at `restart_below`. The first training batch can
    place all codes, by a few steps of k-means. Where several devices train, N
    and m are means over them with TensorFlow, sums with JAX.

    Args:
        num_codes: Integer of at least 2, K.
        dim: Integer, the length of a vector.
        beta: Float of at least 0, the weight of the commitment.
        ema_decay: Float in [0, 1), g; None for a codebook moved by gradients.
        restart_below: Float; codes used less are restarted. 0 for never. For
            averaged codebooks.
        kmeans_steps: Integer, steps of k-means on the first training batch; 0
            to keep the random start.

    Reference:
        van den Oord et al., Neural Discrete Representation Learning, 2017,
        arXiv:1711.00937.
    """

    num_codebooks = 1

    def __init__(
        self,
        num_codes,
        dim,
        beta=0.25,
        ema_decay=0.99,
        restart_below=0.0,
        kmeans_steps=0,
        dtype="float32",
        **kwargs,
    ):
        # Keras would round inputs and codes to the policy's precision.
        super().__init__(dtype=dtype, **kwargs)
        if checks.check_positive_integer(num_codes, "num_codes") < 2:
            raise ValueError(
                "`num_codes` must be at least 2: one code holds nothing. "
                f"Received: num_codes={num_codes}"
            )
        if ema_decay is not None and not 0 <= ema_decay < 1:
            raise ValueError(
                "`ema_decay` must be in [0, 1), or None for a codebook moved "
                f"by gradients. Received: ema_decay={ema_decay}"
            )
        self.num_codes = num_codes
        self.dim = checks.check_positive_integer(dim, "dim")
        self.beta = checks.check_non_negative(beta, "beta")
        self.ema_decay = ema_decay
        self.restart_below = checks.check_non_negative(
            restart_below, "restart_below"
        )
        self.kmeans_steps = kmeans_steps
        if ema_decay is None and (restart_below or kmeans_steps):
            raise ValueError(
                "`restart_below` and `kmeans_steps` move the codes of an "
                "averaged codebook. Received: ema_decay=None"
            )
        self.seed_generator = keras.random.SeedGenerator()
        self.codebook = self.add_weight(
            shape=(num_codes, dim),
            initializer=keras.initializers.RandomUniform(
                -1.0 / num_codes, 1.0 / num_codes
            ),
            trainable=ema_decay is None,
            dtype="float32",
            # Averaged ones are the same on all devices, random ones are not.
            aggregation="mean" if ema_decay is None else "only_first_replica",
            name="codebook",
        )
        if ema_decay is not None:
            state = {
                "trainable": False,
                "dtype": "float32",
                "aggregation": "mean",
            }
            self.counts = self.add_weight(
                shape=(num_codes,), initializer="ones", name="counts", **state
            )
            self.sums = self.add_weight(
                shape=(num_codes, dim),
                initializer="zeros",
                name="sums",
                **state,
            )
            # A copy: JAX deletes the buffers of variables it donates.
            self.sums.assign(ops.copy(self.codebook))
            self.placed = self.add_weight(
                shape=(), initializer="zeros", name="placed", **state
            )
        self.built = True

    @property
    def sizes(self):
        """Codes in each codebook."""
        return (self.num_codes,)

    def call(self, z, training=False):
        z = ops.cast(z, "float32")
        flat = ops.reshape(z, (-1, self.dim))
        if training and self.kmeans_steps:
            self._place(flat)
        indices = nearest(flat, self.codebook)
        q = ops.reshape(ops.take(self.codebook, indices, axis=0), ops.shape(z))
        loss = self.beta * sum_per_image(ops.square(z - ops.stop_gradient(q)))
        if self.ema_decay is None:
            loss = loss + sum_per_image(ops.square(ops.stop_gradient(z) - q))
        elif training:
            self._follow(ops.stop_gradient(flat), indices)
        indices = ops.reshape(indices, (*ops.shape(z)[:-1], 1))
        return straight_through(z, q), indices, loss

    def decode(self, indices):
        return ops.take(self.codebook, indices[..., 0], axis=0)

    def _follow(self, flat, indices):
        """Move the averaged codebook towards the vectors of a batch."""
        g = self.ema_decay
        hits = ops.one_hot(indices, self.num_codes, dtype="float32")
        faded = g * self.counts
        total = ops.matmul(ops.transpose(hits), flat)
        self.counts.assign(faded + (1.0 - g) * ops.sum(hits, axis=0))
        self.sums.assign(g * self.sums + (1.0 - g) * total)
        # Of several devices TensorFlow has taken the mean by now.
        counts = ops.convert_to_tensor(self.counts)
        sums = ops.convert_to_tensor(self.sums)
        codebook = ops.convert_to_tensor(self.codebook)
        # Codes that nothing chose stay where they are.
        chosen = counts - faded > 1e-3 * (1.0 - g)
        mean = sums / ops.maximum(counts, 1e-12)[:, None]
        codebook = ops.where(chosen[:, None], mean, codebook)
        if not self.restart_below:
            self.codebook.assign(codebook)
            return
        dead = counts < self.restart_below
        rows = keras.random.randint(
            (self.num_codes,), 0, ops.shape(flat)[0], seed=self.seed_generator
        )
        fresh = ops.take(flat, rows, axis=0)
        self.codebook.assign(ops.where(dead[:, None], fresh, codebook))
        # Of several devices, what the first has drawn.
        codebook = ops.convert_to_tensor(self.codebook)
        # Not below the threshold, where the next step would find it dead.
        n = max(1.0, self.restart_below)
        self.counts.assign(ops.where(dead, n, counts))
        self.sums.assign(ops.where(dead[:, None], n * codebook, sums))

    def _place(self, flat):
        """Place the codes by k-means, on the first training batch only."""
        first = ops.equal(self.placed, 0.0)
        flat = ops.stop_gradient(flat)

        def kmeans():
            n = ops.shape(flat)[0]
            rows = ops.mod(ops.arange(self.num_codes) * 7919, n)
            codes = ops.take(flat, rows, axis=0)
            for _ in range(self.kmeans_steps):
                hits = ops.one_hot(
                    nearest(flat, codes), self.num_codes, dtype="float32"
                )
                n_k = ops.sum(hits, axis=0)[:, None]
                means = ops.matmul(ops.transpose(hits), flat)
                codes = ops.where(n_k > 0, means / ops.maximum(n_k, 1.0), codes)
            return codes

        # Tensors, not variables: JAX's `where` takes no other.
        codebook = ops.convert_to_tensor(self.codebook)
        sums = ops.convert_to_tensor(self.sums)
        codes = ops.cond(first, kmeans, lambda: codebook)
        self.codebook.assign(codes)
        codes = ops.convert_to_tensor(self.codebook)
        self.sums.assign(ops.where(first, codes * self.counts[:, None], sums))
        self.placed.assign(1.0)

    def get_config(self):
        return {
            **super().get_config(),
            "num_codes": self.num_codes,
            "dim": self.dim,
            "beta": self.beta,
            "ema_decay": self.ema_decay,
            "restart_below": self.restart_below,
            "kmeans_steps": self.kmeans_steps,
        }


def nearest(x, codebook):
    """Return the index of the nearest code, int32 `(n,)`, to each of `x`."""
    codebook = ops.convert_to_tensor(codebook)
    # |x - e|^2 without |x|^2, which is the same for all codes.
    distances = ops.sum(ops.square(codebook), axis=-1) - 2.0 * ops.matmul(
        x, ops.transpose(codebook)
    )
    return ops.cast(ops.argmin(distances, axis=-1), "int32")


@keras.saving.register_keras_serializable("keras_gen")
class FiniteScalarQuantizer(keras.layers.Layer):
    """Round each of a few numbers to one of a few levels: no codebook.

        q = round(tanh(z + shift) h - o),    h = (L - 1) (1 + eps) / 2
        o = 1/2 for even L, else 0,          shift = atanh(o / h)

    for a dimension with L levels; the output is q / floor(L / 2), in [-1, 1].
    The product of the levels is the number of codes, and all are used without
    any further loss.

    Args:
        levels: Sequence of integers in [3, 1000], one for each dimension.
            With 2 the shift saturates tanh.

    Reference:
        Mentzer et al., Finite Scalar Quantization: VQ-VAE Made Simple, 2023,
        arXiv:2309.15505.
    """

    num_codebooks = 1

    def __init__(self, levels=(8, 5, 5), dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        levels = tuple(int(level) for level in levels)
        # Above a thousand, eps would let the ends round to one more level.
        if not levels or min(levels) < 3 or max(levels) > 1000:
            raise ValueError(
                f"`levels` must all be in [3, 1000]. Received: levels={levels}"
            )
        self.levels = levels
        self.dim = len(levels)
        self.num_codes = math.prod(levels)
        if self.num_codes > 2**20:
            raise ValueError(
                "The product of `levels` is the number of codes, at most "
                f"1,048,576. Received: levels={levels}"
            )
        array = np.array(levels, "float64")
        self._half = (array - 1) * (1 + 1e-3) / 2
        self._offset = np.where(array % 2 == 0, 0.5, 0.0)
        self._shift = np.arctanh(self._offset / self._half)
        self._middle = np.array(levels) // 2
        self._basis = np.cumprod((1, *levels[:-1]))
        self.built = True

    @property
    def sizes(self):
        """Codes in each codebook."""
        return (self.num_codes,)

    def call(self, z, training=False):
        z = ops.cast(z, "float32")
        bounded = ops.tanh(z + _constant(self._shift)) * _constant(self._half)
        bounded = bounded - _constant(self._offset)
        q = straight_through(bounded, ops.round(bounded))
        digits = ops.cast(ops.stop_gradient(ops.round(q)), "int32")
        digits = digits + ops.convert_to_tensor(self._middle, "int32")
        basis = ops.convert_to_tensor(self._basis, "int32")
        indices = ops.sum(digits * basis, axis=-1, keepdims=True)
        return q / _constant(self._middle), indices, 0.0 * ops.sum(q)

    def decode(self, indices):
        digits = ops.mod(
            ops.floor_divide(
                indices, ops.convert_to_tensor(self._basis, "int32")
            ),
            ops.convert_to_tensor(self.levels, "int32"),
        )
        q = ops.cast(digits, "float32") - _constant(self._middle)
        return q / _constant(self._middle)

    def get_config(self):
        return {**super().get_config(), "levels": self.levels}


def _constant(array):
    return ops.convert_to_tensor(array.astype("float32"))


@keras.saving.register_keras_serializable("keras_gen")
class ResidualQuantizer(keras.layers.Layer):
    """Quantize what the quantizers before have left, and add up.

        r_1 = z,    q_l = Q_l(r_l),    r_{l+1} = r_l - sg(q_l),    q = sum_l q_l

    Args:
        quantizers: List of `VectorQuantizer` of one `dim`.

    Reference:
        Zeghidour et al., SoundStream, 2021, arXiv:2107.03312; Lee et al.,
        Autoregressive Image Generation using Residual Quantization, 2022,
        arXiv:2203.01941.
    """

    def __init__(self, quantizers, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        if len({quantizer.dim for quantizer in quantizers}) != 1:
            raise ValueError(
                "`quantizers` must be several of one `dim`. Received: "
                f"{[quantizer.dim for quantizer in quantizers]}"
            )
        self.quantizers = list(quantizers)
        self.dim = quantizers[0].dim
        self.num_codebooks = len(quantizers)
        self.built = True

    @property
    def sizes(self):
        """Codes in each codebook."""
        return tuple(quantizer.num_codes for quantizer in self.quantizers)

    def call(self, z, training=False):
        z = ops.cast(z, "float32")
        residual, total, loss, indices = z, 0.0, 0.0, []
        for quantizer in self.quantizers:
            q, index, term = quantizer(residual, training=training)
            # Without the straight-through gradient: the residual would have
            # none, and the commitment of later levels no effect.
            q = ops.stop_gradient(q)
            residual = residual - q
            total = total + q
            loss = loss + term
            indices.append(index)
        indices = ops.concatenate(indices, axis=-1)
        return straight_through(z, total), indices, loss

    def decode(self, indices):
        return sum(
            quantizer.decode(indices[..., i : i + 1])
            for i, quantizer in enumerate(self.quantizers)
        )

    def get_config(self):
        return {
            **super().get_config(),
            "quantizers": [
                keras.saving.serialize_keras_object(q) for q in self.quantizers
            ],
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["quantizers"] = [
            keras.saving.deserialize_keras_object(q)
            for q in config["quantizers"]
        ]
        return cls(**config)
