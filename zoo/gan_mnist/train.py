"""GAN of MNIST, dense networks of 512 and 1,024 units.

    TFDS_DATA_DIR=... python zoo/gan_mnist/train.py

Writes the preset and `samples.png` beside this file and prints the Frechet
distance. Interrupted, it goes on where it was.

After Goodfellow et al., Generative Adversarial Nets, 2014 (arXiv:1406.2661),
with the non-saturating loss, an R1 penalty (Mescheder et al., 2018,
arXiv:1801.04406), Adam and averaged weights.
"""

import keras

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False)
model = kg.models.GAN(
    kg.nets.dense_generator(SHAPE, latent_dim=100, units=(512, 1024)),
    kg.nets.dense_discriminator(SHAPE, units=(1024, 512)),
    penalty=kg.losses.GradientPenalty(1.0, at="real", center=0.0),
    ema_decay=0.999,
)
model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
diversity = kg.callbacks.ModeCollapse(train.images[:256] / 127.5 - 1.0)
callbacks = [entry.checkpoint(every=5), diversity]
model.fit(train, epochs=entry.epochs(60), callbacks=callbacks, verbose=2)
entry.evaluate(model, ["fd", "precision_recall"])
entry.save(model, model.generate(64, seed=0))
