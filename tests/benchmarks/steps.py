"""Time `fit` against the same step written by hand for the backend.

    KERAS_BACKEND=torch python -m tests.benchmarks.steps

Both sides train equal networks (the defaults for 28x28 images) with equal
Keras optimizers on the same batches, already in memory; the hand-written side
is what a user of that backend would write: a `tf.function`, a jitted JAX
function, a plain torch loop. Neither logs anything but the losses, averaged
over the epoch. Repetitions alternate, and the median of each side counts, so
that a busy machine slows both. A ratio of 1 means no overhead.
"""

import argparse
import statistics
import time

import keras
import numpy as np

from keras_gen.recipes import RECIPES
from tests.benchmarks import by_hand

BATCH = 128


class Batches(keras.utils.PyDataset):
    """The same batches for both sides."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return (self.batches[index],)


def measure(name, steps, repetitions):
    """Return images per second by `fit` and by hand, medians."""
    rng = np.random.default_rng(0)
    data = Batches(
        [
            rng.uniform(-1, 1, (BATCH, 28, 28, 1)).astype("float32")
            for _ in range(steps)
        ]
    )
    model = RECIPES[name]((28, 28, 1))
    other = RECIPES[name]((28, 28, 1))
    run_by_hand = getattr(by_hand, name)(other)

    sides = {
        "fit": lambda: model.fit(data, verbose=0, shuffle=False),
        "by hand": lambda: run_by_hand(data.batches),
    }
    seconds = {side: [] for side in sides}
    for repetition in range(repetitions + 1):
        for side, run in sides.items():
            start = time.perf_counter()
            run()
            if repetition:  # the first compiles
                seconds[side].append(time.perf_counter() - start)
    return {
        side: steps * BATCH / statistics.median(times)
        for side, times in seconds.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--models", nargs="+", default=["vae", "gan"])
    args = parser.parse_args()
    for name in args.models:
        speed = measure(name, args.steps, args.repetitions)
        ratio = speed["fit"] / speed["by hand"]
        print(
            f"{keras.backend.backend():10s} {name:4s} "
            f"fit {speed['fit']:7.0f} images/s, "
            f"by hand {speed['by hand']:7.0f} images/s, ratio {ratio:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
