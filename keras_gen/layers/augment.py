"""Augmentation that gradients flow through."""

import keras
from keras import ops

from keras_gen import checks

_POLICY = ("color", "translation", "cutout")


@keras.saving.register_keras_serializable("keras_gen")
class DiffAugment(keras.layers.Layer):
    """Augment what a discriminator sees, real and generated alike.

        D sees T(x) and T(G(z)); gradients reach G through T

    - color: brightness + U(-1/2, 1/2); saturation, the distance from grey,
      times U(0, 2); contrast, the distance from the mean, times U(1/2, 3/2)
    - translation: by up to 1/8 of height and width, zeros move in
    - cutout: a square of half the height and width becomes zero

    Each is applied to a sample with probability p. With a `target` p adapts:
    where the discriminator is surer of real samples than the target,
    E[sign D(x)] > target, p rises by `batch / adapt_over`, else it falls.

    Args:
        policy: Tuple of the above names.
        p: Float in [0, 1]; with a `target`, where to start. None for 1, and
            with a `target` 0.
        target: Float in (-1, 1), 0.6 in the paper, or None to keep p.
        adapt_over: Integer, samples after which p may have gone from 0 to 1.

    Reference:
        Zhao et al., Differentiable Augmentation for Data-Efficient GAN
        Training, 2020, arXiv:2006.10738; Karras et al., Training Generative
        Adversarial Networks with Limited Data, 2020, arXiv:2006.06676, for p.
    """

    def __init__(
        self, policy=_POLICY, p=None, target=None, adapt_over=500_000, **kwargs
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        unknown = [name for name in policy if name not in _POLICY]
        if unknown or isinstance(policy, str):
            raise ValueError(
                f"`policy` must be a tuple of names out of {_POLICY}. "
                f"Received: policy={policy!r}"
            )
        if p is None:
            p = 1.0 if target is None else 0.0
        if not 0 <= p <= 1:
            raise ValueError(f"`p` must be in [0, 1]. Received: p={p}")
        if target is not None and not -1 < target < 1:
            raise ValueError(
                f"`target` must be in (-1, 1), or None. Received: {target}"
            )
        self.policy = tuple(policy)
        self.initial_p, self.target = p, target
        self.adapt_over = checks.check_positive_integer(
            adapt_over, "adapt_over"
        )
        self.seed_generator = keras.random.SeedGenerator()
        self.p = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(p),
            trainable=False,
            name="p",
        )
        self.built = True

    def adapt(self, real_logits):
        """Move p, given the discriminator's logits on real samples."""
        if self.target is None:
            return
        sure = ops.mean(ops.sign(ops.stop_gradient(real_logits)))
        step = ops.shape(real_logits)[0] / self.adapt_over
        p = ops.convert_to_tensor(self.p)
        p = p + ops.sign(sure - self.target) * ops.cast(step, p.dtype)
        self.p.assign(ops.clip(p, 0.0, 1.0))

    def call(self, x, training=False):
        if len(x.shape) != 4:
            raise ValueError(
                "`DiffAugment` takes images of shape (batch, height, width, "
                f"channels). Received: {tuple(x.shape)}"
            )
        if not training:
            return x
        for name in self.policy:
            chosen = self._uniform(x) < ops.convert_to_tensor(self.p)
            x = ops.where(chosen, getattr(self, name)(x), x)
        return x

    def color(self, x):
        """Change brightness, saturation and contrast."""
        x = x + self._uniform(x) - 0.5
        grey = ops.mean(x, axis=-1, keepdims=True)
        x = (x - grey) * (2.0 * self._uniform(x)) + grey
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        return (x - mean) * (self._uniform(x) + 0.5) + mean

    def translation(self, x, ratio=0.125):
        """Shift by whole pixels, up to `ratio` of each side."""
        _, height, width, _ = x.shape
        # Row i of the result is row i - shift: a product with a 0-1 matrix.
        rows = self._shift_matrix(x, height, int(height * ratio + 0.5))
        columns = self._shift_matrix(x, width, int(width * ratio + 0.5))
        x = ops.einsum("bij,bjwc->biwc", rows, x)
        return ops.einsum("bij,bhjc->bhic", columns, x)

    def cutout(self, x, ratio=0.5):
        """Blank a square of `ratio` times each side; it may reach outside."""

        def inside(size):
            length = int(size * ratio + 0.5)
            # The first row or column: centres are spread over all of them.
            first = self._integers(x, size + 1 - length % 2) - length // 2
            index = ops.arange(size, dtype="float32")
            return ops.logical_and(index >= first, index < first + length)

        _, height, width, _ = x.shape
        rows, columns = inside(height), inside(width)
        hole = ops.logical_and(rows[:, :, None], columns[:, None])
        return ops.where(hole[..., None], 0.0, x)

    def _shift_matrix(self, x, size, most):
        shift = self._integers(x, 2 * most + 1) - most  # (batch, 1)
        index = ops.arange(size, dtype="float32")
        source = index - shift
        return ops.cast(ops.equal(source[..., None], index), "float32")

    def _integers(self, x, n):
        return ops.floor(self._uniform(x)[:, :, 0, 0] * n)

    def _uniform(self, x):
        shape = (ops.shape(x)[0], 1, 1, 1)
        return keras.random.uniform(shape, seed=self.seed_generator)

    def get_config(self):
        return {
            **super().get_config(),
            "policy": self.policy,
            "p": self.initial_p,
            "target": self.target,
            "adapt_over": self.adapt_over,
        }
