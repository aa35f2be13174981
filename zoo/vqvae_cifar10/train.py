"""VQ-VAE of CIFAR-10, 8x8 of 512 codes, and a class-conditional prior.

    TFDS_DATA_DIR=... python zoo/vqvae_cifar10/train.py

Prints the squared error of the test images over the variance, the codes in
use, and the bits per dimension of the prior. Writes the preset, `samples.png`
and `reconstructions.png` beside this file. Interrupted, it goes on.

Network and codebook are those of the VQ-VAE example of DeepMind's Sonnet.
"""

from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
SHAPE, NUM_CODES, DIM = (32, 32, 3), 512, 64
EPOCHS, PRIOR_EPOCHS = 8, 14


def compile_and_fit(model, data, epochs, rate, folder):
    """Train with a learning rate that falls to zero, resuming from `folder`."""
    rate = keras.optimizers.schedules.CosineDecay(rate, epochs * len(data))
    model.compile(keras.optimizers.Adam(rate))
    checkpoint = kg.callbacks.Checkpoint(f"runs/vqvae_cifar10/{folder}")
    model.fit(data, epochs=epochs, callbacks=[checkpoint], verbose=2)


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
compile_and_fit(model, shuffled, EPOCHS, 1e-3, "codes")
copies = model.reconstruct(x)
error = kg.metrics.mean_squared_error(x, copies)
variance = np.var(train.images[::10] / 255.0)
logs = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
print(f"squared error {error:.5f}, over variance {error / variance:.4f}")
print(f"perplexity {logs['perplexity']:.1f}, codes used {logs['usage']:.3f}")
rows = np.concatenate([x[:10], copies[:10], x[10:20], copies[10:20]])
save_grid(FOLDER / "reconstructions.png", rows, columns=10)

codes = np.concatenate([model.encode(batch) for batch, _ in train])
network = kg.nets.pixel_cnn((8, 8), NUM_CODES, num_classes=10, dropout=0.1)
prior = kg.models.Autoregressive(network, ema_decay=0.999)
data = kg.data.ImageDataset(codes, train.labels)
compile_and_fit(prior, data, PRIOR_EPOCHS, 1e-3, "prior")
nats = -prior.log_likelihood(model.encode(x), y).mean()
print(f"prior: {nats:.2f} nats, {nats / np.log(2) / 3072:.4f} bits/dim")
model.attach_prior(prior)
model.save_to_preset(FOLDER)
images = model.generate(80, labels=np.arange(80) // 8, seed=0)
save_grid(FOLDER / "samples.png", images, columns=8)
