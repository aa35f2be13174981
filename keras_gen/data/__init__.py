"""Data sets: digits, TFDS, folders and arrays behind one contract."""

from keras_gen.data.dataset import ImageDataset
from keras_gen.data.load import load
from keras_gen.data.toy import MIXTURES

__all__ = ["MIXTURES", "ImageDataset", "load"]
