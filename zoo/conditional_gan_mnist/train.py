"""Conditional GAN of MNIST with a projection discriminator.

    TFDS_DATA_DIR=... python zoo/conditional_gan_mnist/train.py

Writes the preset and `samples.png`, a row for each class, beside this file and
prints the share of samples that a classifier takes for the class asked for and
the Frechet distance. Interrupted, it goes on where it was.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", batch_size=128)
model = kg.models.ConditionalGAN(
    kg.nets.conditional_generator(SHAPE, 64, 10, filters=(64, 32)),
    kg.nets.conditional_discriminator(SHAPE, 10, "projection"),
    # R1: keeps the discriminator from running away.
    penalty=kg.losses.GradientPenalty(0.05, at="real", center=0.0, every=4),
    ema_decay=0.999,
)
watch = kg.callbacks.ModeCollapse(train[0][0], labels=np.arange(256) % 10)
entry.fit(model, train, 15, 5e-4, callbacks=[watch], beta_1=0.5)
entry.evaluate(model, ["fd", "class_accuracy"])
entry.save(model, model.generate(80, labels=np.arange(80) // 8, seed=0))
