"""Data sets: digits, TFDS, folders and arrays behind one contract."""

from keras_gen.data.dataset import ImageDataset
from keras_gen.data.load import load

__all__ = ["ImageDataset", "load"]
