"""What a sampler costs and what it gives, by the number of steps.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.diffusion_sampling
    ... --preset zoo/ddpm_mnist --dataset mnist --samples 1000

Prints the time of an image with the loop compiled as one program, and with the
same loop stepped from Python, one call an evaluation; both after a first run
that compiles. Without a preset the network is the default one with random
weights. With one it also prints the Frechet distance and, of models with
classes, the share of samples of the class asked for.
"""

import argparse
import time

import keras
import numpy as np

import keras_gen as kg

# Steps denser at low noise than equal steps in the time of the training.
DENSER = kg.diffusion.KarrasSchedule(0.02, 80.0)
SETTINGS = (
    ("ddpm", 1000, None),
    ("ddpm", 100, None),
    ("ddpm", 20, None),
    ("ddim", 100, None),
    ("ddim", 20, None),
    ("dpmpp_2m", 20, None),
    ("dpmpp_2m", 20, DENSER),
    ("dpmpp_2m_sde", 20, None),
    ("dpmpp_2m_sde", 20, DENSER),
    ("dpmpp_2m", 10, None),
    ("flow_heun", 10, None),
)


def seconds(fn):
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data-dir")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--images", type=int, default=16, help="to be timed")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--guidance", type=float, default=1.0)
    args = parser.parse_args()
    if args.preset:
        model = kg.from_preset(args.preset)
    else:
        model = kg.models.DDPM(kg.nets.unet((28, 28, 1), num_classes=10))
    options = {"guidance_scale": args.guidance}
    labels = np.arange(args.images) % (model.num_classes or 1)
    if model.num_classes:
        options["labels"] = labels
    print(f"{keras.backend.backend()}, {model.network.count_params()} weights")
    for sampler, steps, schedule in SETTINGS:
        arguments = {
            **options,
            "sampler": sampler,
            "num_steps": steps,
            "schedule": schedule,
            "seed": 0,
        }

        def compiled(**more):
            model.generate(args.images, **arguments, **more)

        def stepped():
            compiled(on_step=lambda *_: None)

        compiled(), stepped()
        pairs = [
            (seconds(compiled), seconds(stepped))
            for _ in range(args.repetitions)
        ]
        one, other = np.median(pairs, axis=0) / args.images
        line = (
            f"{sampler:12s} {steps:5d} {'Karras ' * (schedule is DENSER)}"
            f"steps: {1000 * one:8.1f} ms an image, "
            f"stepped {1000 * other:8.1f} ms, ratio {other / one:.2f}"
        )
        if args.preset:
            del arguments["seed"]
            arguments.pop("labels", None)
            metrics = ["fd"] + ["class_accuracy"] * bool(model.num_classes)
            values = kg.evaluate(
                model,
                args.dataset,
                num_samples=args.samples,
                metrics=metrics,
                repeats=1,
                data_dir=args.data_dir,
                **arguments,
            )
            for name in metrics:
                value = next(v for k, v in values.items() if k.startswith(name))
                line += f", {name} {value:.4f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
