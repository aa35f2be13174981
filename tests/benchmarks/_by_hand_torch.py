import torch
from torch.nn.functional import softplus

from tests.benchmarks.by_hand import mean_logs


def _epoch(step, batches):
    return mean_logs([step(torch.from_numpy(x)) for x in batches])


def _apply(optimizer, loss, variables):
    gradients = torch.autograd.grad(loss, [v.value for v in variables])
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def vae(model):
    encoder, decoder, optimizer = model.encoder, model.decoder, model.optimizer
    variables = encoder.trainable_variables + decoder.trainable_variables

    def step(x):
        mean, log_var = encoder(x, training=True)
        eps = torch.randn_like(mean)
        logits = decoder(mean + (0.5 * log_var).exp() * eps, training=True)
        nll = softplus(logits) - (x + 1) / 2 * logits
        nll = nll.sum(dim=(1, 2, 3)).mean()
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
        kl = kl.sum(dim=-1).mean()
        loss = nll + kl
        _apply(optimizer, loss, variables)
        return loss.detach(), nll.detach(), kl.detach()

    return lambda batches: _epoch(step, batches)


def gan(model):
    generator, discriminator = model.generator, model.discriminator
    d_optimizer = model.optimizer["discriminator"]
    g_optimizer = model.optimizer["generator"]
    average = model.averaged.averages["generator"]
    d_vars = discriminator.trainable_variables
    g_vars = generator.trainable_variables

    def step(x):
        n = x.shape[0]
        fake = generator(torch.randn(n, 64), training=True)
        real_logits = discriminator(x, training=True)
        fake_logits = discriminator(fake.detach(), training=True)
        d_loss = (softplus(-real_logits) + softplus(fake_logits)).mean()
        _apply(d_optimizer, d_loss, d_vars)
        g_loss = softplus(-discriminator(fake, training=True)).mean()
        _apply(g_optimizer, g_loss, g_vars)
        with torch.no_grad():
            for m, w in zip(average.weights, generator.weights, strict=True):
                if w.trainable:
                    m.value.lerp_(w.value, 0.005)
                else:
                    m.value.copy_(w.value)
        return d_loss.detach(), g_loss.detach()

    return lambda batches: _epoch(step, batches)
