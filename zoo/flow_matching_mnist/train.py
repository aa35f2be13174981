"""Class-conditional flow matching of MNIST, a U-Net of 3.7 million weights.

    TFDS_DATA_DIR=... python zoo/flow_matching_mnist/train.py

Writes the preset and `samples.png`, a row for each class, beside this file, and
prints the Frechet distance and the share of samples that a classifier takes
for the class asked for, of 10 and 50 steps of Euler's method and 5 of Heun's.
Interrupted, it goes on where it was. Made for a GPU.

After Lipman et al., Flow Matching for Generative Modeling, 2022
(arXiv:2210.02747).
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
model = kg.models.FlowMatching(
    kg.nets.unet(SHAPE, filters=(48, 96, 96), num_classes=10, dropout=0.1)
)
rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * len(train))
model.compile(keras.optimizers.Adam(rate))
checkpoint = kg.callbacks.Checkpoint("runs/flow_matching_mnist")
model.fit(train, epochs=EPOCHS, callbacks=[checkpoint], verbose=2)
model.save_to_preset(FOLDER)
images = model.generate(80, labels=np.arange(80) // 8, seed=0)
save_grid(FOLDER / "samples.png", images, columns=8)
for sampler, num_steps in (("euler", 10), ("euler", 50), ("flow_heun", 5)):
    options = {"sampler": sampler, "num_steps": num_steps}
    metrics = ["fd", "class_accuracy"]
    print(options, kg.evaluate(model, "mnist", metrics=metrics, **options))
