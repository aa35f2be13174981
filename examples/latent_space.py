"""Look into a latent space: six pictures of what a VAE has learned.

    python examples/latent_space.py                    # digits of 8x8 pixels
    python examples/latent_space.py --dataset mnist

Trains a VAE, a VAE with 2 latents and a conditional VAE, and writes into
runs/latent_space/
  reconstructions.png   test images, and below each what the VAE makes of it
  interpolations.png    from one test image to another, along a great circle
  traversals.png        a test image with one latent after the other changed
  map.png               what lies where in the space of 2 latents
  inpainted.png         test images, their upper halves, three completions
  styles.png            a row for each test image: its style in every digit
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid


def train(model, data, epochs):
    """Train with a learning rate that falls to zero."""
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(data))
    model.compile(keras.optimizers.Adam(rate))
    model.fit(data, epochs=epochs, verbose=2)
    return model


def networks(shape, latent_dim, num_classes=None):
    """Return a fully connected encoder and decoder."""
    options = {"units": (512, 256), "num_classes": num_classes}
    return (
        kg.nets.dense_encoder(shape, latent_dim, outputs=2, **options),
        kg.nets.dense_decoder(shape, latent_dim, **options),
    )


def main():
    """Train the models and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int)
    args = parser.parse_args()
    out = Path("runs") / "latent_space"
    out.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(0)
    labelled = kg.data.load(args.dataset, batch_size=64)
    data = kg.data.load(args.dataset, batch_size=64, labels=False)
    test = kg.data.load(args.dataset, "test", batch_size=64)
    (x, y), shape = test[0], data.element_shape
    epochs = args.epochs or max(15, 100_000 // len(data.images))
    likelihood = "bernoulli" if shape[0] >= 16 else kg.losses.Gaussian(0.35)
    options = {"likelihood": likelihood}

    vae = train(kg.models.VAE(*networks(shape, 16), **options), data, epochs)
    rows = np.concatenate([x[:10], vae.reconstruct(x[:10])])
    save_grid(out / "reconstructions.png", rows, columns=10)

    paths = vae.interpolate(x[:8], x[8:16], steps=10, spherical=True)
    save_grid(out / "interpolations.png", paths.reshape(-1, *shape), columns=10)

    spread = vae.encode(x).var(axis=0)
    used = np.argsort(-spread)[:8]
    images = vae.traverse(x[:1], used, np.linspace(-3, 3, 9))
    save_grid(out / "traversals.png", images.reshape(-1, *shape), columns=9)

    known = np.zeros(shape, bool)
    known[: shape[0] // 2] = True
    rows = [x[:10], np.where(known, x[:10], -1.0)]
    rows += [vae.inpaint(x[:10], known, seed=seed) for seed in range(3)]
    save_grid(out / "inpainted.png", np.concatenate(rows), columns=10)

    flat = train(kg.models.VAE(*networks(shape, 2), **options), data, epochs)
    images = flat.latent_map(15).reshape(-1, *shape)
    save_grid(out / "map.png", images, columns=15)

    classes = labelled.num_classes
    # With one prior for all labels, few latents are left with what the label
    # does not say: the style.
    conditional = kg.models.ConditionalVAE(
        *networks(shape, 8, classes), **options
    )
    train(conditional, labelled, epochs)
    codes = conditional.encode(x[:10], y[:10])
    rows = []
    for image, code in zip(x, codes, strict=False):
        styled = conditional.decode(
            np.repeat(code[None], classes, axis=0), range(classes)
        )
        rows += [image[None], styled]
    save_grid(out / "styles.png", np.concatenate(rows), columns=classes + 1)
    print(f"Look at the pictures in {out}")


if __name__ == "__main__":
    main()
