"""EBGAN of MNIST with the pull-away term, beside one without.

    TFDS_DATA_DIR=... python zoo/ebgan_mnist/train.py

Prints the Frechet distance, precision and recall of both. Writes the preset and
`samples.png` of the one with the term beside this file. Interrupted, it goes on
where it was.

After Zhao et al., Energy-based Generative Adversarial Network, 2016
(arXiv:1609.03126).
"""

import keras

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
SHAPE = (28, 28, 1)
train = kg.data.load("mnist", labels=False)


def train_ebgan(pull_away):
    """Return the trained model; its `diversity` is in the log."""
    keras.utils.set_random_seed(0)
    x = keras.Input(SHAPE)
    code = kg.nets.conv_encoder(SHAPE, 32, filters=(16, 32))(x)
    copy = kg.nets.conv_decoder(SHAPE, 32, filters=(32, 16))(code)
    model = kg.models.EBGAN(
        kg.nets.conv_generator(SHAPE, 64, filters=(64, 32)),
        keras.Model(x, [copy, code]),
        margin=0.2,
        pull_away=pull_away,
        ema_decay=0.999,
    )
    model.compile(keras.optimizers.Adam(5e-4, beta_1=0.5))
    diversity = kg.callbacks.ModeCollapse(train.images[:256] / 127.5 - 1.0)
    callbacks = [diversity, entry.checkpoint(pull_away)]
    model.fit(train, epochs=entry.epochs(10), callbacks=callbacks, verbose=2)
    return model


for pull_away in (0.0, 0.1):
    model = train_ebgan(pull_away)
    label = f"pull-away weight {pull_away}: "
    entry.evaluate(model, ["fd", "precision_recall"], label=label)
entry.save(model, model.generate(64, seed=0))
