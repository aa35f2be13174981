"""Class-conditional DDPM of MNIST, a U-Net of 0.6 million weights.

    TFDS_DATA_DIR=... python zoo/ddpm_mnist/train.py

Writes the preset and `samples.png`, a row for each class, beside this file.
Prints, as guidance grows, the Frechet distance of 20 steps of stochastic
DPM-Solver++ and the share of samples that a classifier takes for the class
asked for, and the bits per dimension of 1,000 test images. Interrupted, it goes
on where it was. What other samplers make of it is a benchmark:
`python -m tests.benchmarks.diffusion_sampling --preset zoo/ddpm_mnist`.

After Ho et al., Denoising Diffusion Probabilistic Models, 2020
(arXiv:2006.11239), and Ho and Salimans, Classifier-Free Diffusion Guidance,
2022 (arXiv:2207.12598).
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry
from keras_gen.recipes import QUICK
from keras_gen.recipes import QUICKLY

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)

keras.utils.set_random_seed(0)
train = kg.data.load("mnist")
x, y = kg.data.load("mnist", "test", batch_size=1000)[0]
network = kg.nets.unet(
    SHAPE, filters=(16, 32, 64), blocks=1, attention=(), num_classes=10
)
model = kg.models.DDPM(network, schedule="cosine")
entry.fit(model, train, 20, 2e-3)
for w in (0.0, 1.0, 2.0):
    options = {"guidance_scale": w, **QUICK}
    options["label"] = f"{QUICKLY}, guidance {w}: "
    entry.evaluate(model, ["fd", "class_accuracy"], repeats=1, **options)
bits = model.variational_bound(x, y, terms=50)["bits_per_dim"]
entry.record(
    "bits per dimension, at most", bits.mean(), protocol="1,000 test images"
)
labels = np.arange(80) // 8
entry.save(model, model.generate(80, labels=labels, seed=0, **QUICK))
