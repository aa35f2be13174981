"""A masked convolutional network over grids of codes."""

import keras
from keras import layers

from keras_gen.layers.masked_conv import GatedActivation
from keras_gen.layers.masked_conv import MaskedConv2D


def pixel_cnn(
    grid_shape, num_codes, filters=64, blocks=5, num_classes=None, dropout=0.0
):
    """Build a gated PixelCNN.

    Two stacks run side by side, so that no pixel before is out of sight: the
    vertical one sees all rows above, the horizontal one the row so far and
    what the vertical one found. Each block is tanh(a) sigmoid(b) of a masked
    convolution, with the label added to both halves.

    Args:
        grid_shape: Tuple (height, width).
        num_codes: Integer, codes to tell apart.
        filters: Integer, channels of each stack.
        blocks: Integer, gated blocks after the first.
        num_classes: Integer to take one-hot labels `(batch, num_classes)` as a
            second input, or None.
        dropout: Float in [0, 1), share of the gated channels dropped in
            training.

    Returns:
        `keras.Model` from int32 grids `(batch, height, width, 1)` to logits
        `(batch, height, width, num_codes)`.

    Reference:
        van den Oord et al., Conditional Image Generation with PixelCNN
        Decoders, 2016, arXiv:1606.05328.
    """
    inputs = codes = keras.Input((*grid_shape, 1), dtype="int32")
    label = None
    if num_classes is not None:
        label = keras.Input((num_classes,))
        inputs = [codes, label]
    x = layers.Reshape(grid_shape)(codes)
    x = layers.Embedding(num_codes, filters)(x)

    def gate(x):
        if label is not None:
            shift = layers.Dense(2 * filters, use_bias=False)(label)
            x = layers.Add()([x, layers.Reshape((1, 1, 2 * filters))(shift)])
        return layers.Dropout(dropout)(GatedActivation()(x))

    vertical = horizontal = x
    for i in range(blocks + 1):
        first = i == 0
        size = 7 if first else 3
        # After the first, which hides it, one's own row holds rows above only.
        if first:
            v = MaskedConv2D(2 * filters, size, "above")(vertical)
        else:
            v = _rows(vertical, 2 * filters, size)
        h = MaskedConv2D(2 * filters, (1, size), "A" if first else "B")(
            horizontal
        )
        h = gate(layers.Add()([h, layers.Conv2D(2 * filters, 1)(v)]))
        h = layers.Conv2D(filters, 1)(h)
        horizontal = h if first else layers.Add()([horizontal, h])
        vertical = gate(v)
    x = layers.ReLU()(horizontal)
    x = layers.Conv2D(filters, 1, activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(num_codes, 1)(x))


def _rows(x, filters, size):
    """Convolve over the rows up to one's own, all columns in reach."""
    padded = layers.ZeroPadding2D(((size // 2, 0), (size // 2, size // 2)))(x)
    return layers.Conv2D(filters, (size // 2 + 1, size), padding="valid")(
        padded
    )
