"""Class-conditional DDPM of MNIST, a U-Net of 3.7 million weights.

    TFDS_DATA_DIR=... python zoo/ddpm_mnist/train.py

Writes the preset and `samples.png`, a row for each class, beside this file.
Prints the Frechet distance of all 1,000 steps and of 20 steps of DPM-Solver++,
the share of samples that a classifier takes for the class asked for as
guidance grows, and the bits per dimension of 1,000 test images. Interrupted, it
goes on where it was. Made for a GPU.

After Ho et al., Denoising Diffusion Probabilistic Models, 2020
(arXiv:2006.11239), and Ho and Salimans, Classifier-Free Diffusion Guidance,
2022 (arXiv:2207.12598).
"""

from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid

FOLDER = Path(__file__).resolve().parent
SHAPE, EPOCHS = (28, 28, 1), 60

keras.utils.set_random_seed(0)
train = kg.data.load("mnist", batch_size=256)
x, y = kg.data.load("mnist", "test", batch_size=1000)[0]
model = kg.models.DDPM(
    kg.nets.unet(SHAPE, filters=(48, 96, 96), num_classes=10, dropout=0.1),
    schedule="cosine",
)
rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * len(train))
model.compile(keras.optimizers.Adam(rate))
checkpoint = kg.callbacks.Checkpoint("runs/ddpm_mnist")
model.fit(train, epochs=EPOCHS, callbacks=[checkpoint], verbose=2)
model.save_to_preset(FOLDER)
fast = {"sampler": "dpmpp_2m", "num_steps": 20}
images = model.generate(80, labels=np.arange(80) // 8, seed=0, **fast)
save_grid(FOLDER / "samples.png", images, columns=8)
bits = model.variational_bound(x, y, terms=50)["bits_per_dim"]
print(f"bits per dimension at most {bits.mean():.3f}")
for w in (0.0, 1.0, 2.0, 3.0):
    options = {"guidance_scale": w, **fast}
    metrics = ["fd", "class_accuracy"]
    print(w, kg.evaluate(model, "mnist", metrics=metrics, **options))
print(kg.evaluate(model, "mnist", metrics=["fd"], batch_size=1000))
