"""Sparse autoencoder of MNIST: 256 sigmoid units, 5 % of them at work.

    TFDS_DATA_DIR=... python zoo/sparse_autoencoder_mnist/train.py

Prints the squared error and the mean activation of the test images. Writes the
preset and `samples.png`, what each of 100 units draws on its own, beside this
file.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False)
test = kg.data.load("mnist", "test", labels=False, batch_size=10_000)
x = keras.Input((28, 28, 1))
codes = keras.layers.Dense(256, "sigmoid")(keras.layers.Flatten()(x))
model = kg.models.SparseAutoencoder(
    keras.Model(x, codes),
    kg.nets.dense_decoder((28, 28, 1), latent_dim=256, units=()),
    penalty=kg.losses.KLSparsity(target=0.05, weight=20.0),
)
entry.fit(model, train, 30, 2e-3)
images = test[0][0]
h = model.encode(images)
error = kg.metrics.mean_squared_error(images, model.reconstruct(images))
entry.record("squared error", error)
entry.record("mean activation, for a target of 0.05", h.mean())
black = model.decode(np.zeros((1, 256)))
units = model.decode(np.eye(256)[h.mean(axis=0).argsort()[-100:]]) - black
units /= np.abs(units).max(axis=(1, 2, 3), keepdims=True)
entry.save(model, units, columns=10)
