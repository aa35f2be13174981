"""Conditional VAE on dynamically binarised MNIST, 784-200-200-50 with tanh.

    TFDS_DATA_DIR=... python zoo/conditional_vae_mnist/train.py

Writes the preset, its card and `samples.png` beside this file and prints the
negative log-likelihood of the test images given their labels, and the share of
samples that a classifier takes for the class asked for. Interrupted, it goes
on.

The network of Burda et al., Importance Weighted Autoencoders, 2015
(arXiv:1509.00519), with labels and a learned prior p(z|y).
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist", binarized=True)
BINARISED = "binarised test images, 5,000 importance samples"

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", binarize=True)
test = kg.data.load("mnist", "test", binarize=True, batch_size=10_000)
codes = {"latent_dim": 50, "num_classes": 10}
nets = {"units": (200, 200), "hidden_activation": "tanh", **codes}
x, y = keras.Input((28, 28, 1)), keras.Input((10,))
scaled = keras.layers.Rescaling(0.5, 0.5)(x)  # tanh learns faster on [0, 1]
encoder = kg.nets.dense_encoder((28, 28, 1), outputs=2, **nets)
decoder = kg.nets.dense_decoder((28, 28, 1), **nets)
# Start from the mean image, so that the first steps go into what differs.
mean = (train.images / 255.0).mean(axis=0).clip(0.001, 0.999).ravel()
decoder.layers[-2].bias.assign(np.log(mean / (1 - mean)))
model = kg.models.ConditionalVAE(
    keras.Model([x, y], encoder([scaled, y])),
    decoder,
    prior=kg.nets.label_prior(**codes),
    beta=kg.losses.LinearWarmup(20 * len(train)),
    likelihood="bernoulli",
    ema_decay=0.999,
)
for epochs, rate in ((700, 3e-3), (600, 2e-3), (800, 2e-3)):
    entry.fit(model, train, epochs, rate, phase=epochs, every=10, epsilon=1e-4)
x, y = test[0]
nll = -model.log_likelihood(x, y, num_samples=5000).mean()
entry.record("negative log-likelihood in nats", nll, protocol=BINARISED)
entry.evaluate(model, ["class_accuracy"])
labels = np.arange(80) // 8  # a row for each class
entry.save(model, model.generate(80, labels=labels, seed=0))
