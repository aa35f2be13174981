"""IWAE with 50 samples on binarised MNIST, trained on from `vae_mnist`.

    TFDS_DATA_DIR=... python zoo/iwae_mnist/train.py

Writes the preset, its card and `samples.png` beside this file and prints the
negative log-likelihood of the test images. Interrupted, it goes on where it
was.

The network of Burda et al., Importance Weighted Autoencoders, 2015
(arXiv:1509.00519). It starts from the VAE of the zoo and goes on with 5 samples
an image, then 50: the tighter the bound, the dearer the step.
"""

import keras

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist", binarized=True)
BINARISED = "binarised test images, 5,000 importance samples"

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False, binarize=True)
test = kg.data.load(
    "mnist", "test", labels=False, binarize=True, batch_size=10_000
)
vae = kg.from_preset("vae_mnist")
for num_samples, epochs, rate in ((5, 120, 2e-3), (50, 40, 1e-3)):
    model = kg.models.IWAE(
        vae.encoder,
        vae.decoder,
        num_samples,
        likelihood="bernoulli",
        ema_decay=0.999,
    )
    # The rate ends at a fiftieth of where it began.
    options = {"phase": num_samples, "every": 5, "alpha": 0.02}
    entry.fit(model, train, epochs, rate, epsilon=1e-4, **options)
nll = -model.log_likelihood(test[0][0], num_samples=5000).mean()
entry.record("negative log-likelihood in nats", nll, protocol=BINARISED)
entry.save(model, model.generate(64, seed=0))
