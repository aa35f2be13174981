"""Flow matching."""

import keras
from keras import ops

from keras_gen.training.denoising import DenoisingModel


@keras.saving.register_keras_serializable("keras_gen")
class FlowMatching(DenoisingModel):
    """Learn the velocity of straight paths from noise to data.

        x_t = (1 - t) x_0 + t noise,      t from 0 to 1
        L = E |noise - x_0 - u(x_t, t)|^2,   mean over data dimensions

    The best u is the mean velocity of all paths through x_t. A sample starts
    from noise at t = 1 and follows dx/dt = u back to t = 0. Here 0 is data;
    much of the literature lets time run the other way.

    Args:
        network: `keras.Model` that predicts the velocity, see
            `keras_gen.training.denoising.DenoisingModel`.
        schedule: A schedule or its name; `"rectified_flow"` is the straight
            one, and `keras_gen.diffusion.RectifiedFlow("logit_normal")` trains
            more on the middle of it.
        sampler: String, the sampler of `generate` by default: `"euler"`, or
            `"flow_heun"` of order 2, with two evaluations a step.
        num_steps: Integer, the steps of `generate` by default.
        **kwargs: See `DenoisingModel`: `label_dropout`, `ema_decay`.

    Raises:
        ValueError: If the network does not fit.

    Reference:
        Lipman et al., Flow Matching for Generative Modeling, 2022,
        arXiv:2210.02747; Liu et al., Flow Straight and Fast, 2022,
        arXiv:2209.03003.

    Example:
    >>> model = FlowMatching(keras_gen.nets.unet((28, 28, 1)))
    >>> model.compile(keras.optimizers.Adam(2e-4))
    >>> model.generate(4, num_steps=10, seed=0).shape
    (4, 28, 28, 1)
    """

    def __init__(
        self,
        network,
        schedule="rectified_flow",
        sampler="euler",
        num_steps=50,
        **kwargs,
    ):
        super().__init__(
            network, schedule, "flow", sampler, num_steps, **kwargs
        )

    def objective(self, x, y, training):
        alpha, sigma = self.schedule.draw(ops.shape(x)[0], self.seed_generator)
        x_t, noise, alpha, sigma = self.add_noise(x, alpha, sigma)
        y = self.training_labels(y, training)
        velocity, _ = self.outputs(
            self.network, x_t, alpha, sigma, y, training=training
        )
        return {"loss": ops.mean(ops.square(noise - x - velocity))}

    def get_config(self):
        config = super().get_config()
        del config["prediction"]
        return config
