"""What the commands of `keras-gen` do."""

import shlex
from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.callbacks.stop_on_nan import not_finite
from keras_gen.files import keep_settings
from keras_gen.files import locked
from keras_gen.files import make_folder
from keras_gen.files import read_settings
from keras_gen.hub import describe_metric
from keras_gen.hub import find
from keras_gen.hub import headline
from keras_gen.hub import read_card
from keras_gen.hub import size_of
from keras_gen.pictures import check_format
from keras_gen.pictures import save_curves
from keras_gen.pictures import save_grid
from keras_gen.recipes import QUICK
from keras_gen.recipes import RECIPES
from keras_gen.recipes import denoises
from keras_gen.recipes import encoded
from keras_gen.recipes import prior


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


def train(args):
    """Train a model and leave it, with its pictures, in a folder."""
    if args.epochs < 1:
        raise ValueError(
            f"--epochs must be at least 1. Received: {args.epochs}"
        )
    out = make_folder(args.out)
    with locked(out):
        _train_in(out, args)


def _train_in(out, args):
    checkpoints = out / "checkpoints"
    if any(checkpoints.glob("ckpt-*")) and not args.resume:
        raise ValueError(
            f"{str(checkpoints)!r} holds an earlier run. Pass --resume to "
            "continue it, or choose another folder."
        )
    keras.utils.set_random_seed(args.seed)
    train, test = _load(args)
    sizes = [len(data.images) for data in (train, test) if data is not None]
    _check_same_run(args, out, sizes)
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
    card = {
        "data": args.dataset,
        "command": shlex.join(["keras-gen", *args.words]),
        "seed": args.seed,
        "epochs": [args.epochs],
    }
    if train.class_names is not None:
        card["class_names"] = list(train.class_names)
    model.save_to_preset(out / "model", card)
    print(f"pictures:    {out / 'samples'}")
    print(f"curves:      {out / 'curves.png'}")
    print(f"model:       {out / 'model'}")
    if not _draws(model):
        print(f"a prior:     {_prior_command(args, out)}")
        return
    words = ["keras-gen", "generate", str(out), "-n", "64", "--out", "grid.png"]
    print(f"draw more:   {shlex.join(words)}")


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
    # Of all classes: test images may be sorted by class.
    mixed = kg.data.ImageDataset(data.images, data.labels, 50)
    examples = mixed[0]
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


def _check_same_run(args, out, sizes):
    """Refuse to resume with arguments that change the run.

    Nor with more or fewer images: others would be held out.
    """
    names = (
        "model",
        "dataset",
        "image_size",
        "grayscale",
        "batch_size",
        "seed",
        "codes",
        "data_dir",
    )
    run = {name: getattr(args, name) for name in names} | {"images": sizes}
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
    except ValueError as error:  # such as no split of that name
        print(f"trains without test images: {error}")
        return train, None


def list_entries(args):
    """Print a line for each entry of the zoo."""
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


def info(args):
    """Print the card of a preset."""
    try:
        lines = _facts(args.name, _folder(args.name))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"The card of {args.name!r} is not one of a preset: {error!r}"
        ) from error
    for line in lines:  # of whoever wrote it: no commands to the terminal
        print("".join(c if c.isprintable() else "?" for c in line))


def _facts(name, preset):
    """Return the lines of `info`."""
    card = read_card(preset)
    metrics = card.get("metrics", [])
    facts = {
        "class": card["class"],
        "parameters": f"{card['parameters']:,}",
        "size": f"{size_of(card) / 1e6:.1f} MB",
        **{
            key: card[key]
            for key in (
                *("data", "class_names", "licence", "use", "limits"),
                *("command", "seed"),
                *("epochs", "seconds", "hardware", "backend", "versions"),
            )
            if key in card
        },
        **{describe_metric(figure): figure["protocol"] for figure in metrics},
        "files": find(preset),
    }
    title = f"{name}: {card.get('summary', card['class'])}"
    return [title, *(f"  {key}: {value}" for key, value in facts.items())]


def generate(args):
    """Write a grid of samples of a preset."""
    out = Path(args.out)
    check_format(out)  # not after all the drawing
    make_folder(out.parent)
    model = _model(args.path)
    options = {
        **_labels(model, args.n, _class(args)),
        **_sampling_options(args, model),
    }
    images = model.generate(args.n, **options, seed=args.seed)
    save_grid(out, images)
    print(f"{len(images)} images: {out}")


def evaluate(args):
    """Measure the samples of a preset and write a report."""
    _take_data_of_training(args)
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


def _take_data_of_training(args):
    """Measure on what a model was trained on, if nothing else is asked for."""
    if args.dataset is not None:
        return
    run = Path(args.path) / "run.json"
    if run.exists():
        settings = read_settings(run)
        args.dataset = settings.get("dataset")
        args.image_size = args.image_size or settings.get("image_size")
        args.grayscale = args.grayscale or settings.get("grayscale", False)
        args.data_dir = args.data_dir or settings.get("data_dir")
        _check_same_pictures(args, settings.get("images"))
    else:
        named = read_card(_folder(args.path)).get("data")
        # A card of others may name what it likes; TFDS would fetch it.
        known = {card["data"] for card in kg.list_presets().values()}
        args.dataset = named if named in known | {"digits"} else None
    if args.dataset is None:
        raise ValueError(
            f"What {args.path!r} was trained on is not known: pass --dataset."
        )
    print(f"trained on {args.dataset!r}; --dataset takes another to compare")


def _check_same_pictures(args, sizes):
    """Raise if the folder a run learnt from holds more or fewer pictures."""
    if sizes is None or not Path(args.dataset).is_dir():
        return
    options = {"image_size": args.image_size, "grayscale": args.grayscale}
    images = kg.data.load(args.dataset, "all", **options).images
    if len(images) != sum(sizes):
        raise ValueError(
            f"There were {sum(sizes)} pictures in {args.dataset!r} when the "
            f"model learnt from them, and now there are {len(images)}: those "
            "held out would be others. Pass --dataset with other pictures."
        )


def _class(args):
    """Return the number of the class --label names, None for all in turn."""
    if args.label is None:
        return None
    names = read_card(_folder(args.path)).get("class_names")
    names = names if isinstance(names, list) else []
    if args.label in names:
        return names.index(args.label)
    if not args.label.isdecimal():
        known = f", or one of {names[:20]}" if names else ""
        raise ValueError(
            f"--label must be the number of a class{known}. Received: "
            f"{args.label!r}"
        )
    return int(args.label)


def _report_folder(path):
    """Return a folder in a run, and beside a preset, which holds no other."""
    if "://" in path:  # nothing is beside it
        path = path.rsplit("/", 1)[1]
    path = Path(path)
    if (path / "model").is_dir():
        return path / "report"
    return path.parent / f"{path.name}_report"


def _folder(path):
    """Return a preset's name or folder, or the one `train` left in a folder."""
    inner = Path(path) / "model"
    if inner.is_dir():
        return inner
    if (Path(path) / "checkpoints").is_dir():
        raise ValueError(
            f"The training in {str(path)!r} has not ended: go on with the same "
            "`keras-gen train ... --resume`."
        )
    return path


def _model(path):
    return kg.from_preset(_folder(path))
