"""The metrics of `keras_gen.evaluate`, each from one set of samples.

A measure takes the `Reference` (the real images) and `Samples`, and returns
its values by name. The names carry what the values depend on: the space that
distances are measured in, and how many samples.
"""

import functools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_gen.data import MIXTURES
from keras_gen.metrics.classifiers import Classifier
from keras_gen.metrics.classifiers import classification_accuracy_score
from keras_gen.metrics.distances import frechet_distance
from keras_gen.metrics.distances import kernel_distance
from keras_gen.metrics.diversity import within_class_diversity
from keras_gen.metrics.manifolds import density_and_coverage
from keras_gen.metrics.manifolds import precision_and_recall
from keras_gen.metrics.memorisation import PixelNeighbours
from keras_gen.metrics.modes import histogram_kl
from keras_gen.metrics.modes import mode_counts
from keras_gen.metrics.reconstruction import mean_squared_error
from keras_gen.metrics.reconstruction import psnr
from keras_gen.metrics.reconstruction import ssim

KERNEL_SUBSET = 1000
MANIFOLD_SAMPLES = 5000


@dataclass
class Reference:
    """The real images, shuffled, and what is computed from them once.

    Attributes:
        dataset: String, the name in the names of metrics.
        train: Array of all training images.
        train_labels: Integer array, or None.
        test: Array of all test images.
        test_labels: Integer array, or None.
        extractor: Callable from images to features and classes, or None.
        modes: Name of the data set if its modes are known, or None.
    """

    dataset: str
    train: np.ndarray
    train_labels: np.ndarray | None
    test: np.ndarray
    test_labels: np.ndarray | None
    extractor: object = None
    modes: str | None = None

    @cached_property
    def _outputs(self):
        return self.extractor(self.train)

    @property
    def features(self):
        return self._outputs[0]

    @property
    def classes(self):
        return self._outputs[1]

    @cached_property
    def neighbours(self):
        return PixelNeighbours(self.train, self.test)

    @property
    def shape(self):
        return self.train.shape[1:]

    @property
    def space(self):
        """Data set and extractor, as in the names of metrics."""
        name = self.extractor.name
        if self.has_own_classifier:
            return name
        return f"{self.dataset}_{name}"

    @property
    def has_own_classifier(self):
        """Whether the extractor was trained on these classes."""
        card = getattr(self.extractor, "card", {})
        return card.get("dataset") == self.dataset


@dataclass
class Samples:
    """One set of samples.

    Attributes:
        images: Array `(n, ...)`.
        extractor: That of the reference.
        labels: Integer array: the classes asked for, or the true ones. None
            when there are none.
        left_out: Integer; training images this far from the start are the
            samples themselves, and not compared with.
        reconstruct: Callable from images to reconstructions, or None.
    """

    images: np.ndarray
    extractor: object = None
    labels: np.ndarray | None = None
    left_out: int = 0
    reconstruct: object = None

    def __len__(self):
        return len(self.images)

    @cached_property
    def _outputs(self):
        return self.extractor(self.images)

    @property
    def features(self):
        return self._outputs[0]

    @property
    def classes(self):
        return self._outputs[1]


def count(n):
    """Return how a sample count is written in a name: 10k, 2500, 299."""
    return f"{n // 1000}k" if n % 1000 == 0 else str(n)


def frechet(reference, samples):
    """Compare with all training images."""
    name = f"fd_{reference.space}_{count(len(samples))}"
    real = reference.features[samples.left_out :]
    return {name: frechet_distance(real, samples.features)}


def kernel(reference, samples):
    """Compare random thousands."""
    name = f"kd_{reference.space}_{count(len(samples))}"
    real = reference.features[samples.left_out :]
    mean, spread = kernel_distance(real, samples.features, KERNEL_SUBSET)
    return {name: mean, f"{name}_spread": spread}


def _manifold(reference, samples):
    """Return as many real as generated features, and the names' ending."""
    n = min(MANIFOLD_SAMPLES, len(samples), len(reference.train))
    end = f"{reference.space}_{count(n)}"
    # The last ones: the first are the samples of the real floor.
    return reference.features[-n:], samples.features[:n], end


def manifold_shares(reference, samples):
    """Return precision and recall."""
    real, generated, end = _manifold(reference, samples)
    precision, recall = precision_and_recall(real, generated)
    return {f"precision_{end}": precision, f"recall_{end}": recall}


def manifold_fill(reference, samples):
    """Return density and coverage."""
    real, generated, end = _manifold(reference, samples)
    density, coverage = density_and_coverage(real, generated)
    return {f"density_{end}": density, f"coverage_{end}": coverage}


def copies(reference, samples):
    """Look for training images among the samples."""
    end = f"{reference.dataset}_pca64_{count(len(samples))}"
    views = reference.neighbours.copies(samples.images)
    return {
        f"copies_{end}": views["share"],
        f"copies_z_{end}": views["z"],
        f"authentic_{end}": views["authentic"],
    }


def class_accuracy(reference, samples):
    """Ask the classifier for the classes, in total and one by one."""
    name = f"class_accuracy_{reference.space}_{count(len(samples))}"
    right = samples.classes == samples.labels
    values = {name: float(right.mean())}
    for c in np.unique(samples.labels):
        share = float(right[samples.labels == c].mean())
        values[f"{name}/class_{c}"] = share
    return values


def diversity(reference, samples):
    """Compare the spread within classes, those that the classifier sees."""
    name = f"diversity_{reference.space}_{count(len(samples))}"
    rest = slice(samples.left_out, None)
    value = within_class_diversity(
        reference.features[rest],
        reference.classes[rest],
        samples.features,
        samples.classes,
    )
    return {name: value}


def accuracy_score(reference, samples):
    """Train a classifier on the samples."""
    value = classification_accuracy_score(
        samples.images, samples.labels, reference.test, reference.test_labels
    )
    return {f"cas_{reference.dataset}_v1_{count(len(samples))}": value}


def reconstruction(reference, samples):
    """Reconstruct as many test images."""
    images = reference.test[: len(samples)]
    copies = samples.reconstruct(images)
    end = f"{reference.dataset}_test_{count(len(images))}"
    values = {
        f"reconstruction_mse_{end}": mean_squared_error(images, copies),
        f"psnr_{end}": psnr(images, copies),
    }
    if min(reference.shape[:2]) >= 11:  # the side of SSIM's window
        values[f"ssim_{end}"] = ssim(images, copies)
    return values


def modes(reference, samples):
    """Count the modes reached."""
    if reference.modes in MIXTURES:
        end = f"{reference.dataset}_{count(len(samples))}"
        values = mode_counts(samples.images, *MIXTURES[reference.modes])
        return {f"{key}_{end}": value for key, value in values.items()}
    # Stacked digits: the mode is the number that the three channels spell.
    classifier = _digit_classifier()
    digits = [classifier(samples.images[..., i : i + 1])[1] for i in range(3)]
    numbers = 100 * digits[0] + 10 * digits[1] + digits[2]
    counts = np.bincount(numbers, minlength=1000)
    end = f"stacked_{classifier.name}_{count(len(samples))}"
    return {
        f"modes_{end}": int((counts > 0).sum()),
        f"kl_{end}": histogram_kl(counts),
    }


@functools.cache
def _digit_classifier():
    return Classifier("mnist_lenet64_v1")


@dataclass
class Measure:
    """A measure, what it needs, and the fewest samples it is defined for."""

    compute: object
    needs: tuple
    minimum: int = 2


MEASURES = {
    "fd": Measure(frechet, ("features",)),
    "kd": Measure(kernel, ("features",), KERNEL_SUBSET),
    "precision_recall": Measure(manifold_shares, ("features",), 4),
    "density_coverage": Measure(manifold_fill, ("features",), 6),
    "copies": Measure(copies, ("images", "neighbours")),
    "class_accuracy": Measure(class_accuracy, ("labels", "own"), 1),
    "diversity": Measure(diversity, ("classes",)),
    "cas": Measure(accuracy_score, ("images", "labels"), 1),
    "reconstruction": Measure(reconstruction, ("images", "reconstruct"), 1),
    "modes": Measure(modes, ("modes",), 1),
}


def why_not(name, reference, samples):
    """Return why a measure cannot be taken of samples, or None if it can."""
    measure = MEASURES[name]
    if len(samples) < measure.minimum:
        return (
            f"it needs at least {measure.minimum} samples. "
            f"Received: {len(samples)}"
        )
    real = len(reference.train) - samples.left_out
    if "features" in measure.needs and real < measure.minimum:
        return (
            f"it needs at least {measure.minimum} training images to compare "
            f"with. Received: {real}"
        )
    for need in measure.needs:
        reason = _LACKS[need](reference, samples)
        if reason:
            return reason
    return None


def _lacks_features(reference, samples):
    if reference.extractor is None:
        return (
            "no classifier comes with the package for the data set "
            f"{reference.dataset!r}; pass `extractor`, such as a "
            "`keras.Model` that returns features"
        )
    return None


def _lacks_classes(reference, samples):
    reason = _lacks_features(reference, samples)
    if reason is None and samples.classes is None:
        reason = f"{reference.extractor.name!r} does not predict classes"
    return reason


def _lacks_labels(reference, samples):
    if reference.train_labels is None or reference.test_labels is None:
        return f"the data set {reference.dataset!r} has no labels"
    if samples.labels is None:
        return "the model is not conditional: it draws no labelled samples"
    return None


def _lacks_own_classifier(reference, samples):
    if reference.has_own_classifier:
        return None
    return (
        "the extractor is not a classifier of the classes of the data set "
        f"{reference.dataset!r}"
    )


def _lacks_images(reference, samples):
    return None if len(reference.shape) == 3 else "it needs images"


def _lacks_neighbours(reference, samples):
    try:
        _ = reference.neighbours
    except ValueError as error:
        return str(error)
    return None


def _lacks_reconstruct(reference, samples):
    return None if samples.reconstruct else "the model has no `reconstruct`"


def _lacks_modes(reference, samples):
    if reference.modes is not None:
        return None
    return f"the modes of the data set {reference.dataset!r} are not known"


_LACKS = {
    "features": _lacks_features,
    "classes": _lacks_classes,
    "labels": _lacks_labels,
    "own": _lacks_own_classifier,
    "images": _lacks_images,
    "neighbours": _lacks_neighbours,
    "reconstruct": _lacks_reconstruct,
    "modes": _lacks_modes,
}
