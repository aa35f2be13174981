"""Load, draw from and measure again the entries of the zoo.

    TFDS_DATA_DIR=... python -m tests.benchmarks.zoo cost [NAME ...]
    TFDS_DATA_DIR=... python -m tests.benchmarks.zoo figures [NAME ...]

`cost` prints a Markdown table, each entry measured in a process of its own:
seconds to load, from a start with the package imported; milliseconds per sample
of 64 drawn at once and after a first draw; the peak memory of the process till
then, Keras and backend included; and the Frechet distance of one set of
samples, as many as there are test images. Diffusion models draw as in
`keras_gen.recipes.QUICK`, flows in 10 steps of Euler.
`figures` computes the figures of the cards again from the presets, next to what
the cards say; and says which it does not: those of models that are not in a
preset, and some ways to draw.
"""

import argparse
import multiprocessing
import resource
import time

import numpy as np

import keras_gen as kg
from keras_gen.hub import size_of
from keras_gen.recipes import QUICK
from keras_gen.recipes import QUICKLY
from keras_gen.recipes import denoises

HEAD = (
    "| entry | Frechet distance | parameters | MB | load, s | a sample, ms "
    "| peak, MB |\n|---|---|---|---|---|---|---|"
)
# How figures begin, and how the samples were drawn.
DRAWN = {
    "": {},
    "temperature 1.0": {},
    "temperature 0.9": {"temperature": 0.9},
    **{
        f"{QUICKLY}, guidance {w}": {**QUICK, "guidance_scale": w}
        for w in (0.0, 1.0, 2.0)
    },
    **{
        f"{sampler}, {n} steps": {"sampler": sampler, "num_steps": n}
        for sampler, n in (("euler", 10), ("euler", 20), ("flow_heun", 5))
    },
}


def sampler_of(model):
    """Return the options by which a model draws in few steps."""
    if isinstance(model, kg.models.FlowMatching):
        return {"sampler": "euler", "num_steps": 10}
    return QUICK if denoises(model) else {}


def draw(model, n, seed):
    options = dict(sampler_of(model))
    if model.num_classes is not None:
        options["labels"] = np.arange(n) % model.num_classes
    return model.generate(n, seed=seed, batch_size=n, **options)


def cost(name):
    """Print what it costs to load and to draw, and what comes of it."""
    start = time.perf_counter()
    model = kg.from_preset(name)
    load = time.perf_counter() - start
    draw(model, 64, seed=0)
    start = time.perf_counter()
    draw(model, 64, seed=1)
    each = (time.perf_counter() - start) / 64
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    card = kg.list_presets()[name]
    distance = ""
    if card["data"] in ("mnist", "cifar10") and len(model.data_shape) == 3:
        values = kg.evaluate(
            model,
            card["data"],
            metrics=["fd"],
            repeats=1,
            verbose=False,
            **sampler_of(model),
        )
        key = next(key for key in values if key.startswith("fd_"))
        distance = f"{values[key]:.3f}"
    print(
        f"| {name} | {distance} | {card['parameters']:,} | "
        f"{size_of(card) / 1e6:.1f} | {load:.2f} | {each * 1000:.2f} | "
        f"{peak:.0f} |",
        flush=True,
    )


def recompute(model, figure, data):
    """Return a figure of a card computed anew, or None."""
    name = figure["name"]
    if data not in ("mnist", "cifar10"):
        return None
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
        logs = model.evaluate(x, y, batch_size=500, return_dict=True, verbose=0)
        return logs["perplexity"]
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
        if key.startswith(f"{metric}_") and label in DRAWN:
            return kg.evaluate(
                model,
                data,
                metrics=[metric],
                repeats=3 if "error" in figure else 1,
                verbose=False,
                **DRAWN[label],
            )[key]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["cost", "figures"])
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    cards = kg.list_presets()
    if args.what == "cost":
        print(HEAD, flush=True)
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
            text = f"{name}: {figure['name']}: not computed"
            if value is not None:
                text = (
                    f"{name}: {figure['name']} {value:.5g}, card "
                    f"{figure['value']:.5g}"
                )
                if "error" in figure:
                    text += f" ± {figure['error']:.2g}"
            print(text, flush=True)


if __name__ == "__main__":
    main()
