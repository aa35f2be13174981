"""DCGAN of MNIST, two levels from a grid of 7x7x128.

    TFDS_DATA_DIR=... python zoo/dcgan_mnist/train.py

Writes the preset, `samples.png` and `training.gif` beside this file and prints
the Frechet distance. Interrupted, it goes on where it was.

Network, initial weights and Adam of Radford et al., Unsupervised Representation
Learning with Deep Convolutional Generative Adversarial Networks, 2015
(arXiv:1511.06434), with an eighth of the channels and averaged weights.
"""

import shutil

import keras

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False)
model = kg.models.GAN(
    kg.nets.dcgan_generator(SHAPE, filters=128),
    kg.nets.dcgan_discriminator(SHAPE, filters=128),
    ema_decay=0.999,
)
model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
model.fit(
    train,
    epochs=entry.epochs(20),
    callbacks=[
        entry.checkpoint(),
        kg.callbacks.ImageGrid(entry.runs, 25, gif=True),
        kg.callbacks.ModeCollapse(train.images[:256] / 127.5 - 1.0),
    ],
    verbose=2,
)
shutil.copy(entry.runs / "samples.gif", entry.folder / "training.gif")
entry.evaluate(model, ["fd", "precision_recall"])
entry.save(model, model.generate(64, seed=0))
