"""VQ-VAE of CIFAR-10, 8x8 of 512 codes, and a class-conditional prior.

    TFDS_DATA_DIR=... python zoo/vqvae_cifar10/train.py

Prints the squared error of the test images over the variance, the codes in
use, and the bits per dimension of the prior. Writes the preset, `samples.png`
and `reconstructions.png` beside this file. Interrupted, it goes on.

Network and codebook are those of the VQ-VAE example of DeepMind's Sonnet.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry
from keras_gen.pictures import save_grid

entry = Entry(__file__, "cifar10")
SHAPE, NUM_CODES, DIM = (32, 32, 3), 512, 64

keras.utils.set_random_seed(0)
train = kg.data.load("cifar10", shuffle=False)
x, y = kg.data.load("cifar10", "test", batch_size=10_000)[0]
model = kg.models.VQVAE(
    kg.nets.grid_encoder(SHAPE, DIM),
    kg.nets.grid_decoder(SHAPE, DIM),
    kg.layers.VectorQuantizer(
        NUM_CODES, DIM, restart_below=0.1, kmeans_steps=10
    ),
    likelihood=kg.losses.Gaussian(0.2),
)
shuffled = kg.data.ImageDataset(train.images, batch_size=64)
entry.fit(model, shuffled, 8, 1e-3, phase="codes")
copies = model.reconstruct(x)
error = kg.metrics.mean_squared_error(x, copies)
variance = np.var(train.images[::10] / 255.0)
logs = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
entry.record("squared error over variance", error / variance)
entry.record("perplexity of the codes", logs["perplexity"])
entry.record("share of codes in use", logs["usage"])
rows = np.concatenate([x[:10], copies[:10], x[10:20], copies[10:20]])
save_grid(entry.folder / "reconstructions.png", rows, columns=10)

codes = np.concatenate([model.encode(batch) for batch, _ in train])
network = kg.nets.pixel_cnn((8, 8), NUM_CODES, num_classes=10, dropout=0.1)
prior = kg.models.Autoregressive(
    network, ema_decay=0.999, codebook=model.fingerprint
)
data = kg.data.ImageDataset(codes, train.labels)
entry.fit(prior, data, 14, 1e-3, phase="prior")
nats = -prior.log_likelihood(model.encode(x), y).mean()
entry.record("nats of the prior", nats)
entry.record("bits of the prior per dimension", nats / np.log(2) / 3072)
model.attach_prior(prior)
images = model.generate(80, labels=np.arange(80) // 8, seed=0)
entry.save(model, images)
