"""How likely data are under a model that removes noise."""

import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.training import backend
from keras_gen.training.noise import draw
from keras_gen.training.noise import noise_streams
from keras_gen.training.variational import BoundOfSteps
from keras_gen.training.variational import VariationalBound


class Likelihood:
    """The two estimates of ln p(x) of a `DenoisingModel`."""

    def variational_bound(
        self,
        x,
        labels=None,
        variance=None,
        terms=None,
        seed=0,
        batch_size=None,
        use_ema=None,
    ):
        """Return an upper bound of -ln p(x) of 8-bit images, and its terms.

        See `keras_gen.training.variational.VariationalBound`. The reverse
        process is that of `"ddpm"` with all steps of the schedule; one noise
        is drawn for each term. With self-conditioning the network is given no
        earlier estimate, as there is none.

        Args:
            x: Array `(n, *data_shape)`, 8-bit pixels scaled to [-1, 1].
            labels: Integer array `(n,)` or integer, for conditional models.
            variance: `"small"`, `"large"`, or `"learned"`; None for the last
                if the network gives it, else the first.
            terms: Integer, how many of the T - 1 terms L_{t-1} to compute for
                each image: one drawn from each of so many equal ranges of t.
                None for all of them.
            seed: Integer, of the noise and these choices.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool or None, see `generate`.

        Returns:
            Dict of float64 arrays `(n,)` in nats, `"prior"`, `"diffusion"`,
            `"reconstruction"` and their sum `"total"`, and `"bits_per_dim"`,
            the sum over D ln 2.

        Raises:
            ValueError: If the schedule is in continuous time, as those of
                flows and Karras are; the model restores a `condition`; or
                `variance` is one the network does not give.
        """
        x = self._check_images(x, "variational_bound")
        if variance is None:
            variance = "learned" if self.learn_variance else "small"
        if variance == "learned" and not self.learn_variance:
            raise ValueError("This network does not give a variance.")
        if self.has_condition:
            raise ValueError("The bound is not defined given a `condition`.")
        network = self.sampling_network("network", use_ema)
        key = (id(network), variance)
        if key not in self._loops:
            bound = VariationalBound(self.schedule, variance)
            self._loops[key] = BoundOfSteps(self, network, bound)
        model = self._loops[key]
        last = self.schedule.num_steps
        count = last - 1 if terms is None else min(terms, last - 1)
        checks.check_positive_integer(count, "terms")
        streams = noise_streams(len(x), seed)
        hot = self.one_hot(labels, len(x))

        def at(steps):
            inputs = {"x": x, "noise": draw(streams, self.data_shape)}
            inputs["steps"] = np.asarray(steps, "int32")
            if hot is not None:
                inputs["labels"] = hot
            outputs = self.run_network(model, inputs, batch_size)
            return outputs.astype("float64")

        reconstruction = at(np.ones(len(x)))
        diffusion = np.zeros(len(x))
        edges = np.linspace(2, last + 1, count + 1)
        for low, high in zip(edges[:-1], edges[1:]):
            u = np.array([stream.random() for stream in streams])
            diffusion += at(np.floor(low + u * (high - low)))
        diffusion *= (last - 1) / count
        prior = model.bound.prior(x)
        total = prior + diffusion + reconstruction
        return {
            "prior": prior,
            "diffusion": diffusion,
            "reconstruction": reconstruction,
            "total": total,
            "bits_per_dim": total / (x[0].size * np.log(2.0)),
        }

    def flow_log_likelihood(
        self,
        x,
        labels=None,
        num_steps=None,
        seed=0,
        batch_size=None,
        use_ema=None,
    ):
        """Estimate ln p(x), a density, along the probability flow.

        With k = alpha + sigma, y = x / k and time tau = sigma / k, dy/dtau =
        u = k / sigma (y - D(k y)), and along this flow

            d ln p(y) / dtau = - div u = - k / sigma (dims - k div D)

        from the lowest level of noise of the grid to the highest, where p is
        taken for normal: the density is that of data with so little noise, the
        less the more steps. Heun's method; the divergence is estimated by
        v . (dD/dx v) for random signs v, without bias: the estimate of ln p is
        affine in it, and may be averaged over seeds. It is not quite the flow
        of `generate`: estimates of images are not clipped, and with
        self-conditioning the network is given no earlier estimate.

        Args:
            x: Array `(n, *data_shape)`.
            labels: Integer array `(n,)` or integer, for conditional models.
            num_steps: Integer of at least 2, or None for 100.
            seed: Integer, of the signs.
            batch_size: Integer, how many to compute at once; 128 by default.
            use_ema: Bool or None, see `generate`.

        Returns:
            float64 array `(n,)`, in nats. Of 8-bit images scaled to [-1, 1],
            with noise of a width of 2/255 added to the pixels, add D ln(2/255)
            for a log-probability.

        Reference:
            Song et al., Score-Based Generative Modeling through Stochastic
            Differential Equations, 2020, arXiv:2011.13456; Hutchinson, 1989,
            for the estimate of the divergence.
        """
        # Noise of the width of an 8-bit pixel leads a little out of [-1, 1].
        x = self._check_images(x, "flow_log_likelihood", beyond=2 / 255)
        if self.has_condition:
            raise ValueError("ln p(x) is not defined given a `condition`.")
        network = self.sampling_network("network", use_ema)
        hot = self.one_hot(labels, len(x))
        streams = noise_streams(len(x), seed)
        size = 128 if batch_size is None else batch_size
        checks.check_positive_integer(size, "batch_size")
        levels = self._path_to_noise(num_steps)
        results = []
        for start in range(0, len(x), size):
            i = slice(start, start + size)
            y = None if hot is None else hot[i]
            results.append(
                self._follow_flow(network, x[i], y, streams[i], *levels)
            )
        return np.concatenate(results)

    def _follow_flow(self, network, x, hot, streams, alphas, sigmas):
        """Return ln p of a batch; see `flow_log_likelihood`."""
        dims = x[0].size
        k = alphas + sigmas
        times = sigmas / k

        def slope(y, i):
            """Return dy/dtau and d ln p / dtau."""
            v = np.sign(draw(streams, self.data_shape))
            data, divergence = self._divergence(
                network, k[i] * y, alphas[i], sigmas[i], hot, v
            )
            rate = k[i] / sigmas[i]
            return rate * (y - data), -rate * (dims - k[i] * divergence)

        y = x * (alphas[0] / k[0])
        gained = np.zeros(len(x))
        for i in range(len(times) - 1):
            h = times[i + 1] - times[i]
            first, gain = slope(y, i)
            second, next_gain = slope(y + h * first, i + 1)
            y = y + h / 2 * (first + second)
            gained += h / 2 * (gain + next_gain)
        std = np.hypot(alphas[-1], sigmas[-1]) / k[-1]
        log_p = -0.5 * (y.reshape(len(x), -1) ** 2 / std**2).sum(axis=1)
        log_p -= dims * (0.5 * np.log(2 * np.pi) + np.log(std))
        # Back to x: at the lowest level y is alpha / k times it.
        return log_p - gained + dims * np.log(alphas[0] / k[0])

    def _divergence(self, network, x, alpha, sigma, hot, v):
        """Return D(x) and v . (dD/dx v) of each sample, in float64."""
        x, v = (ops.convert_to_tensor(np.float32(a)) for a in (x, v))
        ones = (len(x), *[1] * (len(x.shape) - 1))
        alpha, sigma = (
            ops.convert_to_tensor(np.full(ones, a, "float32"))
            for a in (alpha, sigma)
        )
        if hot is not None:
            hot = ops.convert_to_tensor(hot)

        def estimate(x):
            before = ops.zeros_like(x) if self.self_conditioning else None
            return self.estimate(network, x, alpha, sigma, hot, before)[0]

        product = backend.input_gradient(lambda x: ops.sum(v * estimate(x)), x)
        axes = tuple(range(1, len(x.shape)))
        return tuple(
            ops.convert_to_numpy(ops.stop_gradient(t)).astype("float64")
            for t in (estimate(x), ops.sum(v * product, axis=axes))
        )
