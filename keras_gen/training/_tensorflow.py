"""The training step on TensorFlow: variables change in place."""

import numpy as np
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
    if norm:  # first: `apply` may change the scale
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        scale = optimizer.scale_loss(1.0) / replicas
        logs["gradient_norm"] = tf.linalg.global_norm(gradients) / scale
    optimizer.apply(gradients, variables)
    return logs


def input_gradient(fn, x):
    """Return the gradient of `sum(fn(x))` with respect to `x`."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = fn(x)
    return tape.gradient(y, x, unconnected_gradients="zero")


def when(condition, fn, xla=False):
    """Return `fn()` if `condition`, else zero; side effects happen likewise."""
    if xla:
        # It cannot compile second derivatives of dynamic batches inside a
        # condition, so `fn` is computed in any case.
        return tf.where(condition, fn(), 0.0)
    return tf.cond(condition, fn, lambda: 0.0)


def batches(data):
    """Return our own data sets as a `tf.data.Dataset` that is not autotuned.

    Keras would have it autotuned, and then the end of an epoch can wait, doing
    nothing, for about as long as an epoch took (TensorFlow 2.21). Other data
    are returned as they are.
    """
    if not getattr(data, "serves_tuples_of_arrays", False):
        return data

    def elements():
        epoch = data.epoch
        for i in range(len(data)):
            yield data[i]
        data.set_epoch(epoch + 1)  # in a thread: `fit` may have done so

    def element(batch):
        shape = (None, *np.shape(batch)[1:])
        return tf.TensorSpec(shape, np.asarray(batch).dtype)

    dataset = tf.data.Dataset.from_generator(
        elements,
        output_signature=tuple(element(part) for part in data[0]),
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(data)))
    return dataset.prefetch(2).with_options(options)


def global_random_state():
    """Return the states of generators outside the model: there are none."""
    return []


def set_global_random_state(states):
    """Do nothing: all random state is the model's."""
