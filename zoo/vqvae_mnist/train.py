"""VQ-VAE of MNIST, 7x7 of 128 codes, and a class-conditional PixelCNN prior.

    TFDS_DATA_DIR=... python zoo/vqvae_mnist/train.py

Prints the squared error of the test images over the variance, the codes in
use, the bits per dimension of the prior, and the share of samples that a
classifier takes for the class asked for. Writes the preset and `samples.png`, a
row for each class, beside this file. Interrupted, it goes on where it was.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE, NUM_CODES, DIM = (28, 28, 1), 128, 16

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", shuffle=False)
x, y = kg.data.load("mnist", "test", batch_size=10_000)[0]
model = kg.models.VQVAE(
    kg.nets.grid_encoder(SHAPE, DIM, filters=(32, 64)),
    kg.nets.grid_decoder(SHAPE, DIM, filters=(64, 32)),
    kg.layers.VectorQuantizer(
        NUM_CODES, DIM, restart_below=0.1, kmeans_steps=10
    ),
    likelihood=kg.losses.Gaussian(0.2),
)
shuffled = kg.data.ImageDataset(train.images)
entry.fit(model, shuffled, 10, 2e-3, phase="codes")
error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
variance = np.var(train.images / 255.0)
logs = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
entry.record("squared error over variance", error / variance)
entry.record("perplexity of the codes", logs["perplexity"])
entry.record("share of codes in use", logs["usage"])

codes = np.concatenate([model.encode(batch) for batch, _ in train])
prior = kg.models.Autoregressive(
    kg.nets.pixel_cnn((7, 7), NUM_CODES, filters=64, blocks=5, num_classes=10),
    ema_decay=0.999,
    codebook=model.fingerprint,
)
data = kg.data.ImageDataset(codes, train.labels)
entry.fit(prior, data, 16, 2e-3, phase="prior")
nats = -prior.log_likelihood(model.encode(x), y).mean()
entry.record("nats of the prior", nats)
entry.record("bits of the prior per dimension", nats / np.log(2) / 784)
model.attach_prior(prior)
for temperature in (1.0, 0.9):
    entry.evaluate(
        model,
        ["fd", "class_accuracy"],
        label=f"temperature {temperature}: ",
        temperature=temperature,
    )
labels = np.arange(80) // 8
images = model.generate(80, labels=labels, seed=0, temperature=0.9)
entry.save(model, images)
