"""CoGAN of MNIST: pairs of a digit and its negative, from no pairs.

    TFDS_DATA_DIR=... python zoo/cogan_mnist/train.py

One half of the training images is shown as it is, the other inverted. Writes
the preset and `samples.png`, digits above their negatives, beside this file,
and prints how many of 10,000 pairs show one digit to a classifier, and how far
the two of a pair are apart. Interrupted, it goes on where it was.

After Liu and Tuzel, Coupled Generative Adversarial Networks, 2016
(arXiv:1606.07536).
"""

import keras
import numpy as np
from keras import layers

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)

keras.utils.set_random_seed(0)
digits = kg.data.load("mnist", labels=False).images
half = len(digits) // 2
pairs = np.stack([digits[:half], 255 - digits[half:]], axis=1)
train = kg.data.ImageDataset(pairs)


def network(shape, *parts):
    """Return the layers in a row; a number c doubles the grid, -c halves it."""
    model = keras.Sequential([keras.Input(shape)])
    for part in parts:
        if isinstance(part, keras.layers.Layer):
            model.add(part)
        elif part > 0:
            model.add(layers.Conv2DTranspose(part, 4, 2, "same"))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.ReLU())
        else:
            model.add(layers.Conv2D(-part, 4, 2, "same"))
            model.add(layers.LeakyReLU(0.2))
    return model


start = [layers.Dense(7 * 7 * 64), layers.Reshape((7, 7, 64))]
model = kg.models.CoGAN(
    network((64,), *start, 64),
    [
        network(
            (14, 14, 64), 32, layers.Conv2D(1, 3, 1, "same", activation="tanh")
        )
        for _ in range(2)
    ],
    [network(SHAPE, -64) for _ in range(2)],
    network((14, 14, 64), -128, layers.Flatten(), layers.Dense(1)),
    ema_decay=0.999,
)
model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
epochs, checkpoint = entry.epochs(20), entry.checkpoint()
model.fit(train, epochs=epochs, callbacks=[checkpoint], verbose=2)
first, second = np.moveaxis(model.generate(10_000, seed=1), 1, 0)
classify = kg.metrics.Classifier("mnist_lenet64_v1")
agree = classify(first)[1] == classify(-second)[1]
error = kg.metrics.mean_squared_error(first, -second)
protocol = "10,000 pairs, mnist_lenet64_v1"
entry.record("share of pairs of one digit", agree.mean(), protocol=protocol)
entry.record("squared error within a pair", error, protocol="10,000 pairs")
images = model.generate(30, seed=0).reshape(3, 10, 2, *SHAPE)
rows = np.moveaxis(images, 2, 1).reshape(-1, *SHAPE)
entry.save(model, rows, columns=10)
