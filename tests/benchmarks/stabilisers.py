"""What each stabiliser of a GAN costs, as a ratio to the step without it.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.stabilisers

A small convolutional GAN on 28x28 pixels, batches of 128 in memory. The plain
game and the one with a stabiliser take turns to go first; the ratio is the
median of those of neighbouring runs. 2 means that a step takes twice as long.
The last line is the share of the plain step that drawing one batch takes: what
is saved as the generator's step uses the samples that the discriminator saw,
and does not draw its own. `--steps` in multiples of 4, for the lazy penalty.
"""

import argparse

import keras
import numpy as np
from keras import layers

import keras_gen as kg
from tests.benchmarks.steps import BATCH
from tests.benchmarks.steps import Batches
from tests.benchmarks.steps import text
from tests.benchmarks.steps import timed

SHAPE = (28, 28, 1)


def discriminator(conv=layers.Conv2D, last=None):
    x = inputs = keras.Input(SHAPE)
    for filters in (32, 64):
        x = layers.LeakyReLU(0.2)(
            conv(filters, 4, strides=2, padding="same")(x)
        )
    x = layers.Flatten(name="features")(x)
    x = x if last is None else last(x)
    return keras.Model(inputs, layers.Dense(1)(x))


def generator(norm=layers.BatchNormalization, reference=0):
    z = keras.Input((64,))
    x = kg.layers.ReferenceBatch(reference)(z) if reference else z
    x = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64)(x))
    for filters in (64, 32):
        x = layers.ReLU()(norm()(x))
        x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same")(x)
    x = layers.Conv2D(1, 3, padding="same", activation="tanh")(x)
    if reference:
        x = kg.layers.DropReference(reference)(x)
    return keras.Model(z, x)


def penalty(**arguments):
    return {"penalty": lambda: kg.losses.GradientPenalty(1.0, **arguments)}


# Each with the discriminator, the generator and arguments of the model.
STABILISERS = {
    "k = 2": {"discriminator_steps": 2},
    "gradient penalty": penalty(),
    "R1": penalty(at="real", center=0.0),
    "R1 every 4 steps": penalty(at="real", center=0.0, every=4),
    "feature matching": {"feature_matching": "features"},
    "minibatch discrimination": {
        "discriminator": lambda: discriminator(
            last=kg.layers.MinibatchDiscrimination(20, 5)
        )
    },
    "minibatch standard deviation": {
        "discriminator": lambda: discriminator(last=kg.layers.MinibatchStd())
    },
    "historical averaging": {"historical_averaging": 0.1},
    "virtual batch normalisation": {
        "generator": lambda: generator(
            lambda: kg.layers.VirtualBatchNormalization(BATCH), BATCH
        )
    },
    "label smoothing": {"label_smoothing": 0.1},
    "replay": {"replay": lambda: kg.layers.ImagePool(512, SHAPE)},
    "spectral normalisation": {
        "discriminator": lambda: discriminator(kg.layers.SpectralConv2D)
    },
    "averaged generator": {"ema_decay": 0.999},
    "DiffAugment": {"augmentation": kg.layers.DiffAugment},
    "gradient norms": {"log_gradients": True},
}


def build(arguments):
    arguments = {k: v() if callable(v) else v for k, v in arguments.items()}
    model = kg.models.GAN(
        arguments.pop("generator", None) or generator(),
        arguments.pop("discriminator", None) or discriminator(),
        **arguments,
    )
    model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--only", help="a part of the stabiliser's name")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    batches = [
        rng.uniform(-1, 1, (BATCH, *SHAPE)).astype("float32")
        for _ in range(args.steps)
    ]
    plain = build({})
    for name, arguments in STABILISERS.items():
        if args.only and args.only not in name:
            continue
        models = {"plain": plain, "with": build(arguments)}
        times = {side: [] for side in models}
        for i in range(args.repetitions + 1):
            for side in ("plain", "with") if i % 2 else ("with", "plain"):
                fit = models[side].fit
                clock, _ = timed(
                    lambda data, fit=fit: fit(
                        Batches(data), verbose=0, shuffle=False
                    ),
                    batches,
                )
                times[side].append(clock)
        # The first round compiles.
        ratios = np.divide(times["with"][1:], times["plain"][1:])
        print(
            f"{keras.backend.backend():10s} {name:28s} "
            f"{text(np.percentile(ratios, [25, 50, 75]))}",
            flush=True,
        )
    print_generator_share(plain, batches, args.repetitions)


def print_generator_share(model, batches, repetitions):
    z = np.random.default_rng(0).normal(size=(BATCH, 64)).astype("float32")

    def draw(data):
        for _ in data:
            model.generator.predict_on_batch(z)

    def fit(data):
        model.fit(Batches(data), verbose=0, shuffle=False)

    shares = [
        timed(draw, batches)[0] / timed(fit, batches)[0]
        for _ in range(repetitions + 1)
    ][1:]
    print(
        f"{keras.backend.backend():10s} {'drawing one batch':28s} "
        f"{text(np.percentile(shares, [25, 50, 75]))}",
        flush=True,
    )


if __name__ == "__main__":
    main()
