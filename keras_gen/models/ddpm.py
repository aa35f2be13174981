"""Denoising diffusion probabilistic model."""

import keras
from keras import ops

from keras_gen.training.denoising import DenoisingModel


@keras.saving.register_keras_serializable("keras_gen")
class DDPM(DenoisingModel):
    """Learn which noise was added to an image, and remove it step by step.

        x_t = alpha_t x_0 + sigma_t noise,     t uniform in 1, ..., T
        L = E |noise - noise_hat(x_t, t)|^2,   mean over data dimensions

    A sample starts from noise at t = T and walks back, see
    `keras_gen.diffusion.ddpm`; or faster with another sampler:
    `generate(16, sampler="dpmpp_2m", num_steps=20)`.

    With classes the label is hidden for some samples, so that the network
    learns both to use it and to do without, which `guidance_scale` needs.

    Args:
        network: `keras.Model` that predicts the noise, such as
            `keras_gen.nets.unet`, see
            `keras_gen.training.denoising.DenoisingModel`.
        schedule: A schedule or its name, see `DenoisingModel`.
        sampler: String, the sampler of `generate` by default.
        **kwargs: See `DenoisingModel`: `num_steps`, `label_dropout`,
            `ema_decay`.

    Raises:
        ValueError: If the network does not fit, or the schedule ends in noise
            alone.

    Reference:
        Ho et al., Denoising Diffusion Probabilistic Models, 2020,
        arXiv:2006.11239.

    Example:
    >>> model = DDPM(keras_gen.nets.unet((28, 28, 1), num_classes=10))
    >>> model.compile(keras.optimizers.Adam(2e-4))
    >>> model.generate(10, labels=range(10), num_steps=5, seed=0).shape
    (10, 28, 28, 1)
    """

    def __init__(self, network, schedule="linear", sampler="ddpm", **kwargs):
        super().__init__(network, schedule, "noise", sampler, **kwargs)

    def objective(self, x, y, training):
        alpha, sigma = self.schedule.draw(ops.shape(x)[0], self.seed_generator)
        x_t, noise, alpha, sigma = self.add_noise(x, alpha, sigma)
        y = self.training_labels(y, training)
        noise_hat, _ = self.outputs(
            self.network, x_t, alpha, sigma, y, training=training
        )
        return {"loss": ops.mean(ops.square(noise - noise_hat))}

    def get_config(self):
        config = super().get_config()
        del config["prediction"]
        return config
