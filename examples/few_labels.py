"""Learn from images without labels, then classify with few labels.

    python examples/few_labels.py                      # digits, 20 and 100
    python examples/few_labels.py --dataset mnist --labels 100 1000

Trains an autoencoder on all training images, and for each number of labels
three classifiers with the same layers: from random weights, on the frozen
encoder, and with the encoder trained on. Prints the share of test images they
get right, mean and standard deviation over five draws of the labels.
"""

import argparse

import keras
import numpy as np

import keras_gen as kg


def accuracy(encoder, freeze, x, y, test):
    """Train a classifier on (x, y) and return its accuracy on `test`."""
    model = kg.pretraining.classifier(encoder, int(test[1].max()) + 1, freeze)
    model.compile(
        keras.optimizers.Adam(1e-2 if freeze else 1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    epochs = max(20, 20_000 // len(x))
    model.fit(x, y, batch_size=32, epochs=min(epochs, 100), verbose=0)
    return np.mean(model.predict(test[0], verbose=0).argmax(axis=1) == test[1])


def main():
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--labels", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()

    whole = {"batch_size": 10**9, "shuffle": False}
    images, labels = kg.data.load(args.dataset, **whole)[0]
    test = kg.data.load(args.dataset, "test", **whole)[0]

    def new_encoder():
        return kg.nets.dense_encoder(images.shape[1:], 64, units=(512, 256))

    keras.utils.set_random_seed(0)
    pretrained = kg.models.DenoisingAutoencoder(
        new_encoder(),
        kg.nets.dense_decoder(images.shape[1:], 64, units=(256, 512)),
        kg.layers.MaskingCorruption(0.3),
    )
    pretrained.compile(keras.optimizers.Adam(1e-3))
    pretrained.fit(kg.data.ImageDataset(images), epochs=args.epochs, verbose=2)
    for n in args.labels:
        results = {"random": [], "frozen": [], "trained on": []}
        for seed in range(5):
            keras.utils.set_random_seed(seed)
            rows = np.random.default_rng(seed).permutation(len(images))[:n]
            x, y = images[rows], labels[rows]
            for name, encoder, freeze in (
                ("random", new_encoder(), False),
                ("frozen", pretrained.encoder, True),
                ("trained on", pretrained.encoder, False),
            ):
                results[name].append(accuracy(encoder, freeze, x, y, test))
        for name, values in results.items():
            mean, spread = np.mean(values), np.std(values)
            print(f"{n} labels, {name}: {mean:.4f} +- {spread:.4f}", flush=True)


if __name__ == "__main__":
    main()
