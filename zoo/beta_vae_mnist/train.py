"""beta-VAE of MNIST, beta = 4, ten latents, convolutional.

    TFDS_DATA_DIR=... python zoo/beta_vae_mnist/train.py

Writes the preset, its card, `samples.png`, and `traversals.png`, one row for
each of the latents in use, beside this file. Prints the nats in the code, the
squared error, the latents in use and the Frechet distance. Interrupted, it
goes on where it was.

After Higgins et al., beta-VAE: Learning Basic Visual Concepts with a
Constrained Variational Framework, 2017.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry
from keras_gen.pictures import save_grid

entry = Entry(__file__, "mnist")
SHAPE, LATENTS = (28, 28, 1), 10

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", labels=False)
x = kg.data.load("mnist", "test", labels=False, batch_size=10_000)[0][0]
model = kg.models.VAE(
    kg.nets.conv_encoder(SHAPE, LATENTS, outputs=2),
    kg.nets.conv_decoder(SHAPE, LATENTS),
    beta=4.0,
    likelihood="bernoulli",
    ema_decay=0.999,
)
entry.fit(model, train, 20, 1e-3)
logs = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
entry.record("nats in the code", logs["kl_loss"])
error = kg.metrics.mean_squared_error(x, model.reconstruct(x))
entry.record("squared error", error)
codes = model.encode(x)
used = np.flatnonzero(np.var(codes, axis=0) > 0.01)
entry.record("latents in use", kg.metrics.active_units(codes))
entry.evaluate(model, ["fd"])
rows = model.traverse(x[:1], used).reshape(-1, *SHAPE)
save_grid(entry.folder / "traversals.png", rows, columns=7)
entry.save(model, model.generate(64, seed=0))
