"""One protocol for every model: its samples beside real images."""

import functools
import time
from pathlib import Path

import numpy as np

from keras_gen import checks
from keras_gen.data import MIXTURES
from keras_gen.data import ImageDataset
from keras_gen.data import load
from keras_gen.files import make_folder
from keras_gen.metrics import classifiers
from keras_gen.metrics.checks import as_images
from keras_gen.metrics.extractors import get_extractor
from keras_gen.metrics.measures import MEASURES
from keras_gen.metrics.measures import Reference
from keras_gen.metrics.measures import Samples
from keras_gen.metrics.measures import why_not
from keras_gen.metrics.memorisation import principal_components
from keras_gen.metrics.report import write_report

FLOORS = ("real_train", "real_test", "pca_gaussian")


def evaluate(
    model,
    dataset,
    num_samples=None,
    seed=0,
    metrics=None,
    *,
    repeats=3,
    extractor=None,
    image_size=None,
    grayscale=False,
    data_dir=None,
    report=None,
    verbose=True,
    **generate_arguments,
):
    """Measure how good a model's samples are, beside real ones.

    Every value is a mean over `repeats` sets of samples. Values of one name
    are comparable between models of any family; values of different names
    (another classifier, another number of samples) are not. A Frechet distance
    alone rewards copying the training images: read it beside recall or
    coverage and the share of copies.

    Args:
        model: Anything with `generate(num_samples, seed=...)`, and `labels` if
            its `num_classes` is not None.
        dataset: The data it learnt: a name or folder as for
            `keras_gen.data.load`, or a tuple of two `ImageDataset`, training
            and test. Of a name or folder it must have learnt the split
            `"train"` alone: the others are taken for unseen.
        num_samples: Integer. Defaults to 10,000, or to the number of test
            images where there are fewer, so that the real floors are measured
            on as many; 2,500 for `"ring"` and `"grid"`, 26,000 for
            `"stacked_mnist"`.
        seed: Integer; the sets are drawn with `seed`, `seed + 1`, ...
        metrics: List of strings, or None for all that apply but `"cas"`:
            - `"fd"`, `"kd"`: Frechet and kernel distance of features, the
              latter from 1,000 samples on;
            - `"precision_recall"`, `"density_coverage"`: on at most 5,000 of
              each;
            - `"copies"`: share of copied training images, and two more views;
            - `"diversity"`: within a class, relative to real images;
            - `"class_accuracy"`: how often a conditional model draws the class
              it is asked for;
            - `"cas"`: accuracy on real images of a classifier trained on
              samples of a conditional model;
            - `"reconstruction"`: squared error, PSNR and SSIM on test images;
            - `"modes"`: for `"ring"`, `"grid"` and `"stacked_mnist"`.
        repeats: Integer, how many sets of samples.
        extractor: What the features come from: name of a classifier that ships
            with the package, `"inception"`, a `keras.Model` that has a name of
            its own and one output, or a callable with a `name` that returns
            (features, classes). Defaults to the classifier of the data set.
        image_size: Integer or (height, width) that the model was trained on,
            see `keras_gen.data.load`.
        grayscale: Bool, whether it was trained on one channel.
        data_dir: Folder of prepared TFDS data.
        report: Folder for `report.md`, `report.json`, a grid of samples and
            the training images they are nearest to; or None.
        verbose: Bool, whether to print each row when it is done.
        **generate_arguments: Passed to `model.generate`, such as `batch_size`
            or `use_ema`.

    Returns:
        Flat dict from names such as `"fd_mnist_lenet64_v1_10k"` to floats.
        Beside each stand `"std/..."`, its standard deviation over the sets
        (with `repeats` above 1), `"real_train/..."` and `"real_test/..."`, the
        values of real images in place of samples, and `"pca_gaussian/..."`,
        those of a Gaussian in 100 principal components.

    Raises:
        ValueError: If a metric of `metrics` does not apply, or the model
            generates NaN, values outside [-1, 1] or another shape.

    Example:
    >>> values = keras_gen.evaluate(vae, "digits", report="runs/vae/report")
    """
    checks.check_positive_integer(repeats, "repeats")
    checks.check_seed(seed)
    if report is not None:
        report = make_folder(report)  # before the work, not after it
    evaluation = Evaluation(
        dataset,
        num_samples,
        metrics,
        extractor=extractor,
        image_size=image_size,
        grayscale=grayscale,
        data_dir=data_dir,
    )

    def say(text):
        if verbose:
            print(text, flush=True)

    reference = evaluation.reference
    say(
        f"{reference.dataset}: {len(reference.train)} training and "
        f"{len(reference.test)} test images; {evaluation.num_samples} samples "
        f"{repeats} times"
    )
    start = time.perf_counter()
    # Drawn before the floors are measured: a model that cannot be evaluated
    # is told so at once.
    samples = first = evaluation.draw(model, seed, **generate_arguments)
    seconds = time.perf_counter() - start
    evaluation.check(first)
    if evaluation.skipped:
        reasons = (f"{k} ({v})" for k, v in evaluation.skipped.items())
        say(f"not measured: {', '.join(reasons)}")
    rows, trials = {}, []
    for floor in FLOORS:
        rows[floor] = evaluation.of_floor(floor)
        say(_line(floor, rows[floor], start))
    for s in range(seed, seed + repeats):
        if s > seed:
            before = time.perf_counter()
            samples = evaluation.draw(model, s, **generate_arguments)
            seconds += time.perf_counter() - before
            samples.reconstruct = None  # no other with another seed
        trials.append(evaluation.compute(samples))
        say(_line(f"seed {s}", trials[-1], start))
    rows["model"], rows["std"] = {}, {}
    for key in trials[0]:
        values = np.array([t[key] for t in trials if key in t])
        rows["model"][key] = float(values.mean())
        if len(values) > 1:
            with np.errstate(invalid="ignore"):  # of infinite values: NaN
                rows["std"][key] = float(values.std(ddof=1))
    if report is not None:
        recipe = {
            "model": type(model).__name__,
            "num_samples": evaluation.num_samples,
            "seeds": list(range(seed, seed + repeats)),
            "generate": {k: str(v) for k, v in generate_arguments.items()},
            "seconds_sampling": round(seconds, 1),
            "seconds_in_all": round(time.perf_counter() - start, 1),
        }
        write_report(report, rows, reference, first, recipe, evaluation.skipped)
        say(f"report: {report}")
    values = dict(rows.pop("model"))
    for name, row in rows.items():
        values.update({f"{name}/{key}": value for key, value in row.items()})
    return values


class Evaluation:
    """The real images of a data set and the metrics to take, kept for reuse.

    `evaluate` and the callback `EvaluateSamples` are made of it; its arguments
    are those of `evaluate`.

    Attributes:
        skipped: Dict from the metrics that were not asked for by name and do
            not apply to the reason.
    """

    def __init__(
        self,
        dataset,
        num_samples=None,
        metrics=None,
        *,
        extractor=None,
        image_size=None,
        grayscale=False,
        data_dir=None,
    ):
        if isinstance(metrics, str):
            metrics = [metrics]
        if metrics is not None and len(metrics) == 0:
            raise ValueError(
                "`metrics` must name at least one, or be None for all that "
                f"apply. Received: metrics={metrics!r}"
            )
        unknown = sorted(set(metrics or ()) - set(MEASURES))
        if unknown:
            raise ValueError(
                f"Unknown metrics {unknown}. Expected some of {list(MEASURES)}"
            )
        if num_samples is not None:
            checks.check_positive_integer(num_samples, "num_samples")
        options = {
            "image_size": image_size,
            "grayscale": grayscale,
            "data_dir": data_dir,
        }
        self.reference = _read(dataset, extractor, options)
        self.asked = metrics
        self.skipped = {}
        self.num_samples = num_samples or self._default_count()

    def _default_count(self):
        if self.reference.modes is not None:
            return 2_500 if self.reference.modes in MIXTURES else 26_000
        return min(10_000, len(self.reference.test))

    def draw(self, model, seed, **generate_arguments):
        """Draw samples, with the classes of the training images if any."""
        reference, n = self.reference, self.num_samples
        labels = None
        if "labels" in generate_arguments:
            raise ValueError(
                "`labels` are those of the training images, and cannot be "
                "chosen."
            )
        options = {
            key: generate_arguments[key]
            for key in ("batch_size", "use_ema")
            if key in generate_arguments
        }
        if getattr(model, "num_classes", None) is not None:
            if reference.train_labels is None or reference.test_labels is None:
                raise ValueError(
                    f"The model is conditional, and the data set "
                    f"{reference.dataset!r} has no labels to ask it for."
                )
            labels = np.resize(reference.train_labels, n)
            generate_arguments["labels"] = labels
        images = model.generate(n, seed=seed, **generate_arguments)
        images = np.asarray(images, "float32")
        if len(images) != n:
            raise ValueError(
                f"`model.generate({n})` returned {len(images)} samples."
            )
        if images.shape[1:] != reference.shape:
            raise ValueError(
                f"The samples must have the shape of {reference.dataset!r}, "
                f"{reference.shape}. Received: {images.shape[1:]}. Pass the "
                "data set, `image_size` and `grayscale` that the model was "
                "trained with."
            )
        if len(reference.shape) == 3:
            as_images("model.generate(...)", images)
        elif not np.isfinite(images).all():
            raise ValueError("`model.generate(...)` returned NaN or infinity.")
        reconstruct = None
        if hasattr(model, "reconstruct"):
            if labels is not None:
                options["labels"] = reference.test_labels[:n]
            reconstruct = functools.partial(model.reconstruct, **options)
        return Samples(
            images, reference.extractor, labels, reconstruct=reconstruct
        )

    def check(self, samples):
        """Raise unless all metrics that were asked for apply to samples."""
        self.skipped = {}
        for name in self.asked or MEASURES:
            reason = why_not(name, self.reference, samples)
            if name == "cas" and not self.asked and not reason:
                reason = "it trains a classifier; ask for it by name"
            if reason and self.asked:
                raise ValueError(
                    f"The metric {name!r} does not apply: {reason}"
                )
            if reason:
                self.skipped[name] = reason
        if len(self.skipped) == len(MEASURES):
            reasons = "; ".join(f"{k}: {v}" for k, v in self.skipped.items())
            raise ValueError(f"No metric applies. {reasons}")

    def of_samples(self, samples):
        """Return the metrics of samples that `draw` returned, or raise."""
        self.check(samples)
        return self.compute(samples)

    def compute(self, samples, leave_out=()):
        """Return those of the metrics that apply to samples."""
        values = {}
        for name in self.asked or MEASURES:
            if name in leave_out or (name == "cas" and not self.asked):
                continue
            if why_not(name, self.reference, samples) is None:
                measure = MEASURES[name]
                values.update(measure.compute(self.reference, samples))
        return values

    def of_floor(self, floor):
        """Return the metrics of real images, or of a Gaussian, as samples.

        Args:
            floor: `"real_train"`, training images against the others;
                `"real_test"`; or `"pca_gaussian"`. Where there are not as many
                images as samples the names say how many there are.
        """
        reference, n = self.reference, self.num_samples
        extractor = reference.extractor
        if floor == "real_train":
            n = min(n, len(reference.train) // 2)
            labels = reference.train_labels
            labels = None if labels is None else labels[:n]
            samples = Samples(reference.train[:n], extractor, labels, n)
        elif floor == "real_test":
            labels = reference.test_labels
            labels = None if labels is None else labels[:n]
            samples = Samples(reference.test[:n], extractor, labels)
            # A classifier trained on these would be tested on them.
            return self.compute(samples, leave_out=("cas",))
        else:
            samples = Samples(pca_gaussian(reference.train, n), extractor)
        return self.compute(samples)


def pca_gaussian(train, n, components=100, seed=0):
    """Draw from a Gaussian in the first principal components of images.

    The least a generative model must beat.

    Args:
        train: Array `(m, ...)` in [-1, 1].
        n: Integer, how many to draw.
        components: Integer.
        seed: Integer.

    Returns:
        float32 array `(n, ...)`; images are clipped to [-1, 1].

    Raises:
        ValueError: If images are not finite or not in [-1, 1].
    """
    if train.ndim == 4:
        as_images("train", train)
    flat = train.reshape(len(train), -1)
    pca = principal_components(flat, components)
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(n, pca.n_components_))
    samples = pca.inverse_transform(codes * np.sqrt(pca.explained_variance_))
    if train.ndim == 4:
        samples = np.clip(samples, -1, 1)
    return samples.reshape(n, *train.shape[1:]).astype("float32")


def _read(dataset, extractor, options):
    """Return the `Reference` of a data set, in a fixed random order."""
    modes = None
    if isinstance(dataset, (str, Path)):
        train = load(dataset, "train", **options)
        test = load(dataset, "test", **options)
        name = Path(dataset).name
        if not Path(dataset).is_dir():  # "emnist/mnist" is not "mnist"
            name = str(dataset).replace("/", "_")
        if dataset in (*MIXTURES, "stacked_mnist"):
            modes = dataset
        if options["image_size"] is not None:
            name += "_" + "x".join(map(str, train.element_shape[:2]))
        if options["grayscale"]:
            name += "_grey"
    elif (
        isinstance(dataset, tuple)
        and len(dataset) == 2
        and all(isinstance(part, ImageDataset) for part in dataset)
    ):
        name, (train, test) = "data", dataset
    else:
        raise ValueError(
            "`dataset` must be a name, a folder, or a tuple of two "
            f"`ImageDataset`, training and test. Received: {type(dataset)}"
        )
    if train.element_shape != test.element_shape:
        raise ValueError(
            "Training and test images must have the same shape. Received: "
            f"{train.element_shape} and {test.element_shape}"
        )
    if extractor is None:
        for classifier, card in classifiers.available().items():
            same = card["dataset"] == dataset == name and card["seed"] == 0
            if same and tuple(card["shape"]) == train.element_shape:
                extractor = classifier
    if extractor is not None:
        extractor = get_extractor(extractor, train.element_shape)
    return Reference(
        name, *_shuffled(train), *_shuffled(test), extractor, modes
    )


def _shuffled(data):
    """Return all images and labels in an order of their own, as one batch.

    Files may be sorted, and a part of them would not be like the rest.
    """
    n = len(data.images)
    rows = np.random.default_rng(0).permutation(n)
    labels = None if data.labels is None else data.labels[rows]
    images = ImageDataset(
        data.images[rows], None, n, False, data.seed, data.binarize
    )[0][0].astype("float32", copy=False)
    if images.ndim == 4:
        as_images("dataset", images)
    return images, labels


def _line(name, values, start):
    shown = [
        f"{key.partition('_')[0]} {value:.3f}"
        for key, value in values.items()
        if key.startswith(("fd_", "recall_", "coverage_", "copies_", "modes_"))
        and not key.startswith("copies_z")
    ]
    seconds = time.perf_counter() - start
    return f"{name:14s} {'  '.join(shown)}  ({seconds:.0f} s)"
