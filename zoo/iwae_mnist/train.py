"""IWAE with 50 samples on dynamically binarised MNIST, 784-200-200-50, tanh.

    TFDS_DATA_DIR=... python zoo/iwae_mnist/train.py

Writes the preset and `samples.png` beside this file and prints the negative
log-likelihood of the test images. Interrupted, it goes on where it was.

The network of Burda et al., Importance Weighted Autoencoders, 2015
(arXiv:1509.00519). It starts from the VAE of the zoo and goes on with 5 samples
an image, then 50: the tighter the bound, the dearer the step.
"""

from pathlib import Path

import keras

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False, binarize=True)
test = kg.data.load(
    "mnist", "test", labels=False, binarize=True, batch_size=10_000
)
vae = kg.from_preset(FOLDER.parent / "vae_mnist")
for num_samples, epochs, start in ((5, 120, 2e-3), (50, 40, 1e-3)):
    model = kg.models.IWAE(
        vae.encoder,
        vae.decoder,
        num_samples,
        likelihood="bernoulli",
        ema_decay=0.999,
    )
    rate = keras.optimizers.schedules.CosineDecay(
        start, epochs * len(train), alpha=0.02
    )
    model.compile(keras.optimizers.Adam(rate, epsilon=1e-4))
    folder = f"runs/iwae_mnist/{num_samples}"
    model.fit(
        train,
        epochs=epochs,
        callbacks=[kg.callbacks.Checkpoint(folder, every=5)],
        verbose=2,
    )
model.save_to_preset(FOLDER)
save_grid(FOLDER / "samples.png", model.generate(64, seed=0))
nll = -model.log_likelihood(test[0][0], num_samples=5000)
print(f"negative log-likelihood (5000 samples): {nll.mean():.2f} nats")
