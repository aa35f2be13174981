"""Denoising autoencoder of MNIST for Gaussian noise, beside two others.

    TFDS_DATA_DIR=... python zoo/denoising_autoencoder_mnist/train.py

Prints the PSNR of the corrupted test images and of what the model makes of
them, against the clean ones. Writes the preset of the last and `samples.png`,
corrupted images above denoised ones for each corruption, beside this file.
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist")
CORRUPTIONS = {
    "masking, half of the pixels": kg.layers.MaskingCorruption(0.5),
    "salt and pepper, 30 %": kg.layers.SaltAndPepper(0.3),
    "Gaussian, sigma 0.5": kg.layers.GaussianCorruption(0.5),
}

train = kg.data.load("mnist", labels=False)
test = kg.data.load("mnist", "test", labels=False, batch_size=10_000)
x = test[0][0]
rows = []
for i, (name, corruption) in enumerate(CORRUPTIONS.items()):
    keras.utils.set_random_seed(0)
    model = kg.models.DenoisingAutoencoder(
        kg.nets.conv_encoder((28, 28, 1), latent_dim=64),
        kg.nets.conv_decoder((28, 28, 1), latent_dim=64),
        corruption,
    )
    entry.fit(model, train, 6, 1e-3, phase=i)
    noisy = corruption(keras.ops.convert_to_tensor(x), training=True)
    noisy = keras.ops.convert_to_numpy(noisy)
    clean = model.reconstruct(noisy)
    noisy = noisy.clip(-1, 1)  # what one would look at
    entry.record(f"PSNR in dB, {name}: before", kg.metrics.psnr(x, noisy))
    entry.record(f"PSNR in dB, {name}: after", kg.metrics.psnr(x, clean))
    rows += [noisy[:10], clean[:10]]
entry.save(model, np.concatenate(rows), columns=10)
