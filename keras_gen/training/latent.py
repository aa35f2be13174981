"""The base of models that encode data into latents and decode them."""

import keras
import numpy as np
from keras import ops
from scipy.special import logsumexp
from scipy.special import ndtri

from keras_gen import checks
from keras_gen.layers.tied import tied_decoder
from keras_gen.training import backend
from keras_gen.training.model import GenerativeModel
from keras_gen.training.noise import sample_noise
from keras_gen.training.noise import slerp


def log_normal(z, mean, log_var):
    """Return ln N(z; mean, exp(log_var)) summed over the latents, float64."""
    squared = (z - mean) ** 2 / np.exp(log_var) + log_var + np.log(2 * np.pi)
    return -0.5 * squared.sum(axis=-1, dtype="float64")


class DecoderNLL(keras.Model):
    """-ln p(x|z) for several z an image, as a model: Keras compiles it."""

    def __init__(self, decoder, likelihood):
        # Images and latents arrive whole; the decoder has its own policy.
        super().__init__(dtype="float32")
        self.decoder = decoder
        self.likelihood = likelihood

    def call(self, inputs):
        x, z, *labels = inputs
        k = ops.shape(z)[1]
        z = ops.reshape(z, (-1, z.shape[-1]))
        x, *labels = (ops.repeat(t, k, axis=0) for t in (x, *labels))
        outputs = self.decoder([z, *labels] if labels else z)
        return ops.reshape(self.likelihood.nll(x, outputs), (-1, k))


class LatentModel(GenerativeModel):
    """Encode, decode, reconstruct, interpolate, traverse.

    A subclass has one optimizer, the attributes `encoder`, `decoder` and
    `likelihood`, and

    - `objective(x, y, training)`: a dict of scalars whose `"loss"` is
      minimised.

    Where the encoder returns several tensors, the first is the code: the mean
    of a posterior, the second its log-variance. A conditional subclass sets
    `num_classes`; its networks take one-hot labels `(batch, num_classes)` as a
    second input, and every method below needs `labels`.

    Without a decoder the encoder's weights serve both ways, see `tied_decoder`.

    Attributes:
        latent_dim: Integer, the length of a code.
    """

    def __init__(self, encoder, decoder, logs, num_outputs=1, **kwargs):
        super().__init__(logs=logs, **kwargs)
        num_inputs = 1 if self.num_classes is None else 2
        checks.check_network(encoder, "encoder", num_outputs, num_inputs)
        self.tied = decoder is None
        if self.tied:
            decoder = tied_decoder(encoder)
        checks.check_network(decoder, "decoder", num_inputs=num_inputs)
        code, latent = encoder.outputs[0], decoder.inputs[0]
        if len(code.shape) != 2:
            raise ValueError(
                "`encoder` must return vectors, of shape (batch, latent_dim). "
                f"Received: outputs of shape {code.shape}"
            )
        if any(output.shape != latent.shape for output in encoder.outputs):
            raise ValueError(
                "The latents of `encoder` and `decoder` must agree. Received: "
                f"encoder outputs of shape {[o.shape for o in encoder.outputs]}"
                f", decoder input of shape {latent.shape}"
            )
        if encoder.inputs[0].shape != decoder.outputs[0].shape:
            raise ValueError(
                "`decoder` must return what `encoder` takes. Received: "
                f"encoder input of shape {encoder.inputs[0].shape}, decoder "
                f"output of shape {decoder.outputs[0].shape}"
            )
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent.shape[-1]
        self.noise_shape = (self.latent_dim,)
        self.data_shape = tuple(encoder.inputs[0].shape[1:])
        # Past Keras's tracking: these hold no weights of their own.
        object.__setattr__(self, "_decoder_nlls", {})

    def average_weights(self, decay, *names):
        if self.tied and decay is not None:
            raise ValueError(
                "`ema_decay` must be None with tied weights: the average of "
                f"the decoder would not be tied. Received: ema_decay={decay}"
            )
        super().average_weights(decay, *names)

    def sample_posterior(self, inputs, training):
        """Draw z = mu + sigma eps for a batch, eps ~ N(0, I).

        Args:
            inputs: Tensor, or list of tensors, that `encoder` takes.
            training: Bool.

        Returns:
            Three float32 tensors `(batch, latent_dim)`: z, mu, ln sigma^2.
        """
        mu, log_var = self.encoder(inputs, training=training)
        mu, log_var = ops.cast(mu, "float32"), ops.cast(log_var, "float32")
        eps = keras.random.normal(ops.shape(mu), seed=self.seed_generator)
        return mu + ops.exp(0.5 * log_var) * eps, mu, log_var

    def encode(self, x, labels=None, batch_size=None, use_ema=None):
        """Return the codes of images `x`, posterior means where there are.

        Args:
            x: Array `(n, *data_shape)`.
            labels: Integer array `(n,)` or integer, for conditional models.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool, whether to use averaged weights; None for "if the
                model keeps any".

        Returns:
            float32 array `(n, latent_dim)`.
        """
        codes = self._encoder_outputs(x, labels, batch_size, use_ema)
        return codes[0] if isinstance(codes, list) else codes

    def decode(self, z, labels=None, batch_size=None, use_ema=None):
        """Return the mean images of latents `z`, `(n, latent_dim)`.

        The other arguments are those of `encode`.
        """
        z = np.asarray(z, "float32")
        name = f"{type(self).__name__}.decode"
        checks.check_batch(z, (self.latent_dim,), name)
        decoder = self.sampling_network("decoder", use_ema)
        inputs = self._with_labels(z, labels)
        outputs = self.run_network(decoder, inputs, batch_size)
        return ops.convert_to_numpy(self.likelihood.mean(outputs))

    def reconstruct(self, x, labels=None, batch_size=None, use_ema=None):
        """Return images `x` after encoding and decoding them."""
        z = self.encode(x, labels, batch_size, use_ema)
        return self.decode(z, labels, batch_size, use_ema)

    def from_noise(self, noise, labels=None, batch_size=None, use_ema=None):
        return self.decode(noise, labels, batch_size, use_ema)

    def interpolate(
        self, start, end, steps=8, spherical=False, labels=None, use_ema=None
    ):
        """Return images on the way from `start` to `end` in latent space.

            linear     z_t = (1 - t) z_0 + t z_1
            spherical  z_t = (sin((1 - t) w) z_0 + sin(t w) z_1) / sin w

        with w the angle between z_0 and z_1, t from 0 to 1 in `steps`.

        Args:
            start: Array `(n, *data_shape)`, images to start from.
            end: Array of the same shape.
            steps: Integer of at least 2, images a pair, both ends counted.
            spherical: Bool. A straight line between two normal latents passes
                closer to the origin than any sample; a great circle does not.
            labels: Integer array `(n,)` or integer, for conditional models.
            use_ema: Bool or None, see `encode`.

        Returns:
            float32 array `(n, steps, *data_shape)`.

        Reference:
            White, Sampling Generative Networks, 2016, arXiv:1609.04468.
        """
        checks.check_ends(start, end, steps)
        z0 = self.encode(start, labels, use_ema=use_ema)[:, None]
        z1 = self.encode(end, labels, use_ema=use_ema)[:, None]
        t = np.linspace(0, 1, steps)[:, None]
        z = slerp(z0, z1, t) if spherical else (1 - t) * z0 + t * z1
        return self._decode_grid(z, labels, use_ema)

    def traverse(
        self, x, dimensions=None, values=None, labels=None, use_ema=None
    ):
        """Return images with one latent at a time set to other values.

        Args:
            x: Array `(n, *data_shape)`, images whose codes to start from.
            dimensions: Sequence of integers, the latents to change; all by
                default.
            values: Sequence of floats; 7 from -3 to 3 by default.
            labels: Integer array `(n,)` or integer, for conditional models.
            use_ema: Bool or None, see `encode`.

        Returns:
            float32 array `(n, dimensions, values, *data_shape)`.
        """
        z = self.encode(x, labels, use_ema=use_ema)
        if dimensions is None:
            dimensions = range(self.latent_dim)
        if values is None:
            values = np.linspace(-3, 3, 7)
        grid = np.repeat(z[:, None], len(dimensions) * len(values), axis=1)
        grid = grid.reshape(len(z), len(dimensions), len(values), -1)
        for i, dimension in enumerate(dimensions):
            if not 0 <= dimension < self.latent_dim:
                raise ValueError(
                    f"`dimensions` must be in [0, {self.latent_dim}). "
                    f"Received: {dimension}"
                )
            grid[:, i, :, dimension] = values
        return self._decode_grid(grid, labels, use_ema)

    def latent_map(self, n=15, labels=None, use_ema=None):
        """Return what lies where in a latent space of two dimensions.

        The images at n x n points, equally far apart in probability: what
        `generate` makes of the (i - 1/2) / n quantiles of its noise. Of an
        autoencoder, whose codes may be correlated, the axes are not the
        latents themselves.

        Args:
            n: Integer, points along each latent.
            labels: Integer, for conditional models.
            use_ema: Bool or None, see `encode`.

        Returns:
            float32 array `(n, n, *data_shape)`: the first latent grows from
            left to right, the second from bottom to top.
        """
        if self.latent_dim != 2 or self.noise_shape != (2,):
            raise ValueError(
                "A map needs a model that draws from 2 latents and nothing "
                f"else. Received: latent_dim={self.latent_dim}, noise of "
                f"shape {self.noise_shape}"
            )
        checks.check_positive_integer(n, "n")
        points = ndtri((np.arange(n) + 0.5) / n).astype("float32")
        grid = np.stack(np.meshgrid(points, points[::-1]), axis=-1)
        if labels is not None:
            labels = np.broadcast_to(labels, n * n)
        images = self.from_noise(grid.reshape(-1, 2), labels, None, use_ema)
        return images.reshape(n, n, *self.data_shape)

    def inpaint(
        self, x, known, labels=None, num_steps=30, seed=None, use_ema=None
    ):
        """Complete images of which some pixels are missing.

            repeat  z ~ q(z|x),    x_missing <- E[x_missing|z]

        The missing pixels start from a sample, and another seed gives another
        completion. For a linear Gaussian model with the exact posterior the
        completions average E[x_missing|x_known]; otherwise nearly so, and less
        varied, as x is not sampled. Without a posterior, z is the code of x.

        Args:
            x: Array `(n, *data_shape)`; what stands in missing pixels is
                ignored.
            known: Bool array that broadcasts to `x`, True where a pixel is
                to be kept.
            labels: Integer array `(n,)` or integer, for conditional models.
            num_steps: Integer, repetitions.
            seed: Integer, or None for a new draw.
            use_ema: Bool or None, see `encode`.

        Returns:
            float32 array of the shape of `x`.

        Reference:
            Rezende et al., Stochastic Backpropagation and Approximate
            Inference in Deep Generative Models, 2014, arXiv:1401.4082,
            appendix F.
        """
        checks.check_positive_integer(num_steps, "num_steps")
        x, name = np.asarray(x), f"{type(self).__name__}.inpaint"
        checks.check_batch(x, self.data_shape, name)
        known = checks.check_known(known, x.shape)
        if len(self.data_shape) == 3:
            checks.check_range(np.where(known, x, 0.0), name)
        n = len(x)
        if seed is None:
            seed = int(np.random.randint(2**31))
        start = self.generate(n, labels, seed, use_ema=use_ema)
        x = np.where(known, x, start).astype("float32")
        # After those that the start was made from.
        eps = sample_noise(n, (num_steps + 2, self.latent_dim), seed)[:, 2:]
        for step in range(num_steps):
            codes = self._encoder_outputs(x, labels, None, use_ema)
            if isinstance(codes, list):
                codes = codes[0] + np.exp(0.5 * codes[1]) * eps[:, step]
            images = self.decode(codes, labels, use_ema=use_ema)
            x = np.where(known, x, images)
        return x

    def log_likelihood(
        self, x, labels=None, num_samples=100, seed=0, use_ema=None
    ):
        """Estimate ln p(x) of each image by importance sampling.

            L_K = ln 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

        In expectation a lower bound that rises to ln p(x) with K. Whether it
        is a likelihood in the end is the `likelihood`'s business: Bernoulli's
        needs binary pixels.

        Args:
            x: Array `(n, *data_shape)`.
            labels: Integer array `(n,)` or integer, for conditional models.
            num_samples: Integer, K.
            seed: Integer, of the samples.
            use_ema: Bool or None, see `encode`.

        Returns:
            float64 array `(n,)`, in nats.

        Reference:
            Burda et al., Importance Weighted Autoencoders, 2015,
            arXiv:1509.00519.
        """
        checks.check_positive_integer(num_samples, "num_samples")
        if len(self.encoder.outputs) != 2:
            raise ValueError(
                f"`{type(self).__name__}` has no posterior to sample from."
            )
        if getattr(self.likelihood, "depends_on_batch", False):
            raise ValueError(
                "The likelihood is fitted to each batch, so that of one image "
                "is not defined. Use a fixed or learned scale."
            )
        x = np.asarray(x)
        checks.check_array(x, self.data_shape, type(self).__name__)
        x = x.astype("float32")
        labels = checks.check_labels(labels, len(x), self.num_classes)
        rng = np.random.default_rng(seed)
        chunk = min(num_samples, 500)
        rows = max(1, 10_000 // chunk)  # so that 10,000 are decoded at once
        results = []
        for start in range(0, len(x), rows):
            i = slice(start, start + rows)
            y = None if labels is None else labels[i]
            posterior = self._encoder_outputs(x[i], y, None, use_ema)
            total = -np.inf
            for first in range(0, num_samples, chunk):
                k = min(chunk, num_samples - first)
                shape = (len(x[i]), k, self.latent_dim)
                eps = rng.standard_normal(shape, "float32")
                log_w = self._log_weights(x[i], y, posterior, eps, use_ema)
                total = np.logaddexp(total, logsumexp(log_w, axis=1))
            results.append(total - np.log(num_samples))
        return np.concatenate(results)

    def _log_weights(self, x, labels, posterior, eps, use_ema):
        """Return ln p(x|z) p(z) / q(z|x) for z = mu + sigma eps, `(n, k)`."""
        mu, log_var = (part[:, None] for part in posterior)
        z = mu + np.exp(0.5 * log_var) * eps
        log_q = log_normal(eps, 0.0, 0.0) - 0.5 * log_var.sum(axis=-1)
        decoder = self.sampling_network("decoder", use_ema)
        if id(decoder) not in self._decoder_nlls:
            self._decoder_nlls[id(decoder)] = DecoderNLL(
                decoder, self.likelihood
            )
        hot = self.one_hot(labels, len(x))
        inputs = [x, z] if hot is None else [x, z, hot]
        with backend.undisturbed():
            nll = self._decoder_nlls[id(decoder)].predict_on_batch(inputs)
        log_p = -np.asarray(nll, "float64")
        return log_p + self.log_prior(z, labels, use_ema) - log_q

    def log_prior(self, z, labels=None, use_ema=None):
        """Return ln p(z), N(0, I) by default, of latents `(n, k, latent_dim)`.

        Args:
            z: Array.
            labels: Integer array `(n,)`, for conditional models.
            use_ema: Bool or None, see `encode`.

        Returns:
            float64 array `(n, k)`.
        """
        return log_normal(z, 0.0, 0.0)

    def _encoder_outputs(self, x, labels, batch_size, use_ema):
        x = np.asarray(x)
        checks.check_array(x, self.data_shape, type(self).__name__)
        encoder = self.sampling_network("encoder", use_ema)
        inputs = self._with_labels(x, labels)
        return self.run_network(encoder, inputs, batch_size)

    def _with_labels(self, x, labels):
        """Return the inputs of a network: `x`, and labels if conditional."""
        hot = self.one_hot(labels, len(x))
        return x if hot is None else [x, hot]

    def _decode_grid(self, z, labels, use_ema):
        """Decode latents `(n, ..., latent_dim)`, labels one for each n."""
        z = np.asarray(z, "float32")
        if self.num_classes is not None:
            labels = np.broadcast_to(labels, len(z))
            labels = np.repeat(labels, np.prod(z.shape[1:-1], dtype=int))
        images = self.decode(
            z.reshape(-1, z.shape[-1]), labels, use_ema=use_ema
        )
        return images.reshape(*z.shape[:-1], *self.data_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": None
            if self.tied
            else keras.saving.serialize_keras_object(self.decoder),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "ema_decay": self.ema_decay,
        }
