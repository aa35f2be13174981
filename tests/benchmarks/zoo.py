"""Load, draw from and measure again the entries of the zoo.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.zoo cost
    TFDS_DATA_DIR=... python -m tests.benchmarks.zoo figures [NAME ...]

`cost` prints, each entry in a process of its own: seconds to load, from a start
with the package imported, milliseconds per sample of 64 drawn at once and after
a first draw, and the peak memory of the process, Keras and backend included.
`figures` computes the figures of the cards again from the presets, next to what
the cards say; not those of models that are not in a preset.
"""

import argparse
import multiprocessing
import resource
import time

import numpy as np

import keras_gen as kg


def draw(model, n, seed):
    labels = {}
    if model.num_classes is not None:
        labels = {"labels": np.arange(n) % model.num_classes}
    return model.generate(n, seed=seed, batch_size=n, **labels)


def cost(name):
    """Print what it costs to load and to draw."""
    start = time.perf_counter()
    model = kg.from_preset(name)
    load = time.perf_counter() - start
    draw(model, 64, seed=0)
    start = time.perf_counter()
    draw(model, 64, seed=1)
    each = (time.perf_counter() - start) / 64
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parameters = kg.list_presets()[name]["parameters"]
    print(
        f"{name:30}{parameters:>10,} parameters, load {load:.2f} s, "
        f"{each * 1000:.2f} ms a sample, peak {peak:.0f} MB",
        flush=True,
    )


def recompute(model, figure, data):
    """Return a figure of a card computed anew, or None."""
    name = figure["name"]
    binarize = name.startswith("negative log-likelihood")
    x, y = kg.data.load(data, "test", binarize=binarize, batch_size=10_000)[0]
    if binarize:
        labels = () if model.num_classes is None else (y,)
        return -model.log_likelihood(x, *labels, num_samples=5000).mean()
    if name == "squared error over variance":
        pixels = kg.data.load(data).images / 255.0
        error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
        return error / np.var(pixels)
    if name == "perplexity of the codes":
        return model.evaluate(x, batch_size=500, return_dict=True, verbose=0)[
            "perplexity"
        ]
    if name == "nats of the prior":
        return -model.prior.log_likelihood(model.encode(x), y).mean()
    if name in (
        "squared error",
        "squared error, 32 latents",
        "squared error, greedy, then end to end",
    ):
        return kg.metrics.mean_squared_error(x, model.reconstruct(x))
    if name.startswith("mean activation"):
        return model.encode(x).mean()
    label, _, key = name.rpartition(": ")
    for metric in ("fd", "class_accuracy"):
        if key.startswith(f"{metric}_") and label in ("", "temperature 0.9"):
            options = {"temperature": 0.9} if label else {}
            return kg.evaluate(
                model, data, metrics=[metric], verbose=False, **options
            )[key]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["cost", "figures"])
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    cards = kg.list_presets()
    for name in args.names or cards:
        if args.what == "cost":
            # A new process: a fork would inherit the peak of this one.
            context = multiprocessing.get_context("spawn")
            process = context.Process(target=cost, args=(name,))
            process.start()
            process.join()
            continue
        model = kg.from_preset(name)
        model.compile("adam")
        for figure in cards[name]["metrics"]:
            value = recompute(model, figure, cards[name]["data"])
            if value is not None:
                print(
                    f"{name}: {figure['name']} {value:.5g}, card "
                    f"{figure['value']:.5g} ± {figure.get('error', 0):.2g}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
