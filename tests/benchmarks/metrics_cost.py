"""Time and peak memory of each metric, by the number of samples.

    python -m tests.benchmarks.metrics_cost

Features are 64 normal numbers a sample, as many real as generated; images are
28x28 noise against 60,000 others. Each metric runs in a process of its own,
and the memory is the most that process held, libraries and data included.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from keras_gen import metrics
from keras_gen.metrics.measures import Reference
from keras_gen.metrics.measures import Samples
from keras_gen.metrics.measures import modes

RNG = np.random.default_rng(0)


def features(n):
    return RNG.normal(size=(n, 64)), RNG.normal(size=(n, 64))


def images(n):
    return RNG.uniform(-1, 1, (n, 28, 28, 1)).astype("float32")


def copies(n):
    neighbours = metrics.PixelNeighbours(images(60_000), images(10_000))
    samples = images(n)
    return lambda: neighbours.copies(samples)


def with_features(metric):
    def prepare(n):
        real, generated = features(n)
        return lambda: metric(real, generated)

    return prepare


def diversity(n):
    real, generated = features(n)
    classes = np.arange(n) % 10
    return lambda: metrics.within_class_diversity(
        real, classes, generated, classes
    )


def with_images(metric):
    def prepare(n):
        x = images(n)
        return lambda: metric(x, x[::-1])

    return prepare


def classifier(n):
    network, x = metrics.Classifier("mnist_lenet64_v1"), images(n)
    return lambda: network(x)


def cas(n):
    x, labels = images(n), np.arange(n) % 10
    return lambda: metrics.classification_accuracy_score(
        x, labels, images(10_000), np.arange(10_000) % 10
    )


def stacked_modes(n):
    x = np.concatenate([images(n)] * 3, axis=-1)
    reference = Reference("stacked_mnist", x[:1], None, x[:1], None)
    return lambda: modes(reference, Samples(x))


METRICS = {
    "features of mnist_lenet64_v1": classifier,
    "fd": with_features(metrics.frechet_distance),
    "kd": with_features(metrics.kernel_distance),
    "precision_recall": with_features(metrics.precision_and_recall),
    "density_coverage": with_features(metrics.density_and_coverage),
    "diversity": diversity,
    "cas": cas,
    "modes of stacked digits": stacked_modes,
    "copies": copies,
    "psnr": with_images(metrics.psnr),
    "ssim": with_images(metrics.ssim),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument(
        "--counts", nargs="+", default=["1000", "10000", "50000"]
    )
    args = parser.parse_args()
    if args.one:
        run = METRICS[args.one[0]](int(args.one[1]))
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds:.1f} s, {peak:.0f} MB")
        return
    print("| metric | " + " | ".join(args.counts) + " |", flush=True)
    for name in METRICS:
        cells = [
            subprocess.run(
                [sys.executable, "-m", __spec__.name, "--one", name, count],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for count in args.counts
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
