"""Coupled generative adversarial networks."""

import keras
from keras import ops

from keras_gen import checks
from keras_gen.training.adversarial import AdversarialModel


@keras.saving.register_keras_serializable("keras_gen")
class CoGAN(AdversarialModel):
    """Draw pairs of two domains without ever having seen a pair.

        G_i(z) = head_i(trunk(z)),    D_i(x) = trunk'(front_i(x)),    i = 1, 2

    Both generators get the same z and share their first layers, where it is
    decided what to draw; both discriminators share their last ones. Each pair
    plays a GAN of its own, and the losses are added:

        D down  sum_i  its loss on x_i and G_i(z)
        G down  sum_i  its loss on G_i(z)

    Samples are pairs stacked along the first axis, `(2, height, width,
    channels)`. In training the two of a pair need not belong together.

    Args:
        generator_trunk: `keras.Model` from latents `(batch, latent_dim)` to
            features.
        generator_heads: Two `keras.Model` from these features to samples.
        discriminator_fronts: Two `keras.Model` from samples to features.
        discriminator_trunk: `keras.Model` from these to logits `(batch, 1)`.
        **kwargs: See `keras_gen.training.adversarial.AdversarialModel`;
            `feature_matching` does not apply, and penalties must have
            `center=0`, R1 or R2: they see the slope of a pair.

    Raises:
        ValueError: If the networks do not fit each other or an argument is
            out of range.

    Reference:
        Liu and Tuzel, Coupled Generative Adversarial Networks, 2016,
        arXiv:1606.07536.
    """

    num_logits = 2

    def __init__(
        self,
        generator_trunk,
        generator_heads,
        discriminator_fronts,
        discriminator_trunk,
        **kwargs,
    ):
        if kwargs.get("feature_matching") is not None:
            raise ValueError("`feature_matching` does not apply to `CoGAN`.")
        parts = {
            "generator_trunk": generator_trunk,
            "generator_heads": list(generator_heads),
            "discriminator_fronts": list(discriminator_fronts),
            "discriminator_trunk": discriminator_trunk,
        }
        for name, part in parts.items():
            if isinstance(part, list) and len(part) != 2:
                raise ValueError(
                    f"`{name}` must be two networks. Received: {len(part)}"
                )
            for network in part if isinstance(part, list) else [part]:
                checks.check_network(network, name)
        shapes = [head.outputs[0].shape[1:] for head in generator_heads]
        shapes += [front.inputs[0].shape[1:] for front in discriminator_fronts]
        if len(set(shapes)) > 1:
            raise ValueError(
                "All heads must return, and all fronts take, samples of one "
                f"shape. Received: {shapes}"
            )
        z = keras.Input(generator_trunk.inputs[0].shape[1:])
        features = generator_trunk(z)
        pair = ops.stack([head(features) for head in generator_heads], axis=1)
        x = keras.Input((2, *shapes[0]))
        logits = [
            discriminator_trunk(front(ops.take(x, i, axis=1)))
            for i, front in enumerate(discriminator_fronts)
        ]
        super().__init__(
            keras.Model(z, pair),
            keras.Model(x, ops.concatenate(logits, axis=-1)),
            **kwargs,
        )
        if any(penalty.center != 0 for penalty in self.penalties):
            raise ValueError(
                "The slope at a pair joins those of both discriminators, so a "
                "penalty of `CoGAN` must have `center=0`."
            )
        # Past Keras's tracking: they are layers of the networks already.
        object.__setattr__(self, "parts_of_networks", parts)
        for name, part in parts.items():
            object.__setattr__(self, name, part)

    def augmented(self, x, training):
        """Return both images of each pair, each augmented by itself."""
        images = ops.reshape(x, (-1, *self.data_shape[1:]))
        images = super().augmented(images, training)
        return ops.reshape(images, (-1, *self.data_shape))

    def discriminator_loss(self, x, fake, y, training):
        r, f = self.logits(x, y, training), self.logits(fake, y, training)
        # The mean over two columns of logits, doubled: the sum of two losses.
        loss = 2.0 * self.adversarial_loss.discriminator(r, f)
        self.adapt(r, training)
        return {
            "loss": loss + self.penalty_term(x, fake, y, training),
            "real_logit": ops.mean(r),
            "fake_logit": ops.mean(f),
        }

    def generator_loss(self, x, fake, y, training):
        f, r = self.logits(fake, y, training), None
        if self.adversarial_loss.paired:
            r = self.logits(x, y, training)
        return 2.0 * self.adversarial_loss.generator(f, r)

    def get_config(self):
        config = super().get_config()
        del config["generator"], config["discriminator"]
        serialize = keras.saving.serialize_keras_object
        parts = {k: serialize(v) for k, v in self.parts_of_networks.items()}
        return {**config, **parts}
