"""How good samples are: distances, coverage, copies, modes."""

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
    "classification_accuracy_score",
    "density_and_coverage",
    "evaluate",
    "frechet_distance",
    "histogram_kl",
    "inception",
    "kernel_distance",
    "mean_squared_error",
    "mode_counts",
    "pca_gaussian",
    "precision_and_recall",
    "psnr",
    "ssim",
    "within_class_diversity",
]
