"""The differentiation primitives of the active Keras backend.

The two functions models need, `minimize` and `input_gradient`, and the wrapper
`run_step` around a whole step exist once per backend, in `_tensorflow.py`,
`_jax.py` and `_torch.py`, and so does what `Checkpoint` must know about random
generators. No other file imports a backend.
"""

import importlib

import keras

_SUPPORTED = ("tensorflow", "jax", "torch")

if keras.backend.backend() not in _SUPPORTED:
    raise ImportError(
        "keras_gen trains on the Keras backends "
        f"{', '.join(_SUPPORTED)}. Received: "
        f"KERAS_BACKEND={keras.backend.backend()!r}."
    )

_module = importlib.import_module(
    f"keras_gen.training._{keras.backend.backend()}"
)

minimize = _module.minimize
input_gradient = _module.input_gradient
run_step = _module.run_step
global_random_state = _module.global_random_state
set_global_random_state = _module.set_global_random_state
