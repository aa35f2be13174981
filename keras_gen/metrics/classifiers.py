"""The small fixed classifiers whose features the metrics compare.

Their weights ship with the package. Train one again with

    python -m keras_gen.metrics.classifiers mnist --seed 0

which writes `<name>.weights.h5` and its card `<name>.json` into the folder
`classifiers/` beside this file.
"""

import argparse
import contextlib
import hashlib
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_gen.metrics.checks import as_images
from keras_gen.training import backend

FOLDER = Path(__file__).parent / "classifiers"


def build(architecture, shape, num_classes):
    """Build a classifier.

    Args:
        architecture: String: `"lenet64"`, two 5x5 convolutions, or `"vgg64"`,
            three blocks of two 3x3 convolutions for pictures in colour. Both
            end in a linear embedding of 64 units.
        shape: Tuple (height, width, channels).
        num_classes: Integer.

    Returns:
        `keras.Model` from images in [-1, 1] to two tensors: the embedding
        `(batch, 64)`, before its activation, and the logits.
    """
    inputs = keras.Input(shape)
    # To [0, 1]: around black images the zeros of the padding are black, too.
    x = layers.Rescaling(0.5, offset=0.5)(inputs)
    x = {"lenet64": _lenet, "vgg64": _vgg}[architecture](x)
    embedding = layers.Dense(64)(x)
    logits = layers.Dense(num_classes)(layers.ReLU()(embedding))
    return keras.Model(inputs, [embedding, logits])


def _lenet(x):
    pool = min(x.shape[1:3]) >= 16  # smaller images keep their resolution
    for filters in (16, 32):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
        if pool:
            x = layers.MaxPooling2D(2)(x)
    return layers.Flatten()(x)


def _vgg(x):
    for filters in (32, 64, 128):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        if filters < 128:
            x = layers.MaxPooling2D(2)(x)
    return layers.GlobalAveragePooling2D()(x)


def available():
    """Return the cards of all classifiers, by name."""
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted(FOLDER.glob("*.json"))
    }


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
        cards = available()
        if name not in cards:
            raise ValueError(
                f"Unknown classifier {name!r}. Expected one of {list(cards)}"
            )
        self.name = name
        self.card = cards[name]
        weights = FOLDER / f"{name}.weights.h5"
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        if digest != self.card["sha256"]:
            raise ValueError(
                f"{str(weights)!r} is damaged: its SHA-256 is not the one on "
                "its card. Install keras_gen again."
            )
        self.shape = tuple(self.card["shape"])
        classes = self.card["num_classes"]
        with backend.undisturbed(), in_float32():
            self.model = build(self.card["architecture"], self.shape, classes)
        self.model.load_weights(weights)

    def __call__(self, images, batch_size=500):
        """Return features and predicted classes.

        Args:
            images: Array `(n, *shape)` in [-1, 1].
            batch_size: Integer.

        Returns:
            float64 features `(n, 64)`, and integer classes `(n,)`.
        """
        # Checked here, not in the features: a ReLU of NaN may be 0.
        images = as_images("images", images)
        if images.shape[1:] != self.shape:
            raise ValueError(
                f"The classifier {self.name!r} expects images of shape "
                f"{self.shape}. Received: shape={images.shape}"
            )
        with backend.undisturbed():
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


def classification_accuracy_score(
    images, labels, test_images, test_labels, steps=1000, seed=0
):
    """Return the accuracy on real images of a classifier trained on samples.

    The recipe is fixed: the architecture of the shipped classifiers from
    scratch, `steps` batches of 128, Adam with a cosine from 2e-3.

    Args:
        images: Array `(n, height, width, channels)` in [-1, 1] to train on.
        labels: Integer array `(n,)`.
        test_images: Array `(m, height, width, channels)` of real images.
        test_labels: Integer array `(m,)`.
        steps: Integer, training steps.
        seed: Integer, of the weights and the order.

    Returns:
        Float in [0, 1].

    Reference:
        Ravuri and Vinyals, Classification Accuracy Score for Conditional
        Generative Models, 2019, arXiv:1905.10887.
    """
    images = as_images("images", images)
    test_images = as_images("test_images", test_images)
    shape = images.shape[1:]
    classes = int(max(np.max(labels), np.max(test_labels))) + 1
    with backend.undisturbed(), in_float32():
        network = build(_architecture(shape), shape, classes)
    for i, weight in enumerate(network.trainable_weights):
        if len(weight.shape) > 1:  # by `seed`, not by the global generator
            start = keras.initializers.GlorotUniform(seed + i)
            weight.assign(start(weight.shape))
    model = keras.Model(network.inputs, network.outputs[1])
    _compile(model, steps)
    rng = np.random.default_rng(seed)
    for rows in rng.integers(len(images), size=(steps, 128)):
        x, y = images[rows], np.asarray(labels)[rows]
        model.train_on_batch(*map(keras.ops.convert_to_tensor, (x, y)))
    with backend.undisturbed():
        _, accuracy = model.evaluate(test_images, test_labels, verbose=0)
    return float(accuracy)


@contextlib.contextmanager
def in_float32():
    """Build layers that compute in float32 under any policy."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _architecture(shape):
    return "vgg64" if shape[-1] == 3 else "lenet64"


def _compile(model, steps):
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def train(dataset, seed, epochs, data_dir=None):
    """Train a classifier, write its weights and card, return the card."""
    from keras_gen.data import load

    keras.utils.set_random_seed(seed)
    data = load(dataset, "train", 128, seed=seed, data_dir=data_dir)
    test = load(dataset, "test", 500, data_dir=data_dir)
    architecture = _architecture(data.element_shape)
    network = build(architecture, data.element_shape, data.num_classes)
    inputs = x = keras.Input(data.element_shape)
    if architecture == "vgg64":
        x = layers.RandomFlip("horizontal", seed=seed)(x)
        x = layers.RandomTranslation(0.1, 0.1, seed=seed)(x)
    model = keras.Model(inputs, network(x)[1])
    _compile(model, epochs * len(data))
    model.fit(data, epochs=epochs, shuffle=False, verbose=2)
    _, accuracy = model.evaluate(test, verbose=0)

    plain = load(dataset, "train", 500, shuffle=False, data_dir=data_dir)
    embedding = np.concatenate(
        [network.predict_on_batch(plain[i][0])[0] for i in range(len(plain))]
    ).astype("float64")
    name = f"{dataset}_{architecture}_v1" + (f"_seed{seed}" if seed else "")
    FOLDER.mkdir(exist_ok=True)
    weights = FOLDER / f"{name}.weights.h5"
    network.save_weights(weights)
    card = {
        "dataset": dataset,
        "architecture": architecture,
        "shape": list(data.element_shape),
        "num_classes": data.num_classes,
        "parameters": network.count_params(),
        "test_accuracy": round(float(accuracy), 5),
        "seed": seed,
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
