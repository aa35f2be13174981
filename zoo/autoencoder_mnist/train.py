"""Convolutional autoencoder of MNIST with 32 latents, beside one with 16.

    TFDS_DATA_DIR=... python zoo/autoencoder_mnist/train.py

Prints the squared error of the test images, pixels in [0, 1], beside that of
as many principal components. Writes the preset with 32 latents and
`samples.png`, test images above their reconstructions, beside this file.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")

train = kg.data.load("mnist", labels=False)
test = kg.data.load("mnist", "test", labels=False, batch_size=10_000)
x = test[0][0]
flat = train.images.reshape(60_000, -1) / 255.0
mean = flat.mean(axis=0)
_, components = np.linalg.eigh(np.cov(flat, rowvar=False))
for latent_dim in (16, 32):
    keras.utils.set_random_seed(0)
    model = kg.models.Autoencoder(
        kg.nets.conv_encoder((28, 28, 1), latent_dim),
        kg.nets.conv_decoder((28, 28, 1), latent_dim),
    )
    entry.fit(model, train, 8, 1e-3, phase=latent_dim)
    error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
    centred = (x.reshape(len(x), -1) + 1) / 2 - mean
    basis = components[:, -latent_dim:]
    floor = np.mean((centred - centred @ basis @ basis.T) ** 2)
    entry.record(f"squared error, {latent_dim} principal components", floor)
    entry.record(f"squared error, {latent_dim} latents", error)
rows = [
    x[:10],
    model.reconstruct(x[:10]),
    x[10:20],
    model.reconstruct(x[10:20]),
]
entry.save(model, np.concatenate(rows), columns=10)
