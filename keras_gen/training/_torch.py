"""The training step on torch: variables change in place."""

import torch


def run_step(model, step, data):
    """Run `step(data)`; see `_jax.py` for why the model is passed."""
    del model
    return step(data)


def minimize(loss_fn, variables, optimizer, norm=False):
    """Take one step down the gradient of `loss_fn()["loss"]`."""
    logs = loss_fn()
    # `autograd.grad`, not `backward()`: the latter would also leave gradients
    # in the networks that do not move in this phase.
    gradients = torch.autograd.grad(
        optimizer.scale_loss(logs["loss"]),
        [v.value for v in variables],
        allow_unused=True,
    )
    if norm:  # first: `apply` may change the scale
        norms = [torch.linalg.norm(g) for g in gradients if g is not None]
        scale = optimizer.scale_loss(1.0)
        logs["gradient_norm"] = torch.linalg.norm(torch.stack(norms)) / scale
    with torch.no_grad():
        optimizer.apply(gradients, variables)
    return {name: value.detach() for name, value in logs.items()}


def input_gradient(fn, x):
    """Return the gradient of `sum(fn(x))` with respect to `x`."""
    # Keras evaluates under `no_grad`, but a penalty needs its gradient there.
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        total = fn(x).sum()
        if not total.requires_grad:  # `fn` ignores its argument
            return torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(
            total, x, create_graph=True, materialize_grads=True
        )
    return gradient


def when(condition, fn, xla=False):
    """Return `fn()` if `condition`, else zero; side effects happen likewise."""
    return fn() if condition else torch.zeros(())


def batches(data):
    """Return `data`: only TensorFlow needs another form."""
    return data


def global_random_state():
    """Return the states of torch's generators, as hexadecimal strings.

    On torch, Keras's Dropout without a seed draws from them, and not from the
    seed generator it owns.
    """
    states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return [state.numpy().tobytes().hex() for state in states]


def set_global_random_state(states):
    """Restore what `global_random_state` returned."""
    cpu, *cuda = [
        torch.frombuffer(bytearray.fromhex(state), dtype=torch.uint8)
        for state in states
    ]
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(cuda[: torch.cuda.device_count()])
