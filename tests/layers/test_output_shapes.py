import keras
import numpy as np
import pytest
from keras import ops

from keras_gen import layers

CASES = [
    (layers.LayerNormalization, {}, [(3, 5, 6)]),
    (layers.GroupNormalization, {"groups": 2}, [(3, 5, 6)]),
    (layers.AdaptiveNormalization, {"groups": 2}, [(3, 5, 6), (7,)]),
    (layers.AdaptiveNormalization, {}, [(15, 6), (7,)]),
    (layers.NoiseLevelEmbedding, {"dim": 8}, [(1,)]),
    (layers.GatedActivation, {}, [(3, 5, 6)]),
]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("cls, arguments, shapes", CASES)
def test_what_a_layer_promises_is_what_it_returns(
    cls, arguments, shapes, policy
):
    """Keras believes a declared shape, and does not look at `call`."""
    dtype = {} if cls is layers.NoiseLevelEmbedding else {"dtype": policy}
    layer = cls(**arguments, **dtype)
    symbols = [
        keras.Input(shape, dtype=layer.compute_dtype) for shape in shapes
    ]
    values = [
        ops.cast(np.ones((2, *shape)), layer.compute_dtype) for shape in shapes
    ]
    one = len(shapes) == 1
    promised = layer(symbols[0] if one else symbols)
    returned = layer(values[0] if one else values)
    assert promised.shape == (None, *returned.shape[1:])
    assert promised.dtype == keras.backend.standardize_dtype(returned.dtype)
