"""Why nobody trains the generator to minimise ln(1 - D(G(z))).

The generator stands still while the discriminator learns to tell its samples
from digits. How long is the gradient that the generator would get? With the
minimax loss it vanishes as the discriminator gets better, with the
non-saturating loss it does not (Goodfellow et al., 2014, section 3; Arjovsky
and Bottou, 2017, arXiv:1701.04862).

    KERAS_BACKEND=tensorflow python examples/vanishing_gradient.py
"""

from pathlib import Path

import keras
import matplotlib.pyplot as plt

import keras_gen as kg

OUT = Path("runs/vanishing_gradient.png")
LOSSES = ("minimax", "non_saturating")


def gradients(loss, epochs):
    """Return the mean norm of the generator's gradient in each epoch."""
    keras.utils.set_random_seed(0)
    data = kg.data.load("digits", batch_size=64)
    model = kg.models.GAN(
        kg.nets.dense_generator(data.element_shape, latent_dim=32),
        kg.nets.dense_discriminator(data.element_shape),
        loss=loss,
        log_gradients=True,
    )
    model.compile(
        {
            "discriminator": keras.optimizers.Adam(2e-4, beta_1=0.5),
            "generator": keras.optimizers.SGD(0.0),
        }
    )
    return model.fit(data, epochs=epochs, verbose=0).history[
        "generator_gradient"
    ]


def main(epochs=40):
    """Plot both curves, and print where they start and end."""
    figure, axes = plt.subplots(figsize=(6, 4))
    for loss in LOSSES:
        norms = gradients(loss, epochs)
        axes.semilogy(range(1, epochs + 1), norms, label=loss)
        print(f"{loss}: {norms[0]:.3g} in epoch 1, {norms[-1]:.3g} at the end")
    axes.set_xlabel("epochs of the discriminator, generator standing still")
    axes.set_ylabel("norm of the generator's gradient")
    axes.legend()
    OUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUT, dpi=120, bbox_inches="tight")
    print(f"look at {OUT}")


if __name__ == "__main__":
    main()
