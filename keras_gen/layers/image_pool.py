"""A pool of past samples."""

import keras
from keras import ops

from keras_gen import checks


@keras.saving.register_keras_serializable("keras_gen")
class ImagePool(keras.layers.Layer):
    """Show some past samples in place of new ones.

    The first `size` samples pass, and are kept. From then on a sample is, with
    probability 1/2, put in the place of one in the pool, and that one is
    returned in its stead. No two samples of a batch take the same place; of a
    batch larger than the pool, what is too much passes. The pool is state: it
    is saved.

    Args:
        size: Integer of at least 0, places in the pool; with 0 all samples
            pass.
        shape: Tuple, the shape of one sample.

    Reference:
        Shrivastava et al., Learning from Simulated and Unsupervised Images
        through Adversarial Training, 2016, arXiv:1612.07828, for the history
        of samples; Zhu et al., Unpaired Image-to-Image Translation using
        Cycle-Consistent Adversarial Networks, 2017, arXiv:1703.10593, whose
        authors exchange samples this way.
    """

    def __init__(self, size, shape, **kwargs):
        # Samples are kept as they are, whatever the networks compute in.
        super().__init__(**{"dtype": "float32", **kwargs})
        if size != 0:
            checks.check_positive_integer(size, "size")
        self.size = size
        self.shape = tuple(shape)
        self.seed_generator = keras.random.SeedGenerator()
        self.pool = self.add_weight(
            shape=(size, *self.shape),
            initializer="zeros",
            trainable=False,
            name="pool",
        )
        self.count = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            name="count",
        )
        self.built = True

    def call(self, x):
        if self.size == 0:
            return x
        n, count = ops.shape(x)[0], ops.convert_to_tensor(self.count)
        pool = ops.convert_to_tensor(self.pool)
        # Fill: sample i goes to place count + i, where there is one.
        places = ops.arange(self.size)
        source = ops.clip(places - count, 0, n - 1)
        filled = ops.logical_and(places >= count, places < count + n)
        pool = ops.where(self._expand(filled), ops.take(x, source, 0), pool)
        # Exchange: the others each have a place of their own.
        seed = self.seed_generator
        m = (
            min(n, self.size)
            if isinstance(n, int)
            else ops.minimum(n, self.size)
        )
        place = ops.argsort(keras.random.uniform((self.size,), seed=seed))[:m]
        first, stored = x[:m], ops.take(pool, place, axis=0)
        exchange = ops.logical_and(
            ops.arange(m) + count >= self.size,
            keras.random.uniform((m,), seed=seed) < 0.5,
        )
        exchange = self._expand(exchange)
        self.pool.assign(
            ops.scatter_update(
                pool, place[:, None], ops.where(exchange, first, stored)
            )
        )
        self.count.assign(ops.minimum(count + n, self.size))
        shown = ops.where(exchange, stored, first)
        return ops.concatenate([shown, x[m:]], axis=0)

    def _expand(self, mask):
        return ops.reshape(mask, (-1, *(1,) * len(self.shape)))

    def get_config(self):
        return {**super().get_config(), "size": self.size, "shape": self.shape}
