"""Conditional GAN of MNIST with a projection discriminator.

    TFDS_DATA_DIR=... python zoo/conditional_gan_mnist/train.py

Writes the preset and `samples.png`, a row for each class, beside this file and
prints the share of samples that a classifier takes for the class asked for and
the Frechet distance. Interrupted, it goes on where it was.
"""

from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
SHAPE, EPOCHS = (28, 28, 1), 15

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", batch_size=128)
model = kg.models.ConditionalGAN(
    kg.nets.conditional_generator(SHAPE, 64, 10, filters=(64, 32)),
    kg.nets.conditional_discriminator(SHAPE, 10, "projection"),
    # R1: keeps the discriminator from running away.
    penalty=kg.losses.GradientPenalty(0.05, at="real", center=0.0, every=4),
    ema_decay=0.999,
)
rate = keras.optimizers.schedules.CosineDecay(5e-4, EPOCHS * len(train))
model.compile(keras.optimizers.Adam(rate, beta_1=0.5))
model.fit(
    train,
    epochs=EPOCHS,
    callbacks=[
        kg.callbacks.Checkpoint("runs/conditional_gan_mnist"),
        kg.callbacks.ModeCollapse(train[0][0], labels=np.arange(256) % 10),
    ],
    verbose=2,
)
model.save_to_preset(FOLDER)
images = model.generate(80, labels=np.arange(80) // 8, seed=0)
save_grid(FOLDER / "samples.png", images, columns=8)
print(kg.evaluate(model, "mnist", metrics=["fd", "class_accuracy"]))
