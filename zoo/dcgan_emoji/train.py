"""DCGAN of emoji at 64x64 in colour, from 3,583 pictures.

    python zoo/dcgan_emoji/train.py FOLDER_OF_PICTURES

Writes the preset, `samples.png` and `training.gif` beside this file.
Interrupted, it goes on where it was.

Network, initial weights and Adam of Radford et al., Unsupervised Representation
Learning with Deep Convolutional Generative Adversarial Networks, 2015
(arXiv:1511.06434), with an eighth of the channels and averaged weights; all
that the discriminator sees is augmented (Zhao et al., 2020, arXiv:2006.10738),
as there are few pictures.
"""

import shutil
import sys
from pathlib import Path

import keras

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
SHAPE, EPOCHS = (64, 64, 3), 300

keras.utils.set_random_seed(0)
train = kg.data.load(sys.argv[1], image_size=64, labels=False, batch_size=64)
model = kg.models.GAN(
    kg.nets.dcgan_generator(SHAPE, filters=128),
    kg.nets.dcgan_discriminator(SHAPE, filters=128),
    augmentation=kg.layers.DiffAugment(),
    ema_decay=0.999,
)
model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
model.fit(
    train,
    epochs=EPOCHS,
    callbacks=[
        kg.callbacks.Checkpoint("runs/dcgan_emoji/checkpoints", every=5),
        kg.callbacks.ImageGrid("runs/dcgan_emoji", 25, every=10, gif=True),
        kg.callbacks.ModeCollapse(train[0][0], every=10),
    ],
    verbose=2,
)
model.save_to_preset(FOLDER)
save_grid(FOLDER / "samples.png", model.generate(64, seed=0))
shutil.copy("runs/dcgan_emoji/samples.gif", FOLDER / "training.gif")
