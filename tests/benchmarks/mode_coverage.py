"""How many modes of a mixture each game reaches, with and without help.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.mode_coverage ring

Generator 2-400-400-400-400-2, ReLU with batch normalisation; discriminator
2-200-200-200-1, ReLU; batch 100; Adam 1e-4, beta_1 0.8: the settings of Lin et
al., PacGAN, 2018 (arXiv:1712.04086), with ReLU in place of maxout. 2,500
samples; a covered mode has one within 3 standard deviations. Prints the mean
and standard deviation over the seeds.
"""

import argparse
import time

import keras
import numpy as np
from keras import layers

import keras_gen as kg
from keras_gen.data.toy import MIXTURES


def r1_and_r2(gamma):
    return [
        kg.losses.GradientPenalty(gamma / 2, at=at, center=0.0)
        for at in ("real", "fake")
    ]


CONFIGURATIONS = {
    "non_saturating": {},
    "non_saturating + minibatch discrimination": {"minibatch": True},
    "wasserstein + gradient penalty": {
        "loss": "wasserstein",
        "penalty": kg.losses.GradientPenalty(0.1),
    },
    "relativistic": {"loss": "relativistic"},
    "relativistic + R1 + R2": {
        "loss": "relativistic",
        "penalty": r1_and_r2(0.1),
    },
}


def build(minibatch=False, **arguments):
    z, x = keras.Input((2,)), keras.Input((2,))
    h = z
    for _ in range(4):
        h = layers.Dense(400, use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))
    generator = keras.Model(z, layers.Dense(2)(h))
    h = x
    for _ in range(3):
        h = layers.Dense(200, activation="relu")(h)
    if minibatch:
        h = kg.layers.MinibatchDiscrimination(50, 5)(h)
    discriminator = keras.Model(x, layers.Dense(1)(h))
    model = kg.models.GAN(
        generator, discriminator, ema_decay=0.999, **arguments
    )
    model.compile(keras.optimizers.Adam(1e-4, beta_1=0.8))
    return model


def run(dataset, arguments, seed, epochs):
    """Train once; return modes covered, share of good samples and KL."""
    keras.utils.set_random_seed(seed)
    data = kg.data.load(dataset, batch_size=100, labels=False)
    model = build(**arguments)
    model.fit(data, epochs=epochs, verbose=0)
    means, std = MIXTURES[dataset]
    samples = model.generate(2_500, seed=seed, batch_size=2_500)
    return kg.metrics.mode_counts(samples, means, std)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", choices=MIXTURES)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="a part of the configuration's name")
    args = parser.parse_args()
    for name, arguments in CONFIGURATIONS.items():
        if args.only and args.only not in name:
            continue
        start = time.perf_counter()
        results = [
            run(args.dataset, arguments, seed, args.epochs)
            for seed in range(args.seeds)
        ]
        seconds = (time.perf_counter() - start) / args.seeds
        text = ", ".join(
            f"{key} {np.mean(values):.3f} ± {np.std(values):.3f}"
            for key in ("modes", "high_quality", "kl")
            for values in [[result[key] for result in results]]
        )
        print(f"{name}: {text} ({seconds:.0f} s a run)", flush=True)


if __name__ == "__main__":
    main()
