"""Stacked autoencoder of MNIST, 784-256-64-32, greedy, then end to end.

    TFDS_DATA_DIR=... python zoo/stacked_autoencoder_mnist/train.py

Prints the squared error of the test images after greedy training, after
training on from there, and after as many epochs end to end from the start.
Writes the preset of the second and `samples.png` beside this file.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE, WIDTHS = (28, 28, 1), (256, 64, 32)
# One phase for each pair of layers, one for all of them together.
EPOCHS, *_ = [entry.epochs(10) for _ in range(len(WIDTHS) + 1)]


def make_pairs():
    """Return one hidden layer a pair, tanh below the code."""
    keras.utils.set_random_seed(0)
    shapes = [SHAPE, *[(width,) for width in WIDTHS]]
    pairs = []
    for i, width in enumerate(WIDTHS):
        x = keras.Input(shapes[i])
        last = i == len(WIDTHS) - 1
        h = keras.layers.Flatten()(x)
        h = keras.layers.Dense(width, None if last else "tanh")(h)
        decoder = kg.nets.dense_decoder(
            shapes[i], width, units=(), activation="tanh" if i else None
        )
        pairs.append((keras.Model(x, h), decoder))
    return pairs


def report(name, model):
    """Record the squared error of the test images."""
    error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
    entry.record(f"squared error, {name}", error)


train = kg.data.load("mnist", labels=False)
x = kg.data.load("mnist", "test", labels=False, batch_size=10_000)[0][0]
other = kg.models.Autoencoder(*kg.pretraining.stack(make_pairs()))
other.compile(keras.optimizers.Adam(1e-3))
other.fit(train, epochs=(len(WIDTHS) + 1) * EPOCHS, verbose=2)
report("end to end from the start", other)

pairs = make_pairs()
kg.pretraining.train_greedily(pairs, train, EPOCHS, verbose=2)
model = kg.models.Autoencoder(*kg.pretraining.stack(pairs))
report("greedy", model)
model.compile(keras.optimizers.Adam(1e-3))
model.fit(train, epochs=EPOCHS, verbose=2)
report("greedy, then end to end", model)
rows = np.concatenate([x[:10], model.reconstruct(x[:10])])
entry.save(model, rows, columns=10)
