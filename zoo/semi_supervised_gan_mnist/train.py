"""Semi-supervised GAN: MNIST from 100 labels.

    TFDS_DATA_DIR=... python zoo/semi_supervised_gan_mnist/train.py --seed 0

`--seed` also draws the ten labelled images of each class. Prints the errors of
10,000 test images, and those of the same classifier trained on the 100 images
alone. Seed 0 leaves the preset and `samples.png`.

Networks and settings of Salimans et al., Improved Techniques for Training GANs,
2016 (arXiv:1606.03498), but for 50 epochs of a falling rate in place of their
300, averages over 1,000 steps in place of 10,000, normal latents, and batch
normalisation after the softplus: before it, the inputs of the last layer have a
common mean, along which the generator saturated here.
"""

import keras
import numpy as np
from keras import layers

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "mnist", {"--seed": 0})
seed = entry.args.seed
keras.utils.set_random_seed(seed)
train = kg.data.load("mnist", batch_size=100, seed=seed)
x, y = kg.data.load("mnist", batch_size=60_000, shuffle=False)[0]
order = np.random.default_rng(seed).permutation(len(x))
few = np.concatenate([order[y[order] == c][:10] for c in range(10)])

h = image = keras.Input((28, 28, 1))
h = layers.Flatten()(layers.Rescaling(0.5, 0.5)(h))
for i, (width, noise) in enumerate(
    ((1000, 0.3), (500, 0.5), (250, 0.5), (250, 0.5), (250, 0.5))
):
    h = layers.GaussianNoise(noise)(h)
    h = kg.layers.WeightNormDense(
        width, "relu", train_scale=False, name=f"features_{i}"
    )(h)
logits = kg.layers.WeightNormDense(10)(layers.GaussianNoise(0.5)(h))
discriminator = keras.Model(image, logits)
kg.layers.initialize_from_data(discriminator, x[:500])
baseline = keras.models.clone_model(discriminator)
kg.layers.initialize_from_data(baseline, x[:500])
h = z = keras.Input((100,))
for _ in range(2):
    h = layers.Dense(500, "softplus")(h)
    h = layers.BatchNormalization(scale=False)(h)
h = kg.layers.WeightNormDense(784, "tanh")(h)
model = kg.models.SemiSupervisedGAN(
    keras.Model(z, layers.Reshape((28, 28, 1))(h)),
    discriminator,
    num_labelled=100,
    feature_matching="features_4",
    ema_decay=0.999,
)
model.set_labelled(x[few], y[few])
# Outside the root what 1e-8, theirs, is within it, where gradients are small:
# once all labelled images are told apart.
adam = {"beta_1": 0.5, "epsilon": 1e-4}
entry.fit(model, train, 50, 3e-3, phase=seed, every=5, **adam)
test_x, test_y = kg.data.load("mnist", "test", batch_size=10_000)[0]
errors = (model.classify(test_x) != test_y).sum()
# The same classifier, which sees nothing but the labelled images.
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
baseline.compile(keras.optimizers.Adam(3e-3, **adam), loss)
baseline.fit(x[few], y[few], batch_size=100, epochs=500, verbose=0)
guesses = baseline.predict(test_x, verbose=0).argmax(axis=-1)
entry.record("errors without unlabelled images", (guesses != test_y).sum())
entry.record("errors of 10,000, from 100 labels", errors)
if seed == 0:
    entry.save(model, model.generate(64, seed=0))
