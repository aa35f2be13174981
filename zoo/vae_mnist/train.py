"""VAE on dynamically binarised MNIST, 784-200-200-50 with tanh.

    TFDS_DATA_DIR=... python zoo/vae_mnist/train.py

Writes the preset and `samples.png` beside this file and prints the negative
log-likelihood of the test images. Interrupted, it goes on where it was.

The network of Burda et al., Importance Weighted Autoencoders, 2015
(arXiv:1509.00519), with averaged weights and a shorter schedule.
"""

from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
# Epochs, and the learning rate that falls to zero over them.
PHASES = ((1000, 3e-3), (300, 1e-3))

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False, binarize=True)
test = kg.data.load(
    "mnist", "test", labels=False, binarize=True, batch_size=10_000
)
nets = {"units": (200, 200), "hidden_activation": "tanh"}
x = keras.Input((28, 28, 1))
scaled = keras.layers.Rescaling(0.5, 0.5)(x)  # tanh learns faster on [0, 1]
encoder = kg.nets.dense_encoder((28, 28, 1), 50, outputs=2, **nets)
decoder = kg.nets.dense_decoder((28, 28, 1), 50, **nets)
# Start from the mean image, so that the first steps go into what differs.
mean = (train.images / 255.0).mean(axis=0).clip(0.001, 0.999).ravel()
decoder.layers[-2].bias.assign(np.log(mean / (1 - mean)))
model = kg.models.VAE(
    keras.Model(x, encoder(scaled)),
    decoder,
    # Without it most latents fall silent early, and stay so.
    beta=kg.losses.LinearWarmup(20 * len(train)),
    likelihood="bernoulli",
    ema_decay=0.999,
)
for epochs, start in PHASES:
    rate = keras.optimizers.schedules.CosineDecay(start, epochs * len(train))
    model.compile(keras.optimizers.Adam(rate, epsilon=1e-4))
    checkpoint = kg.callbacks.Checkpoint(f"runs/vae_mnist/{epochs}", every=10)
    model.fit(train, epochs=epochs, callbacks=[checkpoint], verbose=2)
model.save_to_preset(FOLDER)
save_grid(FOLDER / "samples.png", model.generate(64, seed=0))
nll = -model.log_likelihood(test[0][0], num_samples=5000)
print(f"negative log-likelihood (5000 samples): {nll.mean():.2f} nats")
