"""Autoregressive model of grids of codes, or of small images."""

import keras
import numpy as np
from keras import ops
from scipy.special import ndtr

from keras_gen import checks
from keras_gen.training import GenerativeModel


@keras.saving.register_keras_serializable("keras_gen")
class Autoregressive(GenerativeModel):
    """Draw a grid of codes one by one, each given those before.

        L = -ln p(x | y) = -sum_i ln p(x_i | x_1, ..., x_{i-1}, y)

    in nats, a sum over the grid and a mean over the batch. The network
    returns the logits of all codes at once, those of code i from the codes
    before it in reading order only: `keras_gen.nets.pixel_cnn`.

    A sample inverts the distribution of each code at a uniform number from
    its starting noise, so that it depends on seed and weights alone. The loop
    over the grid is compiled as one program where the backend can.
    `generate(temperature=T)` draws from p(x_i | ...)^(1/T), normalised: below 1
    samples are more typical and more alike.

    With `images=True` the codes are grey levels, and what goes in and out is
    images in [-1, 1], rounded to the nearest of `num_codes` levels. Of
    such images L / (D ln 2) is the bits per dimension, D their pixels.

    Args:
        network: `keras.Model` from int32 grids `(batch, height, width, 1)`,
            for conditional models also one-hot labels `(batch, num_classes)`,
            to logits `(batch, height, width, num_codes)`.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.
        images: Bool, whether the grids stand for images.
        codebook: String, the `fingerprint` of the `VQVAE` whose codes these
            are, or None. `attach_prior` of another refuses this model then.

    Raises:
        ValueError: If the network is not of this kind.

    Reference:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016,
        arXiv:1601.06759, and Conditional Image Generation with PixelCNN
        Decoders, 2016, arXiv:1606.05328.
    """

    data_dtype = "int32"

    def __init__(
        self, network, ema_decay=None, images=False, codebook=None, **kwargs
    ):
        num_inputs = len(getattr(network, "inputs", None) or [None])
        checks.check_network(network, "network", num_inputs=num_inputs)
        super().__init__(logs=("loss", "nats_per_code"), **kwargs)
        grid, logits = network.inputs[0].shape, network.outputs[0].shape
        if (
            num_inputs > 2
            or len(grid) != 4
            or grid[-1] != 1
            or logits[1:3] != grid[1:3]
        ):
            raise ValueError(
                "`network` must turn grids (batch, height, width, 1), and at "
                "most labels, into logits (batch, height, width, num_codes). "
                f"Received: inputs {[i.shape for i in network.inputs]}, "
                f"output {logits}"
            )
        self.network = network
        self.images = images
        self.codebook = codebook
        if images:
            self.data_dtype = "float32"
        if num_inputs == 2:
            self.num_classes = network.inputs[1].shape[-1]
        self.num_codes = logits[-1]
        self.data_shape = tuple(grid[1:])
        self.noise_shape = self.data_shape
        self.average_weights(ema_decay, "network")
        # Past Keras's tracking: a sampler holds no weights of its own.
        object.__setattr__(self, "_samplers", {})

    def objective(self, x, y, training):
        """Return the loss."""
        if self.images:
            x = ops.cast(self._to_codes(x), "int32")
        inputs = x if self.num_classes is None else [x, self.one_hot_batch(y)]
        logits = ops.cast(self.network(inputs, training=training), "float32")
        nll = keras.losses.sparse_categorical_crossentropy(
            x[..., 0], logits, from_logits=True
        )
        loss = ops.mean(ops.sum(nll, axis=(1, 2)))
        return {"loss": loss, "nats_per_code": ops.mean(nll)}

    def log_likelihood(self, x, labels=None, batch_size=None, use_ema=None):
        """Return ln p(x) of each grid, exactly.

        Args:
            x: Array `(n, height, width, 1)` of codes, or of images.
            labels: Integer array `(n,)` or integer, for conditional models.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool, whether to use averaged weights; None for "if the
                model keeps any".

        Returns:
            float64 array `(n,)`, in nats.
        """
        x = np.asarray(x)
        name = "Autoregressive.log_likelihood"
        if self.images:
            checks.check_array(x, self.data_shape, name)
            x = ops.convert_to_numpy(self._to_codes(x)).astype("int32")
        checks.check_codes(x, self.data_shape, (self.num_codes,), name)
        inputs = self._inputs(x.astype("int32"), labels)
        network = self.sampling_network("network", use_ema)
        logits = self.run_network(network, inputs, batch_size).astype("float64")
        logits -= logits.max(axis=-1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        return np.take_along_axis(log_p, x, axis=-1).sum(axis=(1, 2, 3))

    def from_noise(
        self,
        noise,
        labels=None,
        batch_size=None,
        use_ema=None,
        temperature=1.0,
    ):
        if not 1e-6 <= temperature <= 1e6:
            raise ValueError(
                "`temperature` must be from 1e-6 to 1e6. "
                f"Received: temperature={temperature}"
            )
        network = self.sampling_network("network", use_ema)
        if id(network) not in self._samplers:
            self._samplers[id(network)] = CodeSampler(network)
        # Uniform numbers: the normal distribution function of the noise.
        u = ndtr(np.asarray(noise, "float64"))[..., 0].astype("float32")
        u = u.reshape(len(u), -1)
        inverse = np.full((len(u), 1), 1.0 / temperature, "float32")
        inputs = self._inputs(u, labels)
        inputs = [inverse, *(inputs if isinstance(inputs, list) else [inputs])]
        codes = self.run_network(
            self._samplers[id(network)], inputs, batch_size
        )
        codes = codes.reshape(-1, *self.data_shape)
        if self.images:
            return 2.0 * codes / (self.num_codes - 1) - 1.0
        return codes.astype("int32")

    def _to_codes(self, x):
        """Return the grey level nearest to each pixel, from 0."""
        return ops.round((x + 1.0) / 2.0 * (self.num_codes - 1))

    def _inputs(self, x, labels):
        hot = self.one_hot(labels, len(x))
        return x if hot is None else [x, hot]

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "ema_decay": self.ema_decay,
            "images": self.images,
            "codebook": self.codebook,
        }


class CodeSampler(keras.Model):
    """The loop over the grid as a model, so that `predict` compiles it."""

    def __init__(self, network):
        # Numbers just below 1 would be 1 in half precision.
        super().__init__(dtype="float32")
        self.network = network

    def call(self, inputs):
        network = self.network
        inverse_temperature, u, *labels = inputs
        height, width = network.inputs[0].shape[1:3]
        positions = ops.arange(height * width)

        def step(i, codes):
            grid = ops.reshape(codes, (-1, height, width, 1))
            logits = network([grid, *labels] if labels else grid)
            logits = ops.reshape(logits, (-1, height * width, logits.shape[-1]))
            logits = ops.cast(ops.take(logits, i, axis=1), "float32")
            p = ops.softmax(logits * inverse_temperature)
            below = ops.cumsum(p, axis=-1) < ops.take(u, i, axis=1)[:, None]
            # Rounding may leave the last sum below 1.
            drawn = ops.sum(ops.cast(below, "int32"), axis=-1)
            drawn = ops.minimum(drawn, p.shape[-1] - 1)
            return ops.where(positions == i, drawn[:, None], codes)

        start = ops.cast(ops.zeros_like(u), "int32")
        return ops.fori_loop(0, height * width, step, start)
