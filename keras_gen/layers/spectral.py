"""Layers whose kernel is divided by its largest singular value."""

import keras
from keras import ops


class _Spectral:
    """Divide the kernel by an estimate of its spectral norm.

        y = x W / sigma + b,    sigma = u^T M v
        v = M^T u / |M^T u|,    u <- M v / |M v|        in training, once a call

    with M the kernel as a matrix, output channels down. u is state; u and v
    count as constants in gradients, and W itself is never overwritten: that
    is where `keras.layers.SpectralNormalization` differs by backend. A layer
    starts with u after 15 such steps.

    Reference:
        Miyato et al., Spectral Normalization for Generative Adversarial
        Networks, 2018, arXiv:1802.05957.
    """

    _normalized = None

    def build(self, input_shape):
        super().build(input_shape)
        channels = self._kernel.shape[-1]
        self.u = self.add_weight(
            shape=(channels,),
            initializer="random_normal",
            trainable=False,
            dtype="float32",
            autocast=False,
            name="u",
        )
        self.u.assign(self._iterate(15))

    @property
    def kernel(self):
        # What the layer of Keras that is subclassed multiplies by.
        normalized = self._normalized
        return super().kernel if normalized is None else normalized

    def call(self, x, training=False):
        self._normalized = self.normalized_kernel(training)
        try:
            return super().call(x)
        finally:
            self._normalized = None

    def normalized_kernel(self, training=False):
        """Return W / sigma; in training move u first."""
        # A tensor of its own: on torch the variable changes under gradients.
        u = self._iterate(1 if training else 0)
        if training:
            self.u.assign(u)
        matrix = self._matrix()
        fixed = ops.stop_gradient(matrix)
        v = _unit(ops.matmul(u, fixed))
        sigma = ops.sum(ops.matmul(matrix, v) * u)
        kernel = ops.convert_to_tensor(self._kernel)
        sigma = ops.cast(sigma + 1e-12, kernel.dtype)  # a kernel may be zero
        return ops.cast(kernel / sigma, self.compute_dtype)

    # Those of Keras's subclasses leave u out.
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def _matrix(self):
        kernel = ops.cast(ops.convert_to_tensor(self._kernel), "float32")
        return ops.transpose(ops.reshape(kernel, (-1, kernel.shape[-1])))

    def _iterate(self, steps):
        matrix = ops.stop_gradient(self._matrix())
        u = ops.copy(ops.convert_to_tensor(self.u))
        for _ in range(steps):
            u = _unit(ops.matmul(matrix, _unit(ops.matmul(u, matrix))))
        return u


def _unit(x):
    return x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-12)


@keras.saving.register_keras_serializable("keras_gen")
class SpectralDense(_Spectral, keras.layers.Dense):
    """`keras.layers.Dense`, and its arguments, with a kernel W / sigma(W).

    sigma is the largest singular value, estimated by one step of power
    iteration a call in training. The kernel itself is never overwritten.

    Reference:
        Miyato et al., Spectral Normalization for Generative Adversarial
        Networks, 2018, arXiv:1802.05957.
    """


@keras.saving.register_keras_serializable("keras_gen")
class SpectralConv2D(_Spectral, keras.layers.Conv2D):
    """`keras.layers.Conv2D`, and its arguments, with a kernel W / sigma(W).

    sigma is the largest singular value of the kernel as a matrix, with a row
    for each output channel; else as `SpectralDense`.

    Reference:
        Miyato et al., Spectral Normalization for Generative Adversarial
        Networks, 2018, arXiv:1802.05957.
    """
