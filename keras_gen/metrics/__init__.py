"""How good samples are: distances, coverage, copies, modes."""

from keras_gen.metrics.distances import frechet_distance
from keras_gen.metrics.distances import kernel_distance
from keras_gen.metrics.manifolds import density_and_coverage
from keras_gen.metrics.manifolds import precision_and_recall
from keras_gen.metrics.memorisation import PixelNeighbours
from keras_gen.metrics.modes import mode_counts

__all__ = [
    "PixelNeighbours",
    "density_and_coverage",
    "frechet_distance",
    "kernel_distance",
    "mode_counts",
    "precision_and_recall",
]
