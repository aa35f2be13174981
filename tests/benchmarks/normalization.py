"""Group normalisation: Keras's layer against ours, forward and backward.

    KERAS_BACKEND=torch python -m tests.benchmarks.normalization
    ... --policy mixed_bfloat16

Prints the milliseconds of processor time that a layer adds to a training step
of a 1x1 convolution on a batch of 128 images of 28x28x32, the median of
repetitions that alternate, and the ratio.
"""

import argparse
import time

import keras
import numpy as np

import keras_gen as kg

SHAPE = (28, 28, 32)


def model_of(layer):
    """Return a model of a convolution, for a gradient to go to, and a layer."""
    x = keras.Input(SHAPE)
    model = keras.Model(x, layer(keras.layers.Conv2D(32, 1)(x)))
    # As models train fastest: on TensorFlow without XLA.
    model.compile("sgd", "mse", jit_compile=keras.backend.backend() == "jax")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="float32")
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=20)
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.policy)
    x = np.random.default_rng(0).normal(size=(128, *SHAPE)).astype("float32")
    layers = {
        "nothing": keras.layers.Identity(),
        "Keras": keras.layers.GroupNormalization(args.groups),
        "ours": kg.layers.GroupNormalization(args.groups),
    }
    models = {name: model_of(layer) for name, layer in layers.items()}
    times = {name: [] for name in models}
    for repetition in range(args.repetitions + 2):
        for name, model in models.items():
            start = time.process_time()
            model.train_on_batch(x, x)
            if repetition >= 2:  # the first compile
                times[name].append(time.process_time() - start)
    ms = {name: 1000 * np.median(values) for name, values in times.items()}
    own = {name: ms[name] - ms["nothing"] for name in ("Keras", "ours")}
    print(
        f"{keras.backend.backend()}, {args.policy}: Keras's layer "
        f"{own['Keras']:.1f} ms, ours {own['ours']:.1f} ms, ratio "
        f"{own['Keras'] / own['ours']:.2f}"
    )


if __name__ == "__main__":
    main()
