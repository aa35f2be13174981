"""The differentiation primitives of the active Keras backend.

The functions models need, `minimize`, `input_gradient` and `when`, and the
wrapper `run_step` around a whole step exist once per backend, in
`_tensorflow.py`, `_jax.py` and `_torch.py`, and so do `batches`, the form in
which `fit` hands on our own data sets, and what `Checkpoint` must know about
random generators. No other file imports a backend.

`minimize(loss_fn, variables, optimizer, norm)` moves `variables` one step down
the gradient of `loss_fn()["loss"]` by their built `optimizer`, and returns the
dict of scalars that `loss_fn` returned; with `norm=True` also the Euclidean
norm of the gradient, as "gradient_norm". Side effects of `loss_fn` are kept; a
`minimize` within it is one: no gradient passes through what it moved.

`input_gradient(fn, x)` is the gradient of `sum(fn(x))` with respect to `x`, and
can itself be differentiated. If no sample's score depends on another sample,
it holds each sample's own gradient. Call it on tensors.

`when(condition, fn, xla)` is the scalar `fn()` if the boolean `condition`
holds, and else 0, and `fn` is not computed, but on TensorFlow where the step is
compiled with `xla`. Side effects of `fn` are kept.

`run_step(model, step, data)`, on JAX `run_step(model, step, state, data)`, runs
`step(data)` the way Keras's trainer of that backend wants it: on JAX `state`
lists the values of trainable, non-trainable, optimizer (in training only) and
metrics variables, and the new lists are returned with the logs.
"""

import contextlib
import importlib
import random

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
when = _module.when
batches = _module.batches
global_random_state = _module.global_random_state
set_global_random_state = _module.set_global_random_state


@contextlib.contextmanager
def undisturbed():
    """Leave the generators that training may use as they were.

    Keras's `predict` draws from torch's, and building layers from Python's.
    """
    states, own = global_random_state(), random.getstate()
    try:
        yield
    finally:
        set_global_random_state(states)
        random.setstate(own)
