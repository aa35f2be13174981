"""The base of models that learn to remove noise, and sample by doing so."""

import keras
import numpy as np
from keras import ops

from keras_gen import checks
from keras_gen.diffusion import NoisePrediction
from keras_gen.diffusion import get_prediction
from keras_gen.diffusion import get_sampler
from keras_gen.diffusion import get_schedule
from keras_gen.diffusion.samplers import SAMPLERS
from keras_gen.training.editing import Editing
from keras_gen.training.likelihood import Likelihood
from keras_gen.training.model import GenerativeModel
from keras_gen.training.noise import draw
from keras_gen.training.noise import noise_streams
from keras_gen.training.sampling import SamplingLoop
from keras_gen.training.sampling import run_plan


class DenoisingModel(Editing, Likelihood, GenerativeModel):
    """Sample by removing noise step by step.

    What is common to diffusion models and flow matching is here: what the
    network sees, labels and guidance, sampling, editing. A subclass says what
    the network is trained on, `objective(x, y, training)`, which returns the
    scalar `"loss"`.

    The network sees x / sqrt(alpha^2 + sigma^2) and the level of noise
    ln(sigma / alpha), clipped to [-10, 10]: both are the same for all schedules
    that have this level in common, so that a trained model may be sampled along
    another schedule than it was trained with.

    Args:
        network: `keras.Model` from noisy data `(batch, *data_shape)`, noise
            levels `(batch, 1)` and, in models with classes, one-hot labels
            `(batch, num_classes)` to tensors of the shape of the data.
        schedule: `keras_gen.diffusion` schedule or its name: `"linear"`,
            `"cosine"`, `"sigmoid"`, `"sigmoid_beta"`, `"rectified_flow"`,
            `"karras"`.
        prediction: What the network predicts: `"noise"`, `"data"`,
            `"velocity"`, `"flow"`, `"preconditioned"`, or an object.
        sampler: String, the sampler that `generate` uses by default.
        num_steps: Integer, the steps that `generate` takes by default, at most
            those of the schedule, or None for all of them, in continuous time
            50.
        label_dropout: Float in [0, 1), the share of samples whose label is
            hidden in training, so that the network also learns to do without:
            guidance needs it. Without classes it does nothing.
        ema_decay: Float in [0, 1) to sample with averaged weights, or None.
            0.9999 in the papers, whose trainings are a hundred times as long.
    """

    # Further channels that the network takes, and returns.
    self_conditioning = False
    has_condition = False
    learn_variance = False

    def __init__(
        self,
        network,
        schedule,
        prediction,
        sampler,
        num_steps=None,
        label_dropout=0.1,
        ema_decay=0.999,
        **kwargs,
    ):
        super().__init__(logs=("loss",), **kwargs)
        self.network = network
        self.schedule = get_schedule(schedule)
        self.prediction = get_prediction(prediction)
        if sampler not in SAMPLERS:  # a function could not be saved
            raise ValueError(
                f"`sampler` must be one of {sorted(SAMPLERS)}; `generate` also "
                f"takes functions. Received: sampler={sampler!r}"
            )
        self.sampler = sampler
        if num_steps is not None:
            num_steps = checks.check_positive_integer(num_steps, "num_steps")
        self.num_steps = num_steps
        if not 0 <= label_dropout < 1:
            raise ValueError(
                "`label_dropout` must be in [0, 1). Received: "
                f"label_dropout={label_dropout}"
            )
        self.label_dropout = label_dropout
        self._check_network()
        self._check_levels(self.schedule.levels(1.0)[0])
        self.noise_shape = self.data_shape
        self.average_weights(ema_decay, "network")
        # Past Keras's tracking: loops hold no weights of their own.
        object.__setattr__(self, "_loops", {})

    def _check_network(self):
        network = self.network
        num_inputs = len(getattr(network, "inputs", None) or [None])
        checks.check_network(network, "network", 1, max(2, min(num_inputs, 3)))
        taken, level, *labels = (t.shape[1:] for t in network.inputs)
        returned = network.outputs[0].shape[1:]
        channels = returned[-1] // (2 if self.learn_variance else 1)
        self.data_shape = (*returned[:-1], channels)
        own = channels * (2 if self.self_conditioning else 1)
        self.condition_channels = taken[-1] - own
        right = (
            level == (1,)
            and None not in returned
            and taken[:-1] == returned[:-1]
            and returned[-1] == channels * (1 + self.learn_variance)
            and (self.condition_channels > 0) == self.has_condition
            and self.condition_channels >= 0
        )
        if not right:
            raise ValueError(
                "`network` must turn noisy data and noise levels (batch, 1) "
                "into tensors of the known shape of the data. "
                f"{self._channels()} Received: inputs "
                f"{[t.shape for t in network.inputs]}, output "
                f"{network.outputs[0].shape}"
            )
        if labels:
            self.num_classes = labels[0][-1]

    def _channels(self):
        taken = ["the data"]
        if self.self_conditioning:
            taken.append("an estimate of them (`self_conditioning`)")
        if self.has_condition:
            taken.append("what `condition` returns")
        returned = "twice" if self.learn_variance else "once"
        return (
            f"The channels of the first input are {' and '.join(taken)}; it "
            f"returns those of the data {returned}."
        )

    def _check_levels(self, alpha):
        """Raise where the noise says nothing about the data."""
        if np.min(alpha) <= 0 and isinstance(self.prediction, NoisePrediction):
            raise ValueError(
                "Where a schedule ends in noise alone, alpha 0, predicting the "
                "noise says nothing about the data. With this schedule use "
                '`keras_gen.models.Diffusion` and the prediction "velocity", '
                '"data", "flow" or "preconditioned".'
            )

    @property
    def clips(self):
        """Bool, whether data are images, and estimates of them in [-1, 1]."""
        return len(self.data_shape) >= 3

    # What the network sees.

    def outputs(
        self,
        network,
        x,
        alpha,
        sigma,
        labels=None,
        estimate=None,
        condition=None,
        training=False,
    ):
        """Return what the network makes of noisy data, float32.

        Args:
            network: The model's network or its average.
            x: Tensor `(n, *data_shape)`.
            alpha: Tensor `(n, 1, ...)` of the rank of `x`.
            sigma: Tensor like `alpha`.
            labels: One-hot `(n, num_classes)`, zeros for "unknown".
            estimate: An earlier estimate of the data, for self-conditioning.
            condition: What the network is told besides.
            training: Bool.

        Returns:
            The output of the shape of `x`, and the share v of the larger
            variance, meant to be in [0, 1], or None where the network does not
            give it.
        """
        parts = [x / ops.sqrt(ops.square(alpha) + ops.square(sigma))]
        if self.self_conditioning:
            parts.append(estimate)
        if condition is not None:
            parts.append(condition)
        level = ops.clip(ops.log(sigma) - ops.log(alpha), -10.0, 10.0)
        inputs = [
            ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0],
            ops.reshape(level, (-1, 1)),
        ]
        if self.num_classes is not None:
            inputs.append(labels)
        output = ops.cast(network(inputs, training=training), "float32")
        if not self.learn_variance:
            return output, None
        output, v = ops.split(output, 2, axis=-1)
        return output, (v + 1.0) / 2.0

    def estimate(
        self, network, x, alpha, sigma, labels=None, before=None, condition=None
    ):
        """Return the network's estimate of the data, and v of `outputs`."""
        output, v = self.outputs(
            network, x, alpha, sigma, labels, before, condition
        )
        return self.prediction.data(x, output, alpha, sigma), v

    def add_noise(self, x, alpha, sigma):
        """Return alpha x + sigma noise, and the noise, for a training step.

        `alpha` and `sigma` of shape `(n,)` come back with the rank of `x`.
        """
        shape = (-1, *[1] * (len(x.shape) - 1))
        alpha, sigma = ops.reshape(alpha, shape), ops.reshape(sigma, shape)
        noise = keras.random.normal(ops.shape(x), seed=self.seed_generator)
        return alpha * x + sigma * noise, noise, alpha, sigma

    def training_labels(self, y, training):
        """Return one-hot labels, in training some of them hidden."""
        if self.num_classes is None:
            return None
        y = self.one_hot_batch(y)
        if not training or not self.label_dropout:
            return y
        u = keras.random.uniform((ops.shape(y)[0], 1), seed=self.seed_generator)
        return y * ops.cast(u >= self.label_dropout, "float32")

    # Sampling.

    def generate(
        self,
        num_samples,
        labels=None,
        seed=None,
        batch_size=None,
        use_ema=None,
        sampler=None,
        num_steps=None,
        guidance_scale=1.0,
        guidance_interval=None,
        schedule=None,
        condition=None,
        on_step=None,
    ):
        """Draw new samples.

        Args:
            num_samples: Integer of at least 1.
            labels: Integer or `num_samples` integers in [0, num_classes), or
                None for models that are not conditional, and with a
                `guidance_scale` of 0.
            seed: Integer: the same seed gives the same samples, whatever the
                batch size and, within float tolerance, the backend. None for
                a new draw.
            batch_size: Integer, how many to compute at once; 128 by default.
            use_ema: Bool, whether to use averaged weights; None for "if the
                model keeps any".
            sampler: String, `"ddpm"`, `"ddim"`, `"euler"`, `"heun"`,
                `"flow_heun"`, `"dpmpp_2m"`, `"dpmpp_2m_sde"`, or a function
                from alphas and sigmas to a plan, such as
                `functools.partial(keras_gen.diffusion.ddim, eta=0.5)`. None
                for the model's own.
            num_steps: Integer, or None for the model's own.
            guidance_scale: Float w: the estimate is D_u + w (D_c - D_u), of
                the network with the labels and without. 0 ignores them, 1 is
                the network with labels, more exaggerates what they change.
            guidance_interval: Tuple (low, high): w counts where sigma / alpha
                is in (low, high], and elsewhere it is 1. None for everywhere.
            schedule: Another schedule to sample along, or None.
            condition: Array of what the network is told, one for each sample,
                for models built with `condition`.
            on_step: Callable of four arguments, called after each evaluation
                of the network: its number from 0, how many there are, x, and
                the estimate of the data, of the samples computed at once. The
                loop is then not compiled as one program. None for no calls.

        Returns:
            float32 array `(num_samples, *data_shape)`, images in [-1, 1].

        Reference:
            Ho and Salimans, Classifier-Free Diffusion Guidance, 2022,
            arXiv:2207.12598; Kynkaanniemi et al., 2024, arXiv:2404.07724, for
            the interval.
        """
        checks.check_positive_integer(num_samples, "num_samples")
        alphas, sigmas = self.path(num_steps, schedule)
        streams = noise_streams(num_samples, seed)
        x = draw(streams, self.data_shape)
        return self.sample_along(
            x * np.float32(np.hypot(alphas[0], sigmas[0])),
            get_sampler(self._default(sampler))(alphas, sigmas),
            labels=labels,
            streams=streams,
            batch_size=batch_size,
            use_ema=use_ema,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            condition=condition,
            on_step=on_step,
        )

    def _default(self, sampler):
        sampler = self.sampler if sampler is None else sampler
        if self.learn_variance and sampler == "ddpm":
            return lambda *levels: get_sampler("ddpm")(*levels, "learned")
        return sampler

    def path(self, num_steps=None, schedule=None, start=1.0, default=None):
        """Return the levels of sampling, from noise to data.

        Args:
            num_steps: Integer, or None for the share `start` of `default`, or
                else of the model's own, not more than the schedule has there.
            schedule: Schedule or its name, or None for the model's own.
            start: Float in (0, 1], the time to start from.
            default: Integer or None.

        Returns:
            alphas and sigmas, float64 arrays `(num_steps + 1,)`.
        """
        schedule = self.schedule if schedule is None else get_schedule(schedule)
        if num_steps is None:
            all_steps = getattr(schedule, "num_steps", None)
            num_steps = default or self.num_steps or all_steps or 50
            if all_steps is not None:
                num_steps = min(num_steps, all_steps)
            num_steps = max(1, round(start * num_steps))
        alphas, sigmas = schedule.grid(num_steps, start)
        self._check_levels(alphas)
        return alphas, sigmas

    def sample_along(
        self,
        x,
        plan,
        labels=None,
        streams=None,
        batch_size=None,
        use_ema=None,
        guidance_scale=1.0,
        guidance_interval=None,
        condition=None,
        on_step=None,
        clip=True,
        extra=None,
    ):
        """Carry a plan out on `x`; arguments are those of `generate`."""
        n = len(x)
        batch_size = 128 if batch_size is None else batch_size
        checks.check_positive_integer(batch_size, "batch_size")
        if plan.learned and not self.learn_variance:
            raise ValueError(
                "This network does not give a variance: it was not built with "
                "`learn_variance=True`."
            )
        weights = _guidance(plan, guidance_scale, guidance_interval)
        inputs = dict(extra or {})
        guided = bool((weights != 1.0).any())
        if guided and self.num_classes is not None and not self.label_dropout:
            raise ValueError(
                "Guidance needs a network that has learned to do without "
                "labels: train it with `label_dropout` above 0. Received: "
                f"guidance_scale={guidance_scale}"
            )
        if self.num_classes is not None and (weights == 0).all():
            guided = False
            inputs["labels"] = np.zeros((n, self.num_classes), "float32")
        elif self.num_classes is not None:
            inputs["labels"] = self.one_hot(labels, n)
        elif labels is not None or guided:
            raise ValueError(
                f"`{type(self).__name__}` is not conditional: its network "
                "takes no labels, and there is nothing to guide. Received: "
                f"labels={labels!r}, guidance_scale={guidance_scale}"
            )
        if self.has_condition or condition is not None:
            inputs["condition"] = self._check_condition(condition, n)
        clip = clip and self.clips
        network = self.sampling_network("network", use_ema)
        key = (id(network), plan.learned, guided, clip)
        if key not in self._loops:
            self._loops[key] = SamplingLoop(
                self, network, plan.learned, guided, clip
            )
        return run_plan(
            self._loops[key],
            x,
            plan,
            weights,
            streams,
            inputs,
            batch_size,
            on_step,
        )

    def _check_condition(self, condition, n):
        shape = (*self.data_shape[:-1], self.condition_channels)
        if not self.has_condition:
            raise ValueError("This model was not built with `condition`.")
        received = None if condition is None else np.shape(condition)
        if received != (n, *shape):
            raise ValueError(
                "This model restores what `condition` leaves of its data, and "
                "`generate`, `edit` and `inpaint` need it, an array of shape "
                f"{(n, *shape)}; other methods do not take it. Received: shape "
                f"{received}"
            )
        condition = np.asarray(condition)
        checks.check_batch(condition, shape, "condition")
        return condition.astype("float32")

    def from_noise(
        self, noise, labels=None, batch_size=None, use_ema=None, num_steps=None
    ):
        """Turn starting noise into samples without any more noise.

        Args:
            noise: Array `(n, *data_shape)`, standard normal.
            labels: Integer array `(n,)` or integer, for conditional models.
            batch_size: Integer, how many to compute at once.
            use_ema: Bool or None, see `generate`.
            num_steps: Integer, or None for the model's own.

        Returns:
            float32 array of the shape of `noise`.
        """
        alphas, sigmas = self.path(num_steps)
        noise = np.asarray(noise, "float32")
        return self.sample_along(
            noise * np.float32(np.hypot(alphas[0], sigmas[0])),
            get_sampler("ddim")(alphas, sigmas),
            labels=labels,
            batch_size=batch_size,
            use_ema=use_ema,
        )

    def denoising_trajectory(self, num_samples, num_frames=8, **arguments):
        """Return samples on their way from noise to data.

        Args:
            num_samples: Integer.
            num_frames: Integer of at least 2, moments to show.
            **arguments: Passed to `generate`.

        Returns:
            float32 array `(num_samples, num_frames, *data_shape)`, images in
            [-1, 1]: the estimates of the data, from the first to the last
            evaluation.
        """
        if checks.check_positive_integer(num_frames, "num_frames") < 2:
            raise ValueError("`num_frames` must be at least 2. Received: 1")
        frames = []

        def keep(i, total, x, data):
            # An evaluation is shown as often as it is the nearest to a frame.
            chosen = np.rint(np.linspace(0, total - 1, num_frames))
            frames.extend([data] * int((chosen == i).sum()))

        arguments = {**arguments, "batch_size": num_samples}
        self.generate(num_samples, on_step=keep, **arguments)
        frames = np.stack(frames, axis=1)
        return np.clip(frames, -1.0, 1.0) if self.clips else frames

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "network": serialize(self.network),
            "schedule": serialize(self.schedule),
            "prediction": serialize(self.prediction),
            "sampler": self.sampler,
            "num_steps": self.num_steps,
            "label_dropout": self.label_dropout,
            "ema_decay": self.ema_decay,
        }


def _guidance(plan, scale, interval):
    """Return the guidance weight of each evaluation, float64 `(K,)`."""
    if not np.isfinite(scale):
        raise ValueError(
            "`guidance_scale` must be finite. Received: "
            f"guidance_scale={scale!r}"
        )
    weights = np.full(len(plan), float(scale))
    if interval is None:
        return weights
    if np.shape(interval) != (2,) or not 0 <= interval[0] < interval[1]:
        raise ValueError(
            "`guidance_interval` must be two numbers, 0 <= low < high. "
            f"Received: guidance_interval={interval!r}"
        )
    with np.errstate(divide="ignore"):
        level = plan.sigma / plan.alpha
    weights[(level <= interval[0]) | (level > interval[1])] = 1.0
    return weights
