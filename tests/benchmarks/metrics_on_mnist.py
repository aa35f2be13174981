"""Rank spoiled MNIST images by the metrics: is noise worse than blur, ...

    python -m tests.benchmarks.metrics_on_mnist --data-dir path/to/tfds

Each set has 10,000 images, drawn from the shuffled splits with seed 0, against
10,000 other training images; precision to coverage use 5,000 against 5,000.
Prints one line a set: the Frechet distance for three classifier seeds, then
the other metrics for seed 0.
"""

import argparse

import numpy as np
from scipy.ndimage import gaussian_filter

import keras_gen as kg
from keras_gen import metrics
from keras_gen.metrics.classifiers import Classifier


def load(split, data_dir):
    data = kg.data.load(
        "mnist", split, 100_000, shuffle=False, data_dir=data_dir
    )
    x, y = data[0]
    order = np.random.default_rng(0).permutation(len(x))
    return x[order], y[order]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir")
    args = parser.parse_args()
    train, train_labels = load("train", args.data_dir)
    test, _ = load("test", args.data_dir)
    real, rest, rest_labels = (
        train[:10_000],
        train[10_000:],
        train_labels[10_000:],
    )
    rng = np.random.default_rng(0)

    noisy = np.clip(test + 0.2 * rng.normal(size=test.shape), -1, 1)
    sets = {
        "other training images": rest[:10_000],
        "test images": test,
        "test + noise 0.1": noisy,  # 0.1 of the range [0, 1]
        "test, blur 0.7 px": gaussian_filter(test, (0, 0.7, 0.7, 0)),
        "digits 0-4 only": rest[rest_labels < 5][:10_000],
        "PCA Gaussian": metrics.pca_gaussian(train, 10_000),
        "copies of the reference": real,
    }
    classifiers = [
        Classifier(f"mnist_lenet64_v1{suffix}")
        for suffix in ("", "_seed1", "_seed2")
    ]
    references = [classifier(real)[0] for classifier in classifiers]
    neighbours = metrics.PixelNeighbours(train, test)
    print("set | FD seeds 0, 1, 2 | KD x1000 | P | R | D | C | copies")
    for name, images in sets.items():
        features = [classifier(images)[0] for classifier in classifiers]
        distances = [
            metrics.frechet_distance(r, f)
            for r, f in zip(references, features, strict=True)
        ]
        half = references[0][:5000], features[0][:5000]
        kernel, spread = metrics.kernel_distance(references[0], features[0])
        values = [
            *metrics.precision_and_recall(*half),
            *metrics.density_and_coverage(*half),
            neighbours.copies(images)["share"],
        ]
        print(
            f"{name} | {', '.join(f'{d:.3f}' for d in distances)} | "
            f"{1000 * kernel:.1f} ± {1000 * spread:.1f} | "
            + " | ".join(f"{value:.3f}" for value in values),
            flush=True,
        )


if __name__ == "__main__":
    main()
