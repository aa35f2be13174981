"""Class-conditional flow matching of MNIST, a U-Net of 0.6 million weights.

    TFDS_DATA_DIR=... python zoo/flow_matching_mnist/train.py

Writes the preset and `samples.png`, a row for each class, beside this file, and
prints the Frechet distance and the share of samples that a classifier takes
for the class asked for, of 20 and 10 steps of Euler's method and 5 of Heun's.
Interrupted, it goes on where it was.

After Lipman et al., Flow Matching for Generative Modeling, 2022
(arXiv:2210.02747).
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)

keras.utils.set_random_seed(0)
train = kg.data.load("mnist")
network = kg.nets.unet(
    SHAPE, filters=(16, 32, 64), blocks=1, attention=(), num_classes=10
)
model = kg.models.FlowMatching(network)
entry.fit(model, train, 24, 2e-3)
for sampler, num_steps in (("euler", 20), ("flow_heun", 5), ("euler", 10)):
    label = f"{sampler}, {num_steps} steps: "
    options = {"label": label, "sampler": sampler, "num_steps": num_steps}
    entry.evaluate(model, ["fd", "class_accuracy"], repeats=1, **options)
entry.save(model, model.generate(80, labels=np.arange(80) // 8, seed=0))
