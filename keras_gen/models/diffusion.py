"""Diffusion model with every choice open."""

import math

import keras
from keras import ops

from keras_gen.diffusion import get_weighting
from keras_gen.training.denoising import DenoisingModel
from keras_gen.training.variational import VariationalBound


@keras.saving.register_keras_serializable("keras_gen")
class Diffusion(DenoisingModel):
    """Learn to remove noise: any schedule, any prediction, any weighting.

        x_t = alpha_t x_0 + sigma_t noise
        L = E w(t) |target(x_0, noise, t) - output(x_t, t)|^2

    a mean over data dimensions. `DDPM` and `FlowMatching` are two of these
    models written out.

    Args:
        network: `keras.Model`, see
            `keras_gen.training.denoising.DenoisingModel`.
        schedule: Schedule or its name, see `keras_gen.diffusion`.
        prediction: Prediction or its name.
        weighting: `"output"`, `"simple"`, `"min_snr"`, `"p2"` or a
            `keras_gen.diffusion.Weighting`.
        self_conditioning: Bool, whether the network also sees an estimate of
            the data, its own of a moment ago: in half of training, for the
            rest zeros. Its first input then has twice the channels.
        learn_variance: Bool, whether the network chooses the variance of
            `"ddpm"` between its bounds; it then returns twice the channels,
            and 0.001 L_vlb / D is added to the loss, without a gradient for
            the mean. L_vlb in nats is the bound of `VariationalBound`, T times
            one of its terms. Needs a discrete schedule.
        condition: Layer from images to what the network sees of them besides,
            of the same height and width, such as
            `keras_gen.layers.LowResolution(4)` for super-resolution; the
            channels of its first input grow by those. None for nothing.
        sampler: String, the sampler of `generate` by default.
        num_steps: Integer, the steps of `generate` by default.
        **kwargs: See `DenoisingModel`: `label_dropout`, `ema_decay`.

    Raises:
        ValueError: If the network does not fit, or predicts noise where the
            schedule ends in noise alone.

    Reference:
        Kingma and Gao, Understanding Diffusion Objectives as the ELBO with
        Simple Data Augmentation, 2023, arXiv:2303.00848; Chen et al., Analog
        Bits, 2022, arXiv:2208.04202 (self-conditioning); Nichol and Dhariwal,
        2021, arXiv:2102.09672 (learned variance); Saharia et al., Image
        Super-Resolution via Iterative Refinement, 2021, arXiv:2104.07636
        (condition).
    """

    def __init__(
        self,
        network,
        schedule="cosine",
        prediction="velocity",
        weighting="output",
        self_conditioning=False,
        learn_variance=False,
        condition=None,
        sampler="dpmpp_2m",
        num_steps=30,
        **kwargs,
    ):
        self.self_conditioning = self_conditioning
        self.learn_variance = learn_variance
        self.has_condition = condition is not None
        super().__init__(
            network,
            schedule,
            prediction,
            sampler,
            num_steps,
            **kwargs,
        )
        if condition is not None:
            made = condition(keras.Input(self.data_shape)).shape[1:]
            if made != (*self.data_shape[:-1], self.condition_channels):
                raise ValueError(
                    f"`condition` makes {made} of images {self.data_shape}. "
                    f"{self._channels()} Received: network input of shape "
                    f"{network.inputs[0].shape}"
                )
        self.condition = condition
        self.weighting = get_weighting(weighting)
        if learn_variance:
            bound = VariationalBound(self.schedule, "learned")
            object.__setattr__(self, "bound", bound)

    def objective(self, x, y, training):
        n = ops.shape(x)[0]
        if self.learn_variance:
            steps = self.schedule.draw_steps(n, self.seed_generator)
            alpha, sigma = self.schedule.levels_of_steps(steps)
        else:
            alpha, sigma = self.schedule.draw(n, self.seed_generator)
        x_t, noise, alpha, sigma = self.add_noise(x, alpha, sigma)
        y = self.training_labels(y, training)
        condition = None if self.condition is None else self.condition(x)
        estimate = self.first_estimate(x_t, alpha, sigma, y, condition)
        output, v = self.outputs(
            self.network, x_t, alpha, sigma, y, estimate, condition, training
        )
        target = self.prediction.target(x, noise, alpha, sigma)
        weight = self.weighting(self.prediction, alpha, sigma)
        loss = ops.mean(weight * ops.square(target - output))
        if self.learn_variance:
            data = self.prediction.data(x_t, output, alpha, sigma)
            terms = self.bound(x, x_t, ops.stop_gradient(data), steps, v)
            dims = math.prod(self.data_shape)
            vlb = self.schedule.num_steps * ops.mean(terms) / dims
            loss = loss + 0.001 * vlb
        return {"loss": loss}

    def first_estimate(self, x_t, alpha, sigma, y, condition):
        """Return the estimate that self-conditioning shows, half of it 0."""
        if not self.self_conditioning:
            return None
        data, _ = self.estimate(
            self.network, x_t, alpha, sigma, y, ops.zeros_like(x_t), condition
        )
        if self.clips:
            data = ops.clip(data, -1.0, 1.0)
        u = keras.random.uniform(ops.shape(alpha), seed=self.seed_generator)
        return ops.stop_gradient(data) * ops.cast(u < 0.5, "float32")

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "weighting": serialize(self.weighting),
            "self_conditioning": self.self_conditioning,
            "learn_variance": self.learn_variance,
            "condition": serialize(self.condition),
        }
