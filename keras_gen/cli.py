"""The command `keras-gen`: train a model, draw from it, measure it."""

import argparse
import sys

from keras_gen import commands
from keras_gen import comparison
from keras_gen.diffusion.samplers import SAMPLERS
from keras_gen.metrics.measures import MEASURES
from keras_gen.recipes import RECIPES

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
  samples/      grids of samples after each epoch, and samples.gif; for some
                models reconstructions, or trajectories from noise to data
  checkpoints/  the state to --resume from after an interruption
  curves.png    the logs over the epochs
  model/        the trained model, for `keras-gen generate` and
                `keras_gen.from_preset`
A vqvae has no samples before it has a prior: train an autoregressive model
with --codes, whose model/ is then the vqvae with this prior, and whose
samples/ has one grid, of the end.
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
    args.words = sys.argv[1:] if arguments is None else arguments
    try:
        args.run(args)
    except (ValueError, OSError, ImportError, MemoryError) as error:
        message = " ".join(str(error).split())
        # It may hold what stands in a file of others.
        message = "".join(c if c.isprintable() else "?" for c in message)
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
    known = parser.add_subparsers(required=True, metavar="COMMAND")

    train = known.add_parser(
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
    train.set_defaults(run=commands.train)

    known.add_parser(
        "list", help="list the trained models that come with the package"
    ).set_defaults(run=commands.list_entries)

    info = known.add_parser("info", help="what is known of one of them")
    info.add_argument("name", metavar="NAME")
    info.set_defaults(run=commands.info)

    generate = known.add_parser(
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
        help="name or number of the class to draw, for conditional models "
        "(default: all in turn)",
    )
    _add_sampling_options(generate)
    generate.set_defaults(run=commands.generate)

    evaluate = known.add_parser(
        "evaluate",
        help="measure a trained model beside real images",
        description=_EVALUATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("path", metavar="PATH", help=_PATH)
    _add_data_options(evaluate, "what the model was trained on")
    evaluate.set_defaults(dataset=None)
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
        "--extractor",
        help="what tells features: a classifier, if not that of the data set, "
        "or inception, for any pictures (downloads 90 MB)",
    )
    evaluate.add_argument(
        "--out", help="folder for the report (default: in, or beside, PATH)"
    )
    _add_sampling_options(evaluate)
    evaluate.set_defaults(run=commands.evaluate)
    comparison.add_command(known, _add_data_options)
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


def _add_data_options(parser, default="digits"):
    parser.add_argument(
        "--dataset",
        default="digits",
        help="digits (no download), the name of a TensorFlow Datasets image "
        "data set such as mnist, or a folder of pictures, of which a sixth is "
        f"held out for testing (default: {default})",
    )
    parser.add_argument("--data-dir", help="folder of prepared TFDS data")
    parser.add_argument(
        "--image-size",
        type=int,
        help="crop around the centre and resize to this height and width",
    )
    parser.add_argument(
        "--grayscale", action="store_true", help="convert to one channel"
    )


if __name__ == "__main__":
    sys.exit(main())
