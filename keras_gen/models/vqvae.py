"""Vector-quantised autoencoder."""

import hashlib

import keras
import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.layers.code_usage import CodePerplexity
from keras_gen.layers.code_usage import CodeUsage
from keras_gen.layers.code_usage import count_codes
from keras_gen.losses import get_likelihood
from keras_gen.training import GenerativeModel


@keras.saving.register_keras_serializable("keras_gen")
class VQVAE(GenerativeModel):
    """Compress images into a grid of codes from a finite codebook.

        L = -ln p(x | z_e + sg(q - z_e)) + L_Q,    z_e = f(x),  q = Q(z_e)

    with encoder f and quantizer Q, whose loss L_Q holds codebook and encoder
    together (see `keras_gen.layers.VectorQuantizer`); sg is stop-gradient.
    Sums over an image, means over the batch. `mse` in the logs is the mean
    squared error of pixels scaled to [0, 1]; `perplexity` and `usage` say how
    many codes an epoch used.

    The codes have no prior of their own. `generate` draws the grid from
    `prior`, an `Autoregressive` model trained on `encode(x)`; so does
    `generate(temperature=T)`, from the prior's p^(1/T). Of several codebooks,
    as of a `ResidualQuantizer`, the prior sees those of a place side by side:
    `encode(x).reshape(n, *model.prior_shape)`. `nets.causal_transformer` then
    knows which codebook a code is of, `nets.pixel_cnn` does not.

    Args:
        encoder: `keras.Model` from images to `(batch, height, width, dim)`.
        decoder: `keras.Model` from `(batch, height, width, dim)` to tensors of
            the shape of the images.
        quantizer: `keras_gen.layers.VectorQuantizer`,
            `FiniteScalarQuantizer`, `LookupFreeQuantizer` or
            `ResidualQuantizer`.
        likelihood: `"gaussian"` for twice the squared error, or another, see
            `VAE`.
        prior: `Autoregressive` over grids of `prior_shape`, or None. It can be
            attached later: `model.attach_prior(prior)`, which also compares
            its `codebook`, if it has one, with `fingerprint`.

    Raises:
        ValueError: If the networks, the quantizer and the prior do not fit
            each other.

    Reference:
        van den Oord et al., Neural Discrete Representation Learning, 2017,
        arXiv:1711.00937.
    """

    takes_labels = False  # to be trained: a prior that has is done

    def __init__(
        self,
        encoder,
        decoder,
        quantizer,
        likelihood="gaussian",
        prior=None,
        **kwargs,
    ):
        checks.check_network(encoder, "encoder")
        checks.check_network(decoder, "decoder")
        sizes = getattr(quantizer, "sizes", None)
        if sizes is None:
            raise ValueError(
                "`quantizer` must be one of `keras_gen.layers`, such as "
                f"`VectorQuantizer(128, 16)`. Received: {quantizer!r}"
            )
        super().__init__(
            logs=(
                "loss",
                "mse",
                "quantizer_loss",
                CodePerplexity(sizes),
                CodeUsage(sizes),
            ),
            **kwargs,
        )
        grid = encoder.outputs[0].shape
        if len(grid) != 4 or grid[-1] != quantizer.dim:
            raise ValueError(
                "`encoder` must return grids of vectors of the length that "
                f"`quantizer` takes, (batch, height, width, {quantizer.dim}). "
                f"Received: shape={grid}"
            )
        if decoder.inputs[0].shape != grid:
            raise ValueError(
                "`decoder` must take what `encoder` returns. Received: "
                f"{decoder.inputs[0].shape} and {grid}"
            )
        if encoder.inputs[0].shape != decoder.outputs[0].shape:
            raise ValueError(
                "`decoder` must return what `encoder` takes. Received: "
                f"{encoder.inputs[0].shape} and {decoder.outputs[0].shape}"
            )
        self.encoder = encoder
        self.decoder = decoder
        self.quantizer = quantizer
        self.likelihood = get_likelihood(likelihood, self.decoder)
        self.data_shape = tuple(encoder.inputs[0].shape[1:])
        self.grid_shape = (*grid[1:3], quantizer.num_codebooks)
        # A prior sees the codebooks of a place side by side.
        height, width, codebooks = self.grid_shape
        self.prior_shape = (height, width * codebooks, 1)
        self.prior = None
        if prior is not None:
            self._set_prior(prior)

    def objective(self, x, y, training):
        """Return the loss and its terms, and the codes counted."""
        z = self.encoder(x, training=training)
        q, indices, quantizer_loss = self.quantizer(z, training=training)
        outputs = self.decoder(q, training=training)
        nll = ops.mean(self.likelihood.nll(x, outputs))
        error = ops.square(x - self.likelihood.mean(outputs))
        counts = count_codes(indices, self.quantizer.sizes)
        return {
            "loss": nll + quantizer_loss,
            "mse": ops.mean(error) / 4.0,
            "quantizer_loss": quantizer_loss,
            "perplexity": counts,
            "usage": counts,
        }

    def encode(self, x, batch_size=None):
        """Return the codes of images `x`.

        Args:
            x: Array `(n, *data_shape)`.
            batch_size: Integer, how many to compute at once.

        Returns:
            int32 array `(n, height, width, codebooks)`.
        """
        x = np.asarray(x)
        checks.check_array(x, self.data_shape, "VQVAE")
        z = self.run_network(self.encoder, x, batch_size)
        indices = []
        for start in range(0, len(z), batch_size or 128):
            batch = ops.convert_to_tensor(
                z[start : start + (batch_size or 128)]
            )
            indices.append(ops.convert_to_numpy(self.quantizer(batch)[1]))
        return np.concatenate(indices)

    def decode(self, indices, batch_size=None):
        """Return the images of codes, `(n, height, width, codebooks)`."""
        indices = np.asarray(indices)
        checks.check_codes(
            indices, self.grid_shape, self.quantizer.sizes, "VQVAE.decode"
        )
        indices = ops.convert_to_tensor(indices.astype("int32"))
        q = ops.convert_to_numpy(self.quantizer.decode(indices))
        outputs = self.run_network(self.decoder, q, batch_size)
        return ops.convert_to_numpy(self.likelihood.mean(outputs))

    def reconstruct(self, x, labels=None, batch_size=None, use_ema=None):
        """Return images `x` after encoding and decoding them.

        Labels are the prior's business, and no average is kept: `labels` and
        `use_ema` change nothing.
        """
        del labels, use_ema
        return self.decode(self.encode(x, batch_size), batch_size)

    def attach_prior(self, prior):
        """Take a trained prior over the codes, for `generate`.

        Attach it last: training on moves the codes it has learnt. It cannot be
        replaced. For another prior make another model,
        `VQVAE(model.encoder, model.decoder, model.quantizer)`.

        Raises:
            ValueError: If the model has a prior, or this one is of other
                grids, or says that it is of another codebook.
        """
        codebook = getattr(prior, "codebook", None)
        if codebook not in (None, self.fingerprint):
            raise ValueError(
                "`prior` was trained on the codes of another `VQVAE`, or of "
                "this one before it changed. Train one on its codes. "
                f"Received: codebook={codebook!r}, expected "
                f"{self.fingerprint!r}"
            )
        self._set_prior(prior)

    @property
    def fingerprint(self):
        """SHA-256 of the weights that codes depend on, for a prior to keep."""
        digest = hashlib.sha256()
        for weight in (*self.encoder.weights, *self.quantizer.weights):
            value = np.asarray(ops.convert_to_numpy(weight))
            if value.dtype.kind not in "iu":  # not the state of a generator
                # The same for a model whose kernels were rounded in a preset.
                with np.errstate(over="ignore"):
                    digest.update(value.astype("float16").tobytes())
        return digest.hexdigest()

    def _set_prior(self, prior):
        if self.prior is not None:
            raise ValueError(
                "This `VQVAE` has a prior. Make another model of its parts, "
                "`VQVAE(model.encoder, model.decoder, model.quantizer)`, to "
                "attach another prior."
            )
        sizes = self.quantizer.sizes
        if len(set(sizes)) > 1:
            raise ValueError(
                "A prior needs codebooks of one size. Received a quantizer "
                f"with sizes {sizes}"
            )
        expected = (self.prior_shape, sizes[0])
        received = (
            getattr(prior, "data_shape", None),
            getattr(prior, "num_codes", None),
        )
        if received != expected or prior.data_dtype != "int32":
            raise ValueError(
                "`prior` must be an `Autoregressive` model of grids of shape "
                f"{expected[0]} with {expected[1]} codes, images=False. "
                "Received: "
                f"{prior!r} of shape {received[0]} with {received[1]} codes"
            )
        prior.trainable = False
        self.prior = prior
        self.noise_shape = prior.noise_shape
        self.num_classes = prior.num_classes

    def generate(self, num_samples, *args, **kwargs):
        if self.prior is None:
            raise ValueError(
                "This `VQVAE` has no prior to draw codes from. Train an "
                "`Autoregressive` model on `encode(x)`, reshaped to "
                f"(n, *{self.prior_shape}), and pass it to `attach_prior`. "
                "Without one, `ImageGrid(num_images=0, reconstruct=x)` shows "
                "reconstructions."
            )
        return super().generate(num_samples, *args, **kwargs)

    generate.__doc__ = GenerativeModel.generate.__doc__

    def from_noise(
        self,
        noise,
        labels=None,
        batch_size=None,
        use_ema=None,
        temperature=1.0,
    ):
        codes = self.prior.from_noise(
            noise, labels, batch_size, use_ema, temperature
        )
        codes = codes.reshape(len(codes), *self.grid_shape)
        return self.decode(codes, batch_size)

    def get_config(self):
        prior = self.prior and keras.saving.serialize_keras_object(self.prior)
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "quantizer": keras.saving.serialize_keras_object(self.quantizer),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "prior": prior,
        }
