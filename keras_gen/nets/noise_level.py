"""What denoising networks are told besides the image."""

import keras
from keras import layers

from keras_gen.layers.noise_level import NoiseLevelEmbedding


def noise_and_class(dim, num_classes=None):
    """Return inputs of noise level and class, and what they embed into.

    Args:
        dim: Even integer, the width of the embedding.
        num_classes: Integer, or None for no labels.

    Returns:
        A list of one or two `keras.Input`, and the embedding `(batch, dim)`.
    """
    inputs = [keras.Input((1,))]
    embedding = layers.Dense(dim)(NoiseLevelEmbedding(dim)(inputs[0]))
    if num_classes is not None:
        inputs.append(keras.Input((num_classes,)))
        label = layers.Dense(dim, use_bias=False)(inputs[1])
        embedding = layers.Add()([embedding, label])
    embedding = layers.Dense(dim)(layers.Activation("silu")(embedding))
    return inputs, layers.Activation("silu")(embedding)
