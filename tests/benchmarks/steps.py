"""Time `fit` against the same step written by hand for the backend.

    KERAS_BACKEND=torch python -m tests.benchmarks.steps

Both sides train equal networks (the defaults for 28x28 images) with equal
Keras optimizers on the same batches, already in memory; the hand-written side
is what a user of that backend would write: a `tf.function`, a jitted JAX
function, a plain torch loop. Neither logs anything but the losses, averaged
over the epoch. The sides alternate, and the ratio is the median of those of
neighbouring runs, so that a busy machine slows both. 1 means no overhead.
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


def measure(name, seconds, repetitions):
    """Return steps an epoch, images per second a side, ratio quartiles."""
    rng = np.random.default_rng(0)
    batch = rng.uniform(-1, 1, (BATCH, 28, 28, 1)).astype("float32")
    model = RECIPES[name]((28, 28, 1), None)
    run_by_hand = getattr(by_hand, name)(RECIPES[name]((28, 28, 1), None))

    def fit(batches):
        model.fit(Batches(batches), verbose=0, shuffle=False)

    sides = {"fit": fit, "by hand": run_by_hand}
    for run in sides.values():
        run([batch] * 2)  # compiles
    # An epoch long enough that what `fit` does once an epoch hardly counts.
    steps = max(4, round(seconds / (timed(run_by_hand, [batch] * 4) / 4)))
    batches = [batch.copy() for _ in range(steps)]
    times = {side: [] for side in sides}
    for _ in range(repetitions):
        for side, run in sides.items():
            times[side].append(timed(run, batches))
    ratios = np.array(times["by hand"]) / np.array(times["fit"])
    speed = {
        side: steps * BATCH / statistics.median(values)
        for side, values in times.items()
    }
    return steps, speed, np.percentile(ratios, [25, 50, 75])


def timed(run, batches):
    start = time.perf_counter()
    run(batches)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="length of an epoch"
    )
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--models", nargs="+", default=["vae", "gan"])
    args = parser.parse_args()
    for name in args.models:
        steps, speed, (low, ratio, high) = measure(
            name, args.seconds, args.repetitions
        )
        print(
            f"{keras.backend.backend():10s} {name:4s} {steps:4d} steps: "
            f"fit {speed['fit']:7.0f} images/s, "
            f"by hand {speed['by hand']:7.0f} images/s, "
            f"ratio {ratio:.3f} (quartiles {low:.3f}, {high:.3f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
