"""Change given images with a model that removes noise."""

import numpy as np

from keras_gen import checks
from keras_gen.diffusion import samplers
from keras_gen.training.noise import draw
from keras_gen.training.noise import noise_streams
from keras_gen.training.noise import slerp


class Editing:
    """What a `DenoisingModel` does to given data besides drawing new ones."""

    def inpaint(
        self,
        x,
        known,
        labels=None,
        num_steps=None,
        resamples=5,
        seed=None,
        condition=None,
        batch_size=None,
        use_ema=None,
    ):
        """Complete images of which some pixels are missing.

        After each step of `"ddpm"`, with the small variance, the known pixels
        are those of `x` with the noise of the level reached. To bring both
        parts in line each step is taken `resamples` times, with noise added in
        between to go back.

        Args:
            x: Array `(n, *data_shape)`; what stands in missing pixels is
                ignored.
            known: Bool array that broadcasts to `x`, True where a pixel is
                to be kept.
            labels: Integer array `(n,)` or integer, for conditional models.
            num_steps: Integer, levels of noise, or None for 100.
            resamples: Integer of at least 1.
            seed: Integer, or None for a new draw.
            condition: See `generate`.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool or None, see `generate`.

        Returns:
            float32 array of the shape of `x`.

        Reference:
            Lugmayr et al., RePaint: Inpainting using Denoising Diffusion
            Probabilistic Models, 2022, arXiv:2201.09865.
        """
        checks.check_positive_integer(resamples, "resamples")
        x = self._check_images(x, "inpaint", known)
        known = np.broadcast_to(known, x.shape)
        alphas, sigmas = self.path(num_steps, default=100)
        streams = noise_streams(len(x), seed)
        start = draw(streams, self.data_shape)
        return self.sample_along(
            start * np.float32(np.hypot(alphas[0], sigmas[0])),
            _resampled(samplers.ddpm(alphas, sigmas), resamples),
            labels=labels,
            streams=streams,
            batch_size=batch_size,
            use_ema=use_ema,
            condition=condition,
            extra={
                "known": np.where(known, x, 0.0).astype("float32"),
                "mask": known.astype("float32"),
            },
        )

    def edit(
        self,
        x,
        strength=0.5,
        labels=None,
        seed=None,
        sampler=None,
        num_steps=None,
        guidance_scale=1.0,
        condition=None,
        batch_size=None,
        use_ema=None,
    ):
        """Turn images into others that share their coarse features.

        Noise is added up to the time `strength` and removed again.

        Args:
            x: Array `(n, *data_shape)`, images or coarse drawings of such.
            strength: Float in [0, 1]: 0 leaves `x` as it is, 1 forgets it, but
                for what fifty times as much noise leaves of it where there are
                fewer steps than the schedule has.
            labels: Integer array `(n,)` or integer, for conditional models.
            seed: Integer, or None for a new draw.
            sampler: See `generate`.
            num_steps: Integer, or None for the share `strength` of the steps
                that `generate` takes by default.
            guidance_scale: See `generate`.
            condition: See `generate`.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool or None, see `generate`.

        Returns:
            float32 array of the shape of `x`.

        Reference:
            Meng et al., SDEdit: Guided Image Synthesis and Editing with
            Stochastic Differential Equations, 2021, arXiv:2108.01073.
        """
        x = self._check_images(x, "edit")
        if not 0 <= strength <= 1:
            raise ValueError(
                f"`strength` must be in [0, 1]. Received: strength={strength}"
            )
        if strength == 0:
            return x.copy()
        alphas, sigmas = self.path(num_steps, start=strength)
        streams = noise_streams(len(x), seed)
        noise = draw(streams, self.data_shape)
        return self.sample_along(
            (alphas[0] * x + sigmas[0] * noise).astype("float32"),
            samplers.get_sampler(self._default(sampler))(alphas, sigmas),
            labels=labels,
            streams=streams,
            batch_size=batch_size,
            use_ema=use_ema,
            guidance_scale=guidance_scale,
            condition=condition,
        )

    def invert(
        self, x, labels=None, num_steps=None, batch_size=None, use_ema=None
    ):
        """Return the noise from which `from_noise` leads back to `x`.

        The probability flow is followed backwards by `"ddim"`, from the lowest
        level of noise of the grid on, without clipping; what `from_noise` makes
        of it in as many steps is near to `x`, and nearer with more of them.

        Args:
            x: Array `(n, *data_shape)`.
            labels: Integer array `(n,)` or integer, for conditional models.
            num_steps: Integer of at least 2, or None for 100.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool or None, see `generate`.

        Returns:
            float32 array of the shape of `x`, about standard normal.
        """
        x = self._check_images(x, "invert")
        alphas, sigmas = self._path_to_noise(num_steps)
        noisy = self.sample_along(
            x * np.float32(alphas[0]),
            samplers.ddim(alphas, sigmas),
            labels=labels,
            batch_size=batch_size,
            use_ema=use_ema,
            clip=False,
        )
        return noisy / np.float32(np.hypot(alphas[-1], sigmas[-1]))

    def interpolate(
        self, start, end, steps=8, labels=None, num_steps=None, use_ema=None
    ):
        """Return images between two, spherically between their noises.

        Args:
            start: Array `(n, *data_shape)`.
            end: Array of the same shape.
            steps: Integer of at least 2, images of a row, both ends included.
            labels: Integer array `(n,)` or integer, for conditional models.
            num_steps: Integer of at least 2, of sampling and its inversion, or
                None for 100.
            use_ema: Bool or None, see `generate`.

        Returns:
            float32 array `(n, steps, *data_shape)`.
        """
        checks.check_ends(start, end, steps)
        z0, z1 = (
            self.invert(x, labels, num_steps, use_ema=use_ema).reshape(
                len(x), 1, -1
            )
            for x in (start, end)
        )
        z = slerp(z0, z1, np.linspace(0, 1, steps)[:, None])
        if self.num_classes is not None:
            labels = np.repeat(np.broadcast_to(labels, len(z)), steps)
        z = z.reshape(-1, *self.data_shape).astype("float32")
        alphas, sigmas = self.path(num_steps, default=100)
        x = self.sample_along(
            z * np.float32(np.hypot(alphas[0], sigmas[0])),
            samplers.ddim(alphas, sigmas),
            labels=labels,
            use_ema=use_ema,
        )
        return x.reshape(-1, steps, *self.data_shape)

    def _path_to_noise(self, num_steps):
        """Return the levels from the lowest with any noise to the highest."""
        alphas, sigmas = self.path(num_steps, default=100)
        if len(alphas) < 3:
            raise ValueError(
                "The way from data to noise needs at least 2 steps. Received: "
                f"num_steps={num_steps}"
            )
        return alphas[-2::-1], sigmas[-2::-1]

    def _check_images(self, x, method, known=None, **beyond):
        """Return `x` as float32, or raise."""
        name = f"{type(self).__name__}.{method}"
        x = np.asarray(x)
        checks.check_batch(x, self.data_shape, name)
        if known is not None:
            known = checks.check_known(known, x.shape)
        if len(self.data_shape) >= 3:
            known_part = x if known is None else np.where(known, x, 0)
            checks.check_range(known_part, name, **beyond)
        checks.check_not_empty(x)
        return x.astype("float32")


def _resampled(plan, times):
    """Return a plan that takes each step but the last several times.

    After a step from t to t', noise leads back: x_t = r x_t' + sqrt(L) z with
    r = alpha / alpha' and L = sigma^2 - r^2 sigma'^2. Both together are again
    one linear step, so the network is not asked in between.
    """
    rows = plan.columns()
    again = rows.copy()
    r = plan.alpha / plan.next_alpha
    added = np.maximum(plan.sigma**2 - (r * plan.next_sigma) ** 2, 0.0)
    again[:, 2:6] *= r[:, None]
    again[:, 6] = np.sqrt((r * plan.noise) ** 2 + added)
    again[:, 7], again[:, 8] = plan.alpha, plan.sigma
    parts = []
    for i in range(len(plan)):
        repeats = times - 1 if i + 1 < len(plan) else 0
        parts += [again[i]] * repeats + [rows[i]]
    return samplers.Plan(*np.array(parts).T)
