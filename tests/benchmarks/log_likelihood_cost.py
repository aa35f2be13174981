"""Time and memory of `log_likelihood` as the number of samples grows.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.log_likelihood_cost

A fully connected VAE, 784-200-200-50, on 200 images of 28x28 pixels. Memory is
the peak of the process, which never falls.
"""

import resource
import time

import keras
import numpy as np

import keras_gen as kg


def main():
    shape = (28, 28, 1)
    model = kg.models.VAE(
        kg.nets.dense_encoder(shape, 50, outputs=2, units=(200, 200)),
        kg.nets.dense_decoder(shape, 50, units=(200, 200)),
    )
    rng = np.random.default_rng(0)
    x = 2.0 * rng.integers(0, 2, (200, *shape)).astype("float32") - 1.0
    model.log_likelihood(x[:2], num_samples=2)  # compiles
    for num_samples in (1, 10, 100, 1000, 5000):
        start = time.perf_counter()
        model.log_likelihood(x, num_samples=num_samples)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{keras.backend.backend():10s} {num_samples:5d} samples: "
            f"{1e3 * seconds / len(x):8.2f} ms an image, peak {peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
