"""Load a trained entry, train it on your own pictures, save and load it again.

python examples/fine_tune.py FOLDER_OF_PICTURES
"""

import sys

import keras

import keras_gen as kg

# Five sixths of them: `kg.evaluate` takes the others for unseen.
pictures = kg.data.load(
    sys.argv[1], image_size=28, grayscale=True, labels=False
)
model = kg.from_preset("beta_vae_mnist")
model.compile(keras.optimizers.Adam(1e-4))
model.fit(pictures, epochs=1)
model.save_to_preset("runs/tuned")
images = kg.from_preset("runs/tuned").generate(64, seed=0)
kg.pictures.save_grid("runs/tuned.png", images)
