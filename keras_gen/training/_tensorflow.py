"""The training step on TensorFlow: variables change in place."""

import tensorflow as tf


def run_step(model, step, data):
    """Run `step(data)`; see `_jax.py` for why the model is passed."""
    del model
    return step(data)


def minimize(loss_fn, variables, optimizer, norm=False):
    """Take one step down the gradient of `loss_fn()["loss"]`."""
    with tf.GradientTape() as tape:
        logs = loss_fn()
        loss = optimizer.scale_loss(logs["loss"])
        # Keras sums gradients over replicas; a batch mean must stay a mean.
        loss = loss / tf.distribute.get_strategy().num_replicas_in_sync
    gradients = tape.gradient(loss, variables)
    optimizer.apply(gradients, variables)
    if norm:
        scale = optimizer.scale_loss(1.0)
        logs["gradient_norm"] = tf.linalg.global_norm(gradients) / scale
    return logs


def input_gradient(fn, x):
    """Return the gradient of `sum(fn(x))` with respect to `x`."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = fn(x)
    return tape.gradient(y, x, unconnected_gradients="zero")


def when(condition, fn):
    """Return `fn()` if `condition`, else zero; side effects happen likewise."""
    return tf.cond(condition, fn, lambda: 0.0)


def global_random_state():
    """Return the states of generators outside the model: there are none."""
    return []


def set_global_random_state(states):
    """Do nothing: all random state is the model's."""
