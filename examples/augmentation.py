"""Do generated digits help a classifier that has few real ones?

    KERAS_BACKEND=tensorflow python examples/augmentation.py

Takes 100 or 1,000 labelled digits of 8x8 pixels and trains on them alone a
conditional VAE, GAN and DDPM, which then draw no, as many, or five times as
many labelled digits. A classifier learns from the real and the drawn ones
together. Prints its accuracy on the test digits, mean and standard deviation
over five seeds, each with its own choice of real digits, and writes
`runs/augmentation.json`.
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.recipes import RECIPES

# How long each learns, in steps of at most 64 digits.
STEPS = {"conditional_vae": 3000, "conditional_gan": 3000, "ddpm": 3000}
FACTORS = (1, 5)


def choose(data, n, seed):
    """Return n digits, as many of each class, and their labels."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.labels))
    rows = np.concatenate(
        [order[data.labels[order] == c][: n // 10] for c in range(10)]
    )
    return data.images[rows], data.labels[rows]


def accuracy(images, labels, test, steps, seed):
    """Return the accuracy of a classifier on the test digits."""
    return kg.metrics.classification_accuracy_score(
        images, labels, *test, steps=steps, seed=seed
    )


def one_seed(n, seed, share):
    """Return accuracies of one choice of n real digits."""
    test = kg.data.load("digits", "test", batch_size=1000)[0]
    real, labels = choose(kg.data.load("digits"), n, seed)
    steps = max(1, int(500 * share))
    results = {"real only": accuracy(real, labels, test, steps, seed)}
    data = kg.data.ImageDataset(real, labels, batch_size=64, seed=seed)
    for name, count in STEPS.items():
        keras.utils.set_random_seed(seed)
        model = RECIPES[name](data.element_shape, 10, n)
        epochs = max(1, int(share * count / len(data)))
        model.fit(data, epochs=epochs, verbose=0)
        options = {"num_steps": 50} if name == "ddpm" else {}
        if options:
            options["sampler"] = "dpmpp_2m"
        for factor in FACTORS:
            more = np.arange(n * factor) % 10
            drawn = model.generate(len(more), labels=more, seed=seed, **options)
            results[f"{name}, {factor}x"] = accuracy(
                np.concatenate([real, drawn]),
                np.concatenate([labels, more]),
                test,
                steps,
                seed,
            )
    return results


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--share", type=float, default=1.0, help="of all steps, for a trial"
    )
    args = parser.parse_args()
    table = {}
    for n in (100, 1000):
        for seed in range(args.seeds):
            for name, value in one_seed(n, seed, args.share).items():
                table.setdefault(name, {}).setdefault(n, []).append(value)
                print(f"{n} real, seed {seed}: {name} {value:.4f}", flush=True)
    for name, row in table.items():
        cells = [
            f"{np.mean(v):.4f} ± {np.std(v, ddof=len(v) > 1):.4f}"
            for v in row.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    out = Path("runs/augmentation.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
