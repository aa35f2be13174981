"""What you pay for what: five trade-offs of generative models, measured.

    KERAS_BACKEND=tensorflow python examples/trade_offs.py
    KERAS_BACKEND=tensorflow python examples/trade_offs.py --only sampling_steps

Trains small models on handwritten digits of 8x8 pixels, and GANs on a ring of
eight Gaussians, with three seeds each. Writes to `runs/trade_offs`, for each
trade-off, a figure and a JSON file with what it shows: means and standard
deviations over the seeds.

    rate_distortion      beta of a VAE: nats in the code against squared error
    latent_size          of a VAE: reconstruction against samples
    schedules            linear and cosine noise, by the number of steps
    sampling_steps       of samplers of one DDPM: quality against time
    discriminator_steps  of a GAN: modes of the ring and good samples
"""

import argparse
import json
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_gen as kg

SHAPE = (8, 8, 1)
STEPS = (5, 10, 20, 50, 100)


def vae(latent_dim=8, beta=1.0):
    """Return a compiled VAE of digits."""
    model = kg.models.VAE(
        kg.nets.dense_encoder(SHAPE, latent_dim, outputs=2),
        kg.nets.dense_decoder(SHAPE, latent_dim),
        likelihood=kg.losses.Gaussian(sigma=0.35),
        beta=beta,
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def ddpm(schedule):
    """Return a compiled DDPM of digits."""
    network = kg.nets.unet(SHAPE, filters=(16, 32), blocks=1, attention=(4,))
    model = kg.models.DDPM(network, schedule=schedule, ema_decay=0.995)
    model.compile(keras.optimizers.Adam(2e-3))
    return model


def digits():
    """Return training digits, and test digits in one batch."""
    train = kg.data.load("digits", batch_size=64, labels=False)
    test = kg.data.load("digits", "test", batch_size=1000, labels=False)
    return train, test[0][0]


def quality(model, **options):
    """Return the Frechet distance of 299 samples to the training digits."""
    values = kg.evaluate(
        model, "digits", metrics=["fd"], repeats=1, verbose=False, **options
    )
    return next(v for k, v in values.items() if k.startswith("fd_"))


def rate_distortion(epochs):
    """Yield (curve, beta, values) of one seed."""
    train, test = digits()
    for beta in (0.1, 0.3, 1.0, 3.0, 10.0):
        model = vae(beta=beta)
        model.fit(train, epochs=epochs, verbose=0)
        logs = model.evaluate(test, verbose=0, return_dict=True)
        error = kg.metrics.mean_squared_error(test, model.reconstruct(test))
        values = {"nats in the code": logs["kl_loss"], "squared error": error}
        yield "VAE", beta, values


def latent_size(epochs):
    """Yield (curve, latents, values) of one seed."""
    train, test = digits()
    for latent_dim in (1, 2, 4, 8, 16, 32):
        model = vae(latent_dim)
        model.fit(train, epochs=epochs, verbose=0)
        error = kg.metrics.mean_squared_error(test, model.reconstruct(test))
        values = {"squared error": error, "Frechet distance": quality(model)}
        yield "VAE", latent_dim, values


def schedules(epochs):
    """Yield (schedule, steps, values) of one seed."""
    train, _ = digits()
    for schedule in ("linear", "cosine"):
        model = ddpm(schedule)
        model.fit(train, epochs=epochs, verbose=0)
        for steps in STEPS:
            options = {"sampler": "ddim", "num_steps": steps}
            values = {"Frechet distance": quality(model, **options)}
            yield schedule, steps, values


def sampling_steps(epochs):
    """Yield (sampler, steps, values) of one seed."""
    train, _ = digits()
    model = ddpm("linear")
    model.fit(train, epochs=epochs, verbose=0)
    for sampler in ("ddpm", "ddim", "dpmpp_2m", "heun"):
        for steps in (*STEPS, 1000) if sampler == "ddpm" else STEPS:
            options = {"sampler": sampler, "num_steps": steps}
            fd = quality(model, **options)  # also compiles
            start = time.perf_counter()
            model.generate(299, seed=0, **options)
            ms = (time.perf_counter() - start) / 299 * 1000
            values = {"ms a sample": ms, "Frechet distance": fd}
            yield sampler, steps, values


def discriminator_steps(epochs):
    """Yield (game, k, values) of one seed."""
    ring = kg.data.load("ring", batch_size=500, labels=False)
    for k in (1, 2, 5):
        model = kg.models.GAN(
            kg.nets.dense_generator((2,), 2, units=(128, 128)),
            kg.nets.dense_discriminator((2,), units=(128, 128)),
            discriminator_steps=k,
            ema_decay=0.995,
        )
        model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
        model.fit(ring, epochs=epochs, verbose=0)
        values = kg.evaluate(
            model, "ring", metrics=["modes"], repeats=1, verbose=False
        )
        names = {"modes": "modes of 8", "high_quality": "share of good samples"}
        yield (
            "non-saturating",
            k,
            {
                text: value
                for name, text in names.items()
                for key, value in values.items()
                if key.startswith(name)
            },
        )


# Trade-off -> what is varied, epochs, whether its axis is logarithmic.
TRADE_OFFS = {
    rate_distortion: ("beta", 60, True),
    latent_size: ("latents", 60, True),
    schedules: ("steps of DDIM", 120, True),
    sampling_steps: ("steps", 120, True),
    discriminator_steps: ("steps of the discriminator", 100, False),
}


def measure(trade_off, seeds, epochs):
    """Return a list of points with the mean and deviation of each value."""
    points = {}
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        for curve, setting, values in trade_off(epochs):
            points.setdefault((curve, setting), []).append(values)
            print(f"  seed {seed}: {curve} {setting}: {values}", flush=True)
    return [
        {
            "curve": curve,
            "setting": setting,
            **{
                name: [
                    float(np.mean([v[name] for v in values])),
                    float(
                        np.std([v[name] for v in values], ddof=len(values) > 1)
                    ),
                ]
                for name in values[0]
            },
        }
        for (curve, setting), values in points.items()
    ]


def plot(path, points, setting, logarithmic):
    """Draw each value over the setting and, of two, one over the other."""
    names = [key for key in points[0] if key not in ("curve", "setting")]
    panels = [(None, name) for name in names]
    if len(names) == 2:
        panels.append(tuple(names))
    figure, all_axes = plt.subplots(
        1,
        len(panels),
        figsize=(4.5 * len(panels), 3.6),
        squeeze=False,
        layout="constrained",
    )
    for axes, (x, y) in zip(all_axes[0], panels, strict=True):
        for curve in dict.fromkeys(point["curve"] for point in points):
            own = [point for point in points if point["curve"] == curve]
            xs = [point[x][0] if x else point["setting"] for point in own]
            ys, errors = np.array([point[y] for point in own]).T
            axes.errorbar(xs, ys, errors, marker="o", capsize=3, label=curve)
        if logarithmic and (x is None or x.startswith("ms")):
            axes.set_xscale("log")
        if x is None:
            settings = sorted({point["setting"] for point in points})
            axes.set_xticks(settings, [f"{value:g}" for value in settings])
            axes.set_xticks([], minor=True)
        if y == "Frechet distance" or y.startswith("ms"):
            axes.set_yscale("log")
        axes.set_xlabel(x or setting)
        axes.set_ylabel(y)
        axes.legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main():
    """Measure, write and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[f.__name__ for f in TRADE_OFFS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="for a trial")
    parser.add_argument("--out", type=Path, default=Path("runs/trade_offs"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for trade_off, (setting, epochs, logarithmic) in TRADE_OFFS.items():
        name = trade_off.__name__
        if args.only in (None, name):
            print(name, flush=True)
            points = measure(trade_off, args.seeds, args.epochs or epochs)
            text = json.dumps(points, indent=1)
            (args.out / f"{name}.json").write_text(text + "\n")
            plot(args.out / f"{name}.png", points, setting, logarithmic)
            print(f"look at {args.out / name}.png", flush=True)


if __name__ == "__main__":
    main()
