"""How many modes of a mixture each game reaches, with and without help.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.mode_coverage ring
    KERAS_BACKEND=tensorflow python -m tests.benchmarks.mode_coverage grid \\
        --epochs 200
    TFDS_DATA_DIR=... python -m tests.benchmarks.mode_coverage stacked_mnist \\
        --epochs 15 --seeds 1

For `ring` and `grid`: generator 2-400-400-400-400-2, ReLU with batch
normalisation; discriminator 2-200-200-200-1, ReLU; batch 100: the networks of
Lin et al., PacGAN, 2018 (arXiv:1712.04086), with ReLU in place of maxout; Adam,
beta_1 0.5, from 1e-3 by a cosine to 1e-5, 20,000 steps (80 epochs) in place of
their 400,000 at 1e-4. 2,500 samples; a covered mode has one within 3 standard
deviations. On the grid 20,000 steps leave a share of good samples of 0.78.

For `stacked_mnist`, digits in three channels, 1,000 modes: small convolutional
networks, batch 128, Adam 2e-4, beta_1 0.5; 26,000 samples, whose modes the
package's classifier reads. As many true samples would have a KL of about 0.02.
The penalties there are those of Huang et al., The GAN is dead; long live the
GAN!, 2025 (arXiv:2501.05441).

Prints the mean and standard deviation over the seeds.
"""

import argparse
import time

import keras
import numpy as np
from keras import layers

import keras_gen as kg
from keras_gen.data.toy import MIXTURES

CONFIGURATIONS = {
    "non_saturating": {},
    "non_saturating + minibatch discrimination": {"minibatch": True},
    "wasserstein + gradient penalty": {
        "loss": "wasserstein",
        "penalty": kg.losses.GradientPenalty(0.1),
    },
    "relativistic": {"loss": "relativistic"},
    "relativistic + R1 + R2": {"loss": "relativistic", "r1_r2": True},
}


def dense_networks():
    """Return a generator and the features of a discriminator, for points."""
    z, x = keras.Input((2,)), keras.Input((2,))
    h = z
    for _ in range(4):
        h = layers.Dense(400, use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))
    generator = keras.Model(z, layers.Dense(2)(h))
    h = x
    for _ in range(3):
        h = layers.Dense(200, activation="relu")(h)
    return generator, x, h


def convolutional_networks():
    """Return the same for images of 28x28 pixels in three channels."""
    h = x = keras.Input((28, 28, 3))
    for channels in (16, 32, 64):
        h = layers.Conv2D(channels, 4, strides=2, padding="same")(h)
        h = layers.LeakyReLU(negative_slope=0.2)(h)
    generator = kg.nets.conv_generator((28, 28, 3), 100, (64, 32))
    return generator, x, layers.Flatten()(h)


def build(images, steps, minibatch=False, r1_r2=False, **arguments):
    generator, x, h = convolutional_networks() if images else dense_networks()
    if minibatch:
        h = kg.layers.MinibatchDiscrimination(50, 5)(h)
    discriminator = keras.Model(x, layers.Dense(1)(h))
    if r1_r2:  # of images: gamma = 1, as Huang et al. for stacked MNIST
        weight = 0.5 if images else 0.05
        arguments["penalty"] = [
            kg.losses.GradientPenalty(weight, at=at, center=0.0)
            for at in ("real", "fake")
        ]
    decay = 0.999 if images else 0.99
    model = kg.models.GAN(
        generator, discriminator, ema_decay=decay, **arguments
    )
    rate = 2e-4
    if not images:  # the last steps decide how near to a mode samples lie
        rate = keras.optimizers.schedules.CosineDecay(1e-3, steps, alpha=0.01)
    model.compile(keras.optimizers.Adam(rate, beta_1=0.5))
    return model


def run(dataset, arguments, seed, epochs, callbacks):
    """Train once; return modes covered, KL and share of good samples."""
    keras.utils.set_random_seed(seed)
    images = dataset == "stacked_mnist"
    data = kg.data.load(
        dataset, batch_size=128 if images else 100, labels=False
    )
    model = build(images, epochs * len(data), **arguments)
    model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks)
    values = kg.evaluate(
        model, dataset, metrics=["modes"], seed=seed, repeats=1, verbose=False
    )
    return {
        name: value
        for key, value in values.items()
        for name in ("modes", "high_quality", "kl")
        if key.startswith(name)
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", choices=[*MIXTURES, "stacked_mnist"])
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONFIGURATIONS)
    parser.add_argument("--checkpoints", help="folder, to go on from there")
    args = parser.parse_args()
    for name, arguments in CONFIGURATIONS.items():
        if args.only and name not in args.only:
            continue
        results, seconds = [], 0.0
        for seed in range(args.seeds):
            callbacks, start = [], time.perf_counter()
            if args.checkpoints is not None:
                folder = f"{args.checkpoints}/{args.dataset}/{name}/{seed}"
                callbacks = [kg.callbacks.Checkpoint(folder)]
            results.append(
                run(args.dataset, arguments, seed, args.epochs, callbacks)
            )
            seconds += time.perf_counter() - start
            seconds += sum(callback.seconds_before for callback in callbacks)
        seconds /= args.seeds
        columns = {key: [r[key] for r in results] for key in results[0]}
        text = ", ".join(
            f"{key} {np.mean(values):.3f} ± {np.std(values):.3f}"
            for key, values in columns.items()
        )
        print(f"{name}: {text} ({seconds:.0f} s a run)", flush=True)


if __name__ == "__main__":
    main()
