"""DCGAN of emoji at 64x64 in colour, from 3,583 pictures.

    KERAS_BACKEND=torch python zoo/dcgan_emoji/train.py --pictures FOLDER

FOLDER holds the pictures of Noto Emoji, `png/128` of googlefonts/noto-emoji.
Writes the preset, `samples.png` and `training.gif` beside this file.
Interrupted, it goes on where it was.

Network, initial weights and Adam of Radford et al., Unsupervised Representation
Learning with Deep Convolutional Generative Adversarial Networks, 2015
(arXiv:1511.06434), with an eighth of the channels, normal latents and averaged
weights; all that the discriminator sees is augmented (Zhao et al., 2020,
arXiv:2006.10738), as there are few pictures.
"""

import shutil

import keras

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "noto_emoji", {"--pictures": "noto_emoji"})
SHAPE = (64, 64, 3)


def build():
    """Return the model before its training."""
    return kg.models.GAN(
        kg.nets.dcgan_generator(SHAPE, filters=128),
        kg.nets.dcgan_discriminator(SHAPE, filters=128),
        augmentation=kg.layers.DiffAugment(),
        ema_decay=0.999,
    )


keras.utils.set_random_seed(0)
train = kg.data.load(
    entry.args.pictures, "all", 64, image_size=64, labels=False
)
# Products of bfloat16 take half the time of float32 on a recent CPU.
keras.config.set_dtype_policy("mixed_bfloat16")
trained = build()
trained.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
epochs = entry.epochs(300)
every = min(10, epochs)
history = trained.fit(
    train,
    epochs=epochs,
    callbacks=[
        entry.checkpoint(every=5),
        kg.callbacks.ImageGrid(entry.runs, 25, every=every, gif=True),
        kg.callbacks.ModeCollapse(train[0][0], every=every),
    ],
    verbose=2,
).history
entry.record(
    "distance between samples, real ones being 1",
    history["diversity"][-1],
    protocol="256 samples, 64 training pictures",
)
shutil.copy(entry.runs / "samples.gif", entry.folder / "training.gif")
# The entry computes in float32, whichever policy it was trained with.
keras.config.set_dtype_policy("float32")
model = build()
model.set_weights(trained.get_weights())
entry.save(model, model.generate(64, seed=0))
