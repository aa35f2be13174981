"""The training step on JAX: state goes in, new state comes out.

Keras hands the step every variable's value and expects the new values back.
Inside a `keras.StatelessScope` reads and writes of variables go to the scope,
so a model's step can be written as if variables changed in place. Only the
innermost scope is consulted; each nested differentiation therefore opens its
own scope holding all values, returns what changed as auxiliary output, and
writes that into the scope around it.
"""

import contextlib
import contextvars

import jax
import keras
from keras import ops

# The variables whose values the innermost scope holds.
_scoped = contextvars.ContextVar("scoped_variables", default=())


@contextlib.contextmanager
def _scope(variables, values):
    token = _scoped.set(variables)
    try:
        with keras.StatelessScope(list(zip(variables, values))) as scope:
            yield scope
    finally:
        _scoped.reset(token)


def _values(variables):
    return [v.value for v in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def run_step(model, step, state, data):
    """Run `step(data)` on `state`, return its logs and the new state."""
    groups = [model.trainable_variables, model.non_trainable_variables]
    if len(state) == 4:
        groups.append(model.optimizer.variables)
    groups.append(model.metrics_variables)
    variables = [v for group in groups for v in group]
    values = [value for group in state for value in group]
    with _scope(variables, values) as scope:
        logs = step(data)
    return logs, tuple(
        [scope.get_current_value(v) for v in group] for group in groups
    )


def minimize(loss_fn, variables, optimizer, norm=False):
    """Take one step down the gradient of `loss_fn()["loss"]`."""
    moving = {id(v) for v in variables}
    others = [v for v in _scoped.get() if id(v) not in moving]
    other_values = _values(others)

    def scaled_loss(values):
        with _scope(variables + others, values + other_values) as scope:
            logs = loss_fn()
            loss = optimizer.scale_loss(logs["loss"])
        updates = [scope.get_current_value(v) for v in others]
        return loss, (logs, updates)

    gradients, (logs, updates) = jax.grad(scaled_loss, has_aux=True)(
        _values(variables)
    )
    _assign(others, updates)
    # Within another `minimize`: what moves here is a constant there.
    gradients = [jax.lax.stop_gradient(g) for g in gradients]
    if norm:  # first: the update may change the scale
        squares = [ops.sum(ops.square(g)) for g in gradients]
        scale = optimizer.scale_loss(1.0)
        logs["gradient_norm"] = ops.sqrt(ops.sum(ops.stack(squares))) / scale
    # `apply` would leak tracers through the `cond` of a LossScaleOptimizer.
    new_values, new_slots = optimizer.stateless_apply(
        _values(optimizer.variables), gradients, _values(variables)
    )
    _assign(variables, new_values)
    _assign(optimizer.variables, new_slots)
    return logs


def input_gradient(fn, x):
    """Return the gradient of `sum(fn(x))` with respect to `x`."""
    variables = _scoped.get()
    values = _values(variables)

    def total(x):
        with _scope(variables, values) as scope:
            y = ops.sum(fn(x))
        return y, [scope.get_current_value(v) for v in variables]

    gradient, updates = jax.grad(total, has_aux=True)(x)
    _assign(variables, updates)
    return gradient


def when(condition, fn, xla=False):
    """Return `fn()` if `condition`, else zero; side effects happen likewise."""
    variables = _scoped.get()

    def run(values):
        with _scope(variables, values) as scope:
            y = fn()
        return y, [scope.get_current_value(v) for v in variables]

    y, updates = jax.lax.cond(
        condition, run, lambda values: (0.0, values), _values(variables)
    )
    _assign(variables, updates)
    return y


def batches(data):
    """Return `data`: only TensorFlow needs another form."""
    return data


def global_random_state():
    """Return the states of generators outside the model: there are none."""
    return []


def set_global_random_state(states):
    """Do nothing: all random state is the model's."""
