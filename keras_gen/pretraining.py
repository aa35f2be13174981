"""Train networks without labels, layer by layer, and go on with them."""

import copy

import keras
import numpy as np

from keras_gen.data import ImageDataset
from keras_gen.models import Autoencoder
from keras_gen.training.inputs import unpack


def train_greedily(
    pairs, dataset, epochs, optimizer="adam", likelihood="gaussian", verbose=0
):
    """Train a stack of autoencoders from the bottom up, one at a time.

        h_0 = x,    h_l = f_l(h_{l-1});    autoencoder l learns
        g_l(f_l(h_{l-1})) = h_{l-1}    while all below stand still

    Go on with the whole: `Autoencoder(*stack(pairs))`.

    Args:
        pairs: List of (encoder, decoder), `keras.Model`s, from the bottom up:
            images to vectors first, then vectors to vectors.
        dataset: Array of images, or batches as `fit` takes them, with or
            without labels; all are held in memory.
        epochs: Integer, for each pair.
        optimizer: `keras.optimizers.Optimizer` or its name; each pair gets a
            fresh one like it.
        likelihood: Name or object, of the images. The pairs above are trained
            on squared error.
        verbose: As for `keras.Model.fit`.

    Returns:
        List of the histories, one dict for each pair.

    Raises:
        ValueError: If the networks do not fit each other.

    Reference:
        Bengio et al., Greedy Layer-Wise Training of Deep Networks, 2006;
        Hinton and Salakhutdinov, 2006, with Boltzmann machines.
    """
    stack(pairs)  # raises if they do not fit
    settings = keras.saving.serialize_keras_object(
        keras.optimizers.get(optimizer)
    )
    if isinstance(dataset, np.ndarray):
        dataset = ImageDataset(dataset)
    if isinstance(dataset, keras.utils.PyDataset):
        dataset = map(dataset.__getitem__, range(len(dataset)))
    batches = [keras.ops.convert_to_numpy(unpack(b)[0]) for b in dataset]
    h, histories = np.concatenate(batches), []
    for level, pair in enumerate(pairs):
        model = Autoencoder(
            *pair, likelihood="gaussian" if level else likelihood
        )
        model.compile(
            keras.saving.deserialize_keras_object(copy.deepcopy(settings))
        )
        data = ImageDataset(h, batch_size=len(batches[0]))
        histories.append(model.fit(data, epochs=epochs, verbose=verbose))
        h = model.encode(h)
    return [history.history for history in histories]


def stack(pairs):
    """Join (encoder, decoder) pairs into one encoder and one decoder.

        f = f_n ... f_2 f_1,    g = g_1 g_2 ... g_n

    The networks are used as they are, not copied.

    Args:
        pairs: List of (encoder, decoder), from the bottom up.

    Returns:
        Two `keras.Model`s.

    Raises:
        ValueError: If a network does not take what the one before returns.
    """
    for (below, _), (above, _) in zip(pairs, pairs[1:], strict=False):
        if below.output_shape != above.input_shape:
            raise ValueError(
                "Each encoder must take what the one below returns. "
                f"Received: {below.output_shape} below, {above.input_shape}"
            )
    for encoder, decoder in pairs:
        if (encoder.input_shape, encoder.output_shape) != (
            decoder.output_shape,
            decoder.input_shape,
        ):
            raise ValueError(
                "Each decoder must undo its encoder. Received: encoder "
                f"{encoder.input_shape} to {encoder.output_shape}, decoder "
                f"{decoder.input_shape} to {decoder.output_shape}"
            )
    x = h = keras.Input(pairs[0][0].input_shape[1:])
    for encoder, _ in pairs:
        h = encoder(h)
    z = images = keras.Input(h.shape[1:])
    for _, decoder in pairs[::-1]:
        images = decoder(images)
    return keras.Model(x, h), keras.Model(z, images)


def classifier(encoder, num_classes, freeze=False):
    """Put a classifier on a copy of a trained encoder.

    Where labels are few, images without labels can still teach an encoder:
    train it in an autoencoder on all of them, then this on those with labels.

    Args:
        encoder: `keras.Model` from images to codes; of several outputs the
            first is taken.
        num_classes: Integer of at least 2.
        freeze: Bool, whether to train the new layer only.

    Returns:
        `keras.Model` from images to logits `(batch, num_classes)`, to compile
        with `SparseCategoricalCrossentropy(from_logits=True)`.

    Reference:
        Erhan et al., Why Does Unsupervised Pre-training Help Deep Learning?,
        2010.
    """
    if num_classes < 2:
        raise ValueError(
            f"`num_classes` must be at least 2. Received: {num_classes}"
        )
    first = keras.Model(encoder.inputs, encoder.outputs[0])
    body = keras.models.clone_model(first)
    body.set_weights(first.get_weights())
    body.trainable = not freeze
    x = keras.Input(encoder.inputs[0].shape[1:])
    return keras.Model(x, keras.layers.Dense(num_classes)(body(x)))
