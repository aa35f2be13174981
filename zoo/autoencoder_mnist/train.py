"""Convolutional autoencoders of MNIST with 16 and 32 latents.

    TFDS_DATA_DIR=... python zoo/autoencoder_mnist/train.py

Prints the squared error of the test images, pixels in [0, 1], beside that of
as many principal components. Writes the preset with 32 latents and
`samples.png`, test images above their reconstructions, beside this file.
"""

from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
EPOCHS = 8

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
    rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * len(train))
    model.compile(keras.optimizers.Adam(rate))
    checkpoint = kg.callbacks.Checkpoint(f"runs/autoencoder_mnist/{latent_dim}")
    model.fit(train, epochs=EPOCHS, callbacks=[checkpoint], verbose=2)
    error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
    centred = (x.reshape(len(x), -1) + 1) / 2 - mean
    basis = components[:, -latent_dim:]
    floor = np.mean((centred - centred @ basis @ basis.T) ** 2)
    print(f"{latent_dim} latents: {error:.5f}; PCA {floor:.5f}", flush=True)
model.save_to_preset(FOLDER)
rows = [
    x[:10],
    model.reconstruct(x[:10]),
    x[10:20],
    model.reconstruct(x[10:20]),
]
save_grid(FOLDER / "samples.png", np.concatenate(rows), columns=10)
