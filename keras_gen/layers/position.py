"""Learned positions in a sequence."""

import keras


@keras.saving.register_keras_serializable("keras_gen")
class PositionEmbedding(keras.layers.Layer):
    """Add a learned vector to each position of `(batch, length, dim)`."""

    def build(self, shape):
        self.positions = self.add_weight(
            shape=shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="positions",
        )

    def call(self, x):
        return x + self.positions
