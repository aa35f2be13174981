"""The command `keras-gen`: train a model, draw from it, measure it."""

import argparse
import shlex
import sys
from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen import comparison
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.diffusion.samplers import SAMPLERS
from keras_gen.files import keep_settings
from keras_gen.files import make_folder
from keras_gen.hub import describe_metric
from keras_gen.hub import find
from keras_gen.hub import headline
from keras_gen.hub import read_card
from keras_gen.hub import size_of
from keras_gen.metrics.measures import MEASURES
from keras_gen.pictures import save_curves
from keras_gen.pictures import save_grid
from keras_gen.recipes import QUICK
from keras_gen.recipes import RECIPES
from keras_gen.recipes import denoises
from keras_gen.recipes import encoded
from keras_gen.recipes import prior

_EPILOG = """\
examples:
  keras-gen list
  keras-gen info vqvae_mnist
  keras-gen generate vqvae_mnist -n 64 --label 3 --out threes.png
  keras-gen train vae --dataset digits --epochs 50 --out runs/vae
  keras-gen generate runs/vae -n 64 --out grid.png
  keras-gen evaluate runs/vae --dataset digits --out runs/vae/report
  keras-gen train gan --dataset mnist --epochs 20 --out runs/gan
  keras-gen compare --dataset digits --out runs/compare
  keras-gen train vae --dataset path/to/pictures --image-size 64 --out runs/mine
  keras-gen train ddpm --dataset mnist --out runs/ddpm
  keras-gen generate runs/ddpm --sampler dpmpp_2m --steps 20 --guidance 2
  keras-gen train vqvae --dataset mnist --out runs/vq
  keras-gen train autoregressive --codes runs/vq --dataset mnist --out runs/p

The backend is Keras's: set KERAS_BACKEND to tensorflow, jax or torch.
"""

_PATH = "a preset: name (see `list`), folder, hf://...; or --out of `train`"

_TRAIN = """\
Train a model with its default networks. Into the folder --out go
  samples/      a grid of samples after each epoch, and samples.gif
  checkpoints/  the state to --resume from after an interruption
  curves.png    the logs over the epochs
  model/        the trained model, for `keras-gen generate` and
                `keras_gen.from_preset`
A vqvae has no samples before it has a prior: train an autoregressive model
with --codes, whose model/ is then the vqvae with this prior.
"""

_EVALUATE = """\
Draw samples and compare them with real images. Prints a line for each set of
samples, the real images and a Gaussian first, and writes into --out
  report.md       the table, what it means, and how it came about
  report.json     the same as numbers
  samples.png     some of the samples
  neighbours.png  the samples nearest to training images, beside these
"""


def main(arguments=None):
    """Run the command line and return its exit code."""
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except (ValueError, OSError, ImportError, MemoryError) as error:
        message = " ".join(str(error).split())
        print(f"keras-gen: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nkeras-gen: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-gen",
        description="Train generative models with Keras and draw from them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser(
        "train",
        help="train a model on a data set",
        description=_TRAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument(
        "model", metavar="MODEL", choices=RECIPES, help=", ".join(RECIPES)
    )
    _add_data_options(train)
    train.add_argument(
        "--epochs", type=int, default=10, help="in total (default: 10)"
    )
    train.add_argument(
        "--batch-size", type=int, default=128, help="(default: 128)"
    )
    train.add_argument(
        "--seed", type=int, default=0, help="of all randomness (default: 0)"
    )
    train.add_argument("--out", required=True, help="folder for the results")
    train.add_argument(
        "--codes",
        metavar="PATH",
        help="a trained vqvae, for an autoregressive prior over its codes",
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="continue from the checkpoints in --out",
    )
    train.set_defaults(run=_train)

    commands.add_parser(
        "list", help="list the trained models that come with the package"
    ).set_defaults(run=_list)

    info = commands.add_parser("info", help="what is known of one of them")
    info.add_argument("name", metavar="NAME")
    info.set_defaults(run=_info)

    generate = commands.add_parser(
        "generate", help="draw images from a trained model"
    )
    generate.add_argument("path", metavar="PATH", help=_PATH)
    generate.add_argument(
        "-n", type=int, default=64, help="how many (default: 64)"
    )
    generate.add_argument("--out", default="grid.png", help="PNG to write")
    generate.add_argument(
        "--seed", type=int, help="the same seed draws the same images"
    )
    generate.add_argument(
        "--label",
        type=int,
        help="class to draw, for conditional models (default: all in turn)",
    )
    _add_sampling_options(generate)
    generate.set_defaults(run=_generate)

    evaluate = commands.add_parser(
        "evaluate",
        help="measure a trained model beside real images",
        description=_EVALUATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("path", metavar="PATH", help=_PATH)
    _add_data_options(evaluate)
    evaluate.add_argument(
        "-n",
        type=int,
        help="samples (default: 10000, or as many as there are test images)",
    )
    evaluate.add_argument(
        "--repeats", type=int, default=3, help="sets of samples (default: 3)"
    )
    evaluate.add_argument(
        "--seed", type=int, default=0, help="of the first set (default: 0)"
    )
    evaluate.add_argument(
        "--metrics",
        nargs="+",
        choices=MEASURES,
        metavar="METRIC",
        help=f"some of {', '.join(MEASURES)} (default: all that apply but cas)",
    )
    evaluate.add_argument(
        "--extractor", help="the classifier, if not that of the data set"
    )
    evaluate.add_argument(
        "--out", help="folder for the report (default: in, or beside, PATH)"
    )
    _add_sampling_options(evaluate)
    evaluate.set_defaults(run=_evaluate)
    comparison.add_command(commands, _add_data_options)
    return parser


def _add_sampling_options(parser):
    parser.add_argument(
        "--sampler",
        choices=SAMPLERS,
        metavar="NAME",
        help=f"of a diffusion model: {', '.join(SAMPLERS)}",
    )
    parser.add_argument(
        "--steps", type=int, help="of a diffusion model: steps to take"
    )
    parser.add_argument(
        "--guidance",
        type=float,
        help="of a conditional diffusion model: 0 ignores labels, 1 is the "
        "model as trained, more exaggerates them",
    )


def _sampling_options(args, model):
    """Return what of these options was given."""
    given = {
        "sampler": args.sampler,
        "num_steps": args.steps,
        "guidance_scale": args.guidance,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if given and not denoises(model):
        raise ValueError(
            "--sampler, --steps and --guidance are for diffusion models. "
            f"Received: a {type(model).__name__}"
        )
    return given


def _add_data_options(parser):
    parser.add_argument(
        "--dataset",
        default="digits",
        help="digits (the default, no download), the name of a TensorFlow "
        "Datasets image data set such as mnist, or a folder of pictures, of "
        "which every sixth is held out for testing",
    )
    parser.add_argument("--data-dir", help="folder of prepared TFDS data")
    parser.add_argument(
        "--image-size", type=int, help="resize to this height and width"
    )
    parser.add_argument(
        "--grayscale", action="store_true", help="convert to one channel"
    )


def _train(args):
    if args.epochs < 1:
        raise ValueError(
            f"--epochs must be at least 1. Received: {args.epochs}"
        )
    out = make_folder(args.out)
    checkpoints = out / "checkpoints"
    if any(checkpoints.glob("ckpt-*")) and not args.resume:
        raise ValueError(
            f"{str(checkpoints)!r} holds an earlier run. Pass --resume to "
            "continue it, or choose another folder."
        )
    _check_same_run(args, out)
    keras.utils.set_random_seed(args.seed)
    train, test = _load(args)
    if args.codes is None:
        model = RECIPES[args.model](
            train.element_shape, train.num_classes, len(train.images)
        )
        pictures = [_image_grid(model, test or train, out / "samples")]
    else:
        vqvae = _vqvae_of(args)
        model = prior(
            vqvae.prior_shape,
            vqvae.quantizer.sizes[0],
            train.num_classes,
            codebook=vqvae.fingerprint,
        )
        train, test = (data and encoded(vqvae, data) for data in (train, test))
        pictures = []
    history = model.fit(
        train,
        epochs=args.epochs,
        validation_data=test,
        callbacks=[
            _StopOnNaN(),
            *pictures,
            kg.callbacks.Checkpoint(checkpoints),
        ],
    ).history
    if history:
        save_curves(out / "curves.png", history)
    if args.codes is not None:
        vqvae.attach_prior(model)
        model = vqvae
        images = model.generate(64, **_labels(model, 64), seed=0)
        save_grid(make_folder(out / "samples") / "samples.png", images)
    model.save_to_preset(out / "model")
    print(f"pictures:    {out / 'samples'}")
    print(f"curves:      {out / 'curves.png'}")
    print(f"model:       {out / 'model'}")
    if not _draws(model):
        print(f"a prior:     {_prior_command(args, out)}")
        return
    print(f"draw more:   keras-gen generate {out} -n 64 --out grid.png")


def _prior_command(args, out):
    """Return the command that trains a prior on the codes of a run."""
    words = ["keras-gen", "train", "autoregressive", "--codes", str(out)]
    words += ["--dataset", args.dataset]
    if args.data_dir:
        words += ["--data-dir", args.data_dir]
    if args.image_size:
        words += ["--image-size", str(args.image_size)]
    if args.grayscale:
        words += ["--grayscale"]
    return shlex.join([*words, "--out", f"{out}_prior"])


def _draws(model):
    """Whether a model can generate: a VQ-VAE needs a prior first."""
    return not isinstance(model, kg.models.VQVAE) or model.prior is not None


def _labels(model, n, label=None):
    """Return the option `labels`, all classes in turn, where needed."""
    if model.num_classes is None and label is None:
        return {}
    if label is None:
        label = np.arange(n) % model.num_classes
    return {"labels": label}


def _image_grid(model, data, folder):
    examples = tuple(part[:50] for part in data[0])
    options = _labels(model, 64)
    if denoises(model):  # what is quick enough to look at every epoch
        options |= {**QUICK, "trajectories": 6}
    return kg.callbacks.ImageGrid(
        folder,
        num_images=64 if _draws(model) else 0,
        reconstruct=examples,
        gif=True,
        **options,
    )


def _vqvae_of(args):
    """Load the model of --codes, or say why it will not do."""
    model = _model(args.codes)
    if args.model != "autoregressive" or not isinstance(model, kg.models.VQVAE):
        raise ValueError(
            "--codes takes a trained vqvae, for `train autoregressive`. "
            f"Received: {args.model} with a {type(model).__name__}"
        )
    sizes = model.quantizer.sizes
    if len(set(sizes)) > 1:
        raise ValueError(
            f"A prior needs codebooks of one size. Received: sizes {sizes}"
        )
    # Without the prior it may have: a model takes one only once.
    return kg.models.VQVAE(
        model.encoder, model.decoder, model.quantizer, model.likelihood
    )


class _StopOnNaN(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        bad = not_finite(logs, self.model)
        if bad:
            raise ValueError(
                f"Training diverged in epoch {epoch + 1}: {bad} not finite. "
                "The checkpoints before it are kept."
            )


def _check_same_run(args, out):
    """Refuse to resume with arguments that change the run."""
    names = (
        "model",
        "dataset",
        "image_size",
        "grayscale",
        "batch_size",
        "seed",
        "codes",
    )
    run = {name: getattr(args, name) for name in names}
    file = out / "run.json"
    if not args.resume:
        file.unlink(missing_ok=True)
    keep_settings(file, run)


def _load(args):
    """Return training data and, where the data set has it, test data."""
    options = {
        "batch_size": args.batch_size,
        "image_size": args.image_size,
        "grayscale": args.grayscale,
        "seed": args.seed,
        "data_dir": args.data_dir,
    }
    train = kg.data.load(args.dataset, "train", **options)
    try:
        return train, kg.data.load(args.dataset, "test", **options)
    except ValueError:  # no split of that name, or a handful of pictures
        return train, None


def _list(args):
    print(
        f"{'name':30}{'class':22}{'parameters':>10}  {'size':>7}  "
        f"{'figure':62}licence"
    )
    for name, card in kg.list_presets().items():
        print(
            f"{name:30}{card['class']:22}{card['parameters']:>10,}"
            f"  {size_of(card) / 1e6:4.1f} MB  "
            f"{describe_metric(headline(card)):62}{card['licence']}"
        )


def _info(args):
    try:
        lines = _facts(args.name, read_card(args.name))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"The card of {args.name!r} is not one of a preset: {error!r}"
        ) from error
    for line in lines:  # of whoever wrote it: no commands to the terminal
        print("".join(c if c.isprintable() else "?" for c in line))


def _facts(name, card):
    """Return the lines of `info`."""
    metrics = card.get("metrics", [])
    facts = {
        "class": card["class"],
        "parameters": f"{card['parameters']:,}",
        "size": f"{size_of(card) / 1e6:.1f} MB",
        **{
            key: card[key]
            for key in (
                *("data", "licence", "use", "limits", "command", "seed"),
                *("epochs", "seconds", "hardware", "backend", "versions"),
            )
            if key in card
        },
        **{describe_metric(figure): figure["protocol"] for figure in metrics},
        "files": find(name),
    }
    title = f"{name}: {card.get('summary', card['class'])}"
    return [title, *(f"  {key}: {value}" for key, value in facts.items())]


def _generate(args):
    model = _model(args.path)
    options = {
        **_labels(model, args.n, args.label),
        **_sampling_options(args, model),
    }
    images = model.generate(args.n, **options, seed=args.seed)
    out = Path(args.out)
    make_folder(out.parent)
    save_grid(out, images)
    print(f"{len(images)} images: {out}")


def _evaluate(args):
    model = _model(args.path)
    kg.evaluate(
        model,
        args.dataset,
        num_samples=args.n,
        seed=args.seed,
        metrics=args.metrics,
        repeats=args.repeats,
        extractor=args.extractor,
        image_size=args.image_size,
        grayscale=args.grayscale,
        data_dir=args.data_dir,
        report=args.out or _report_folder(args.path),
        **_sampling_options(args, model),
    )


def _report_folder(path):
    """Return a folder in a run, and beside a preset, which holds no other."""
    if "://" in path:  # nothing is beside it
        path = path.rsplit("/", 1)[1]
    path = Path(path)
    if (path / "model").is_dir():
        return path / "report"
    return path.parent / f"{path.name}_report"


def _model(path):
    """Load a preset by name or folder, or the one `train` left in a folder."""
    inner = Path(path) / "model"
    return kg.from_preset(inner if inner.is_dir() else path)


if __name__ == "__main__":
    sys.exit(main())
