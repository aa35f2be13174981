"""VQ-VAE of MNIST, 7x7 of 128 codes, and a class-conditional PixelCNN prior.

    TFDS_DATA_DIR=... python zoo/vqvae_mnist/train.py

Prints the squared error of the test images over the variance, the codes in
use, the bits per dimension of the prior, and the share of samples that a
classifier takes for the class asked for. Writes the preset and `samples.png`, a
row for each class, beside this file. Interrupted, it goes on where it was.
"""

from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
SHAPE, NUM_CODES, DIM = (28, 28, 1), 128, 16
EPOCHS, PRIOR_EPOCHS = 10, 16


def compile_and_fit(model, data, epochs, rate, folder):
    """Train with a learning rate that falls to zero, resuming from `folder`."""
    rate = keras.optimizers.schedules.CosineDecay(rate, epochs * len(data))
    model.compile(keras.optimizers.Adam(rate))
    checkpoint = kg.callbacks.Checkpoint(f"runs/vqvae_mnist/{folder}")
    model.fit(data, epochs=epochs, callbacks=[checkpoint], verbose=2)


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
compile_and_fit(model, shuffled, EPOCHS, 2e-3, "codes")
error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
variance = np.var(train.images / 255.0)
logs = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
print(f"squared error {error:.5f}, over variance {error / variance:.4f}")
print(f"perplexity {logs['perplexity']:.1f}, codes used {logs['usage']:.3f}")

codes = np.concatenate([model.encode(batch) for batch, _ in train])
prior = kg.models.Autoregressive(
    kg.nets.pixel_cnn((7, 7), NUM_CODES, filters=64, blocks=5, num_classes=10),
    ema_decay=0.999,
)
data = kg.data.ImageDataset(codes, train.labels)
compile_and_fit(prior, data, PRIOR_EPOCHS, 2e-3, "prior")
nats = -prior.log_likelihood(model.encode(x), y).mean()
print(f"prior: {nats:.2f} nats, {nats / np.log(2) / 784:.4f} bits/dim")
model.attach_prior(prior)
model.save_to_preset(FOLDER)
labels = np.arange(80) // 8
images = model.generate(80, labels=labels, seed=0, temperature=0.9)
save_grid(FOLDER / "samples.png", images, columns=8)
for temperature in (1.0, 0.9):
    print(f"temperature {temperature}:")
    measures = {"metrics": ["fd", "class_accuracy"], "temperature": temperature}
    print(kg.evaluate(model, "mnist", **measures))
