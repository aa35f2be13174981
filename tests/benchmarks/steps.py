"""Time `fit` against the same step written by hand for the backend.

    KERAS_BACKEND=torch python -m tests.benchmarks.steps

Both sides train equal networks (the defaults for 28x28 images) with equal
Keras optimizers on the same batches, already in memory; the hand-written side
is what a user of that backend would write: a `tf.function`, a jitted JAX
function, a plain torch loop. Neither logs anything but the losses, averaged
over the epoch. The sides take turns to go first, and the ratio is the median
of those of neighbouring runs, so that a busy machine slows both; that of
processor times, on a machine without GPU, hardly depends on what else it does.
1 means no overhead.
"""

import argparse
import time

import keras
import numpy as np

from keras_gen.recipes import RECIPES
from tests.benchmarks import by_hand

BATCH = 128


class Batches(keras.utils.PyDataset):
    """The same batches for both sides."""

    # As `ImageDataset`, for the same path.
    serves_tuples_of_arrays, epoch = True, 0

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return (self.batches[index],)


def measure(name, seconds, repetitions):
    """Return steps an epoch, images per second a side, quartiles of ratios.

    The ratios are of times on the clock, and of processor times.
    """
    rng = np.random.default_rng(0)
    batch = rng.uniform(-1, 1, (BATCH, 28, 28, 1)).astype("float32")
    model, by_hand_model = (
        RECIPES[name]((28, 28, 1), None, None) for _ in "ab"
    )
    run_by_hand = getattr(by_hand, name)(by_hand_model)

    def fit(batches):
        model.fit(Batches(batches), verbose=0, shuffle=False)

    sides = {"fit": fit, "by hand": run_by_hand}
    for run in sides.values():
        run([batch] * 2)  # compiles
    # An epoch long enough that what `fit` does once an epoch hardly counts.
    steps = max(4, round(seconds / (timed(run_by_hand, [batch] * 4)[0] / 4)))
    batches = [batch.copy() for _ in range(steps)]
    times = {side: [] for side in sides}
    for i in range(repetitions):
        for side in ("fit", "by hand") if i % 2 else ("by hand", "fit"):
            times[side].append(timed(sides[side], batches))
    times = {side: np.array(values) for side, values in times.items()}
    speed = {
        side: steps * BATCH / np.median(values[:, 0])
        for side, values in times.items()
    }
    ratios = times["by hand"] / times["fit"]
    return steps, speed, np.percentile(ratios, [25, 50, 75], axis=0).T


def timed(run, batches):
    """Return the seconds that passed, and those of processors at work."""
    clock, processor = time.perf_counter(), time.process_time()
    run(batches)
    return time.perf_counter() - clock, time.process_time() - processor


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="length of an epoch"
    )
    parser.add_argument("--repetitions", type=int, default=31)
    parser.add_argument("--models", nargs="+", default=["vae", "gan"])
    args = parser.parse_args()
    for name in args.models:
        steps, speed, ratios = measure(name, args.seconds, args.repetitions)
        print(
            f"{keras.backend.backend():10s} {name:4s} {steps:4d} steps: "
            f"fit {speed['fit']:7.0f} images/s, "
            f"by hand {speed['by hand']:7.0f} images/s, "
            f"ratio {text(ratios[0])}, of processor times {text(ratios[1])}",
            flush=True,
        )


def text(quartiles):
    low, median, high = quartiles
    return f"{median:.3f} (quartiles {low:.3f}, {high:.3f})"


if __name__ == "__main__":
    main()
