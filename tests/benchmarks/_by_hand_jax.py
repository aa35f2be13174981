import functools

import jax
import jax.numpy as jnp
from jax.nn import softplus

from tests.benchmarks.by_hand import mean_logs


def _values(variables):
    return [jnp.copy(v.value) for v in variables]


def _epoch(step, state, batches):
    logs = []
    for x in batches:
        state[0], values = step(state[0], x)
        logs.append(values)
    return mean_logs(logs)


def vae(model):
    encoder, decoder, optimizer = model.encoder, model.decoder, model.optimizer

    def loss_fn(weights, key, x):
        (mean, log_var), _ = encoder.stateless_call(weights[0], [], x)
        eps = jax.random.normal(key, mean.shape)
        z = mean + jnp.exp(0.5 * log_var) * eps
        logits, _ = decoder.stateless_call(weights[1], [], z)
        nll = softplus(logits) - (x + 1) / 2 * logits
        nll = nll.sum(axis=(1, 2, 3)).mean()
        kl = 0.5 * (mean**2 + jnp.exp(log_var) - 1 - log_var)
        kl = kl.sum(axis=-1).mean()
        return nll + kl, (nll, kl)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, x):
        weights, slots, key = state
        key, draw = jax.random.split(key)
        (loss, terms), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            weights, draw, x
        )
        flat, slots = optimizer.stateless_apply(
            slots, grads[0] + grads[1], weights[0] + weights[1]
        )
        n = len(weights[0])
        return ((flat[:n], flat[n:]), slots, key), (loss, *terms)

    state = [
        (
            (
                _values(encoder.trainable_variables),
                _values(decoder.trainable_variables),
            ),
            _values(optimizer.variables),
            jax.random.key(0),
        )
    ]
    return lambda batches: _epoch(step, state, batches)


def gan(model):
    generator, discriminator = model.generator, model.discriminator
    d_optimizer = model.optimizer["discriminator"]
    g_optimizer = model.optimizer["generator"]

    def generate(weights, statistics, key, n):
        z = jax.random.normal(key, (n, 64))
        return generator.stateless_call(weights, statistics, z, training=True)

    def judge(weights, x):
        return discriminator.stateless_call(weights, [], x, training=True)[0]

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, x):
        d, g, stats, d_slots, g_slots, average, key = state
        key, key_z = jax.random.split(key)
        n = x.shape[0]
        fake, back, stats = jax.vjp(
            lambda g: generate(g, stats, key_z, n), g, has_aux=True
        )

        def d_loss_fn(d):
            return (softplus(-judge(d, x)) + softplus(judge(d, fake))).mean()

        d_loss, grads = jax.value_and_grad(d_loss_fn)(d)
        d, d_slots = d_optimizer.stateless_apply(d_slots, grads, d)
        g_loss, slope = jax.value_and_grad(
            lambda fake: softplus(-judge(d, fake)).mean()
        )(fake)
        (grads,) = back(slope)
        g, g_slots = g_optimizer.stateless_apply(g_slots, grads, g)
        average = [0.995 * m + 0.005 * w for m, w in zip(average, g)]
        return (d, g, stats, d_slots, g_slots, average, key), (d_loss, g_loss)

    state = [
        (
            _values(discriminator.trainable_variables),
            _values(generator.trainable_variables),
            _values(generator.non_trainable_variables),
            _values(d_optimizer.variables),
            _values(g_optimizer.variables),
            _values(generator.trainable_variables),
            jax.random.key(0),
        )
    ]
    return lambda batches: _epoch(step, state, batches)
