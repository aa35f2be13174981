"""What the base of GANs looks up in the networks it is given."""

import warnings

import keras


def mixing_layers(network):
    """Return the names of layers that make samples depend on each other."""
    return [
        layer.name
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        or getattr(layer, "mixes_samples", False)
    ]


def adaptive_layers(augmentation):
    """Return the layers in it that go by how sure the discriminator is."""
    if augmentation is None:
        return []
    return [
        layer
        for layer in augmentation._flatten_layers()
        if getattr(layer, "target", None) is not None
        and hasattr(layer, "adapt")
    ]


def warn_of_batch_statistics(network):
    """Warn that a gradient penalty is another one with such layers."""
    mixing = mixing_layers(network)
    if mixing:
        warnings.warn(
            "A gradient penalty asks for the slope at each sample, but these "
            f"layers of `discriminator` make samples depend on each other: "
            f"{mixing}. The penalty is then another one; leave them out.",
            stacklevel=6,
        )


def warn_of_probabilities(network):
    """Warn if the network ends in probabilities where logits are meant."""
    squashing = (keras.activations.sigmoid, keras.activations.softmax)
    for output in network.outputs:
        layer = output._keras_history.operation
        if getattr(layer, "activation", None) in squashing:
            warnings.warn(
                "The losses take logits, and `discriminator` returns "
                f"probabilities: its layer {layer.name!r} ends in "
                f"{layer.activation.__name__}. Leave it out.",
                stacklevel=6,
            )
