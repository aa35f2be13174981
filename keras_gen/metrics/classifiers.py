"""The small fixed classifiers whose features the metrics compare.

Their weights ship with the package. Train one again with

    python -m keras_gen.metrics.classifiers mnist --seed 0

which writes `<name>.weights.h5` and its card `<name>.json` into the folder
`classifiers/` beside this file.
"""

import argparse
import hashlib
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_gen.metrics.checks import as_features

FOLDER = Path(__file__).parent / "classifiers"


def build(shape, num_classes):
    """Build the classifier: two convolutions and a linear 64-d embedding.

    Args:
        shape: Tuple (height, width, channels).
        num_classes: Integer.

    Returns:
        `keras.Model` from images in [-1, 1] to two tensors: the embedding
        `(batch, 64)`, before its activation, and the logits.
    """
    inputs = x = keras.Input(shape)
    pool = min(shape[:2]) >= 16  # smaller images keep their resolution
    for filters in (16, 32):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
        if pool:
            x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    embedding = layers.Dense(64)(x)
    logits = layers.Dense(num_classes)(layers.ReLU()(embedding))
    return keras.Model(inputs, [embedding, logits])


class Classifier:
    """Features and predictions of a classifier that ships with the package.

        phi(x) = (e(x) - c) / s

    with e the linear embedding, c its mean over the training images and s one
    scalar, the root of the mean variance of its units. One scalar: scaling
    each unit alone would divide dead ones by almost nothing.

    Args:
        name: String such as `"mnist_lenet64_v1"`; `"mnist_lenet64_v1_seed1"`
            is the same network trained from another seed.

    Raises:
        ValueError: If there is no such classifier, or its weights are not
            those its card describes.
    """

    def __init__(self, name):
        available = sorted(path.stem for path in FOLDER.glob("*.json"))
        if name not in available:
            raise ValueError(
                f"Unknown classifier {name!r}. Expected one of {available}"
            )
        self.name = name
        self.card = json.loads((FOLDER / f"{name}.json").read_text())
        weights = FOLDER / f"{name}.weights.h5"
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        if digest != self.card["sha256"]:
            raise ValueError(
                f"{str(weights)!r} is damaged: its SHA-256 is not the one on "
                "its card. Install keras_gen again."
            )
        self.shape = tuple(self.card["shape"])
        self.model = build(self.shape, self.card["num_classes"])
        self.model.load_weights(weights)

    def __call__(self, images, batch_size=500):
        """Return features and predicted classes.

        Args:
            images: Array `(n, *shape)` in [-1, 1].
            batch_size: Integer.

        Returns:
            float64 features `(n, 64)`, and integer classes `(n,)`.
        """
        images = np.asarray(images, "float32")
        if images.shape[1:] != self.shape:
            raise ValueError(
                f"The classifier {self.name!r} expects images of shape "
                f"{self.shape}. Received: shape={images.shape}"
            )
        # Here, not in the features: a ReLU of NaN may be 0.
        as_features("images", images.reshape(len(images), -1), minimum=1)
        if np.abs(images).max() > 1.001:
            raise ValueError(
                f"The classifier {self.name!r} expects pixels in [-1, 1]. "
                f"Received values in [{images.min():g}, {images.max():g}]"
            )
        embedding, logits = self.model.predict(
            images, batch_size=batch_size, verbose=0
        )
        features = np.asarray(embedding, "float64") - np.array(
            self.card["center"]
        )
        return (
            features / self.card["scale"],
            np.asarray(logits).argmax(axis=-1),
        )


def train(dataset, seed, epochs, data_dir=None):
    """Train a classifier, write its weights and card, return the card."""
    from keras_gen.data import load

    keras.utils.set_random_seed(seed)
    data = load(dataset, "train", 128, seed=seed, data_dir=data_dir)
    test = load(dataset, "test", 500, data_dir=data_dir)
    network = build(data.element_shape, data.num_classes)
    model = keras.Model(network.inputs, network.outputs[1])
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(data))
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(data, epochs=epochs, shuffle=False, verbose=2)
    _, accuracy = model.evaluate(test, verbose=0)

    plain = load(dataset, "train", 500, shuffle=False, data_dir=data_dir)
    embedding = np.concatenate(
        [network.predict_on_batch(plain[i][0])[0] for i in range(len(plain))]
    ).astype("float64")
    name = f"{dataset}_lenet64_v1" + (f"_seed{seed}" if seed else "")
    FOLDER.mkdir(exist_ok=True)
    weights = FOLDER / f"{name}.weights.h5"
    network.save_weights(weights)
    card = {
        "dataset": dataset,
        "shape": list(data.element_shape),
        "num_classes": data.num_classes,
        "parameters": network.count_params(),
        "test_accuracy": round(float(accuracy), 5),
        "command": f"python -m keras_gen.metrics.classifiers {dataset} "
        f"--seed {seed} --epochs {epochs}",
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "scale": float(np.sqrt(embedding.var(axis=0).mean())),
        "center": embedding.mean(axis=0).tolist(),
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(card, indent=1) + "\n")
    return card


def main():
    """Train a classifier from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--data-dir")
    args = parser.parse_args()
    card = train(args.dataset, args.seed, args.epochs, args.data_dir)
    print(f"test accuracy {card['test_accuracy']}")


if __name__ == "__main__":
    main()
