"""How good samples and codes are: distances, coverage, copies, modes."""

from keras_gen.metrics.classifiers import Classifier
from keras_gen.metrics.classifiers import classification_accuracy_score
from keras_gen.metrics.distances import frechet_distance
from keras_gen.metrics.distances import kernel_distance
from keras_gen.metrics.diversity import within_class_diversity
from keras_gen.metrics.evaluation import Evaluation
from keras_gen.metrics.evaluation import evaluate
from keras_gen.metrics.evaluation import pca_gaussian
from keras_gen.metrics.extractors import KerasFeatures
from keras_gen.metrics.extractors import inception
from keras_gen.metrics.latents import active_units
from keras_gen.metrics.latents import (
    disentanglement_completeness_informativeness,
)
from keras_gen.metrics.latents import mutual_information_gap
from keras_gen.metrics.latents import separated_attribute_predictability
from keras_gen.metrics.manifolds import density_and_coverage
from keras_gen.metrics.manifolds import precision_and_recall
from keras_gen.metrics.memorisation import PixelNeighbours
from keras_gen.metrics.modes import histogram_kl
from keras_gen.metrics.modes import mode_counts
from keras_gen.metrics.reconstruction import mean_squared_error
from keras_gen.metrics.reconstruction import psnr
from keras_gen.metrics.reconstruction import ssim

__all__ = [
    "Classifier",
    "Evaluation",
    "KerasFeatures",
    "PixelNeighbours",
    "active_units",
    "classification_accuracy_score",
    "density_and_coverage",
    "disentanglement_completeness_informativeness",
    "evaluate",
    "frechet_distance",
    "histogram_kl",
    "inception",
    "kernel_distance",
    "mean_squared_error",
    "mode_counts",
    "mutual_information_gap",
    "pca_gaussian",
    "precision_and_recall",
    "psnr",
    "separated_attribute_predictability",
    "ssim",
    "within_class_diversity",
]
