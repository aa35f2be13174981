"""Time `fit` of VAE, VQ-VAE, DCGAN and DDPM against plain PyTorch.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.against_pytorch
    ... --models dcgan_28 dcgan_64 ddpm

The PyTorch side is the same network of `torch.nn` modules, in a plain training
loop with `torch.optim.Adam`, on the same batches in memory, which it sees
transposed: channels first in shape, channels last in memory. That both have as
many weights is asserted. Each side is in a process of its own, as thread pools
of two libraries in one slow each other down. They take turns, and turns to go
first; the ratio is the median of those of neighbouring runs. Above 1 ours is
faster.
"""

import argparse
import multiprocessing
import time

import torch  # before TensorFlow, which it can crash after
from torch import nn
from torch.nn import functional as f

# isort: split
import keras
import numpy as np

import keras_gen as kg
from keras_gen.recipes import RECIPES
from tests.benchmarks.steps import Batches
from tests.benchmarks.steps import text

SHAPE, BATCH, NUM_CODES, DIM = (28, 28, 1), 128, 128, 16


class OneLoss(nn.Module):
    """A model whose step goes down one loss."""

    def optimizer(self):
        return torch.optim.Adam(self.parameters(), 1e-3)

    def step(self, x, optimizer):
        optimizer.zero_grad()
        loss = self.loss(x)
        loss.backward()
        optimizer.step()
        return loss


class TorchVAE(OneLoss):
    """The default convolutional VAE."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * 49, 128),
            nn.ReLU(),
        )
        self.mean, self.log_var = nn.Linear(128, 16), nn.Linear(128, 16)
        self.decoder = nn.Sequential(
            nn.Linear(16, 64 * 49),
            nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 64, 3, 2, 1, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, 2, 1, 1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 3, 1, 1),
        )

    def loss(self, x):
        h = self.encoder(x)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        logits = self.decoder(z)
        nll = (f.softplus(logits) - (x + 1) / 2 * logits).sum((1, 2, 3))
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
        return nll.mean() + kl.mean()


class Residual(nn.Module):
    """x + Conv1x1(ReLU(Conv3x3(ReLU(x))))."""

    def __init__(self, channels):
        super().__init__()
        self.inner = nn.Conv2d(channels, 32, 3, 1, 1)
        self.outer = nn.Conv2d(32, channels, 1)

    def forward(self, x):
        return x + self.outer(f.relu(self.inner(f.relu(x))))


class TorchVQVAE(OneLoss):
    """A VQ-VAE with an averaged codebook."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, 1, 1),
            Residual(64),
            Residual(64),
            nn.ReLU(),
            nn.Conv2d(64, DIM, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(DIM, 64, 3, 1, 1),
            Residual(64),
            Residual(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1),
        )
        self.codebook = torch.randn(NUM_CODES, DIM)
        self.counts = torch.ones(NUM_CODES)
        self.sums = self.codebook.clone()

    def loss(self, x):
        z = self.encoder(x)
        flat = z.permute(0, 2, 3, 1).reshape(-1, DIM)
        distances = (self.codebook**2).sum(1) - 2 * flat @ self.codebook.T
        indices = distances.argmin(1)
        q = self.codebook[indices].view(len(x), 7, 7, DIM).permute(0, 3, 1, 2)
        with torch.no_grad():
            hits = f.one_hot(indices, NUM_CODES).float()
            n = hits.sum(0)
            self.counts = 0.99 * self.counts + 0.01 * n
            self.sums = 0.99 * self.sums + 0.01 * hits.T @ flat
            mean = self.sums / self.counts[:, None]
            self.codebook = torch.where(n[:, None] > 0, mean, self.codebook)
        outputs = self.decoder(z + (q - z).detach())
        error = ((x - outputs) ** 2).sum((1, 2, 3)) / (2 * 0.2**2)
        return (
            error.mean() + 0.25 * ((z - q.detach()) ** 2).sum((1, 2, 3)).mean()
        )


class TorchDCGAN(nn.Module):
    """DCGAN with half of `filters` at each finer grid; the default game."""

    def __init__(self, shape, filters, grid, levels):
        super().__init__()
        widths = [filters // 2**i for i in range(levels)]
        layers = [
            nn.Linear(100, grid * grid * filters, bias=False),
            nn.Unflatten(1, (filters, grid, grid)),
        ]
        for a, b in zip(widths, [*widths[1:], shape[-1]], strict=True):
            last = b == shape[-1]
            layers += [
                nn.BatchNorm2d(a),
                nn.ReLU(),
                nn.ConvTranspose2d(a, b, 5, 2, 2, 1, bias=last),
            ]
        self.generator = nn.Sequential(*layers, nn.Tanh())
        layers = []
        widths = [shape[-1], *widths[::-1]]
        for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
            layers.append(nn.Conv2d(a, b, 5, 2, 2, bias=i == 0))
            if i:
                layers.append(nn.BatchNorm2d(b))
            layers.append(nn.LeakyReLU(0.2))
        self.discriminator = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(grid * grid * filters, 1)
        )

    def optimizer(self):
        return [
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.discriminator, self.generator)
        ]

    def step(self, x, optimizers):
        down_d, down_g = optimizers
        fake = self.generator(torch.randn(len(x), 100))
        down_d.zero_grad()
        loss = f.softplus(-self.discriminator(x)).mean()
        loss = loss + f.softplus(self.discriminator(fake.detach())).mean()
        loss.backward()
        down_d.step()
        down_g.zero_grad()
        loss = f.softplus(-self.discriminator(fake)).mean()
        loss.backward()
        down_g.step()
        return loss


class TorchBlock(nn.Module):
    """A residual block that is told the level of noise; attention on 7x7."""

    def __init__(self, taken, width, dim, attends):
        super().__init__()
        self.norm = nn.GroupNorm(8, taken)
        self.first = nn.Conv2d(taken, width, 3, 1, 1)
        groups = 8
        self.second_norm = nn.GroupNorm(groups, width, affine=False)
        self.modulation = nn.Linear(dim, 2 * width)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        self.skip = nn.Conv2d(taken, width, 1) if taken != width else None
        self.attends = attends
        if attends:
            self.attention_norm = nn.GroupNorm(groups, width)
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.out = nn.Linear(width, width, bias=False)

    def forward(self, x, embedding):
        y = self.first(f.silu(self.norm(x)))
        scale, shift = self.modulation(embedding)[..., None, None].chunk(2, 1)
        y = (1 + scale) * self.second_norm(y) + shift
        x = (x if self.skip is None else self.skip(x)) + self.second(f.silu(y))
        if not self.attends:
            return x
        n, width, *grid = x.shape
        y = self.attention_norm(x).flatten(2).transpose(1, 2)
        parts = (
            self.qkv(y).view(n, -1, 3, width // 32, 32).permute(2, 0, 3, 1, 4)
        )
        y = f.scaled_dot_product_attention(*parts).transpose(1, 2)
        y = self.out(y.reshape(n, -1, width)).transpose(1, 2)
        return x + y.reshape(n, width, *grid)


class TorchDDPM(OneLoss):
    """The default U-Net on 28x28 pixels, predicting noise, with an average."""

    def __init__(self, filters=(32, 64, 64), blocks=2):
        super().__init__()
        dim = 4 * filters[0]
        self.register_buffer("frequencies", torch.logspace(-1, 1.48, dim // 2))
        self.embedding = nn.Sequential(
            nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU()
        )
        self.start = nn.Conv2d(1, filters[0], 3, 1, 1)
        last = len(filters) - 1
        x, skips = filters[0], [filters[0]]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(filters):
            for _ in range(blocks):
                self.down.append(TorchBlock(x, width, dim, level == last))
                x = width
                skips.append(x)
            if level < last:
                self.down.append(nn.Conv2d(x, width, 3, 2, 1))
                skips.append(x)
        self.middle = TorchBlock(x, x, dim, True)
        for level in range(last, -1, -1):
            width = filters[level]
            for _ in range(blocks + 1):
                taken = x + skips.pop()
                self.up.append(TorchBlock(taken, width, dim, level == last))
                x = width
            if level:
                self.up.append(nn.Conv2d(x, width, 3, 1, 1))
        self.end = nn.Sequential(
            nn.GroupNorm(8, x), nn.SiLU(), nn.Conv2d(x, 1, 3, 1, 1)
        )
        abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)
        self.register_buffer("abar", abar)
        self.average = [p.detach().clone() for p in self.parameters()]

    def network(self, x, level):
        angles = level[:, None] * self.frequencies
        e = self.embedding(torch.cat([angles.sin(), angles.cos()], 1))
        x = self.start(x)
        skips = [x]
        for part in self.down:
            x = part(x, e) if isinstance(part, TorchBlock) else part(x)
            skips.append(x)
        x = self.middle(x, e)
        for part in self.up:
            if isinstance(part, TorchBlock):
                x = part(torch.cat([x, skips.pop()], 1), e)
            else:
                x = part(f.interpolate(x, scale_factor=2))
        return self.end(x)

    def loss(self, x):
        abar = self.abar[torch.randint(1000, (len(x),))]
        a, s = abar.sqrt(), (1 - abar).sqrt()
        noise = torch.randn_like(x)
        x_t = a[:, None, None, None] * x + s[:, None, None, None] * noise
        return ((self.network(x_t, (s / a).log()) - noise) ** 2).mean()

    def step(self, x, optimizer):
        loss = super().step(x, optimizer)
        with torch.no_grad():
            for mean, p in zip(self.average, self.parameters(), strict=True):
                mean.lerp_(p, 0.001)
        return loss


def ddpm():
    model = kg.models.DDPM(kg.nets.unet(SHAPE))
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def dcgan(shape, filters):
    model = kg.models.GAN(
        kg.nets.dcgan_generator(shape, filters=filters),
        kg.nets.dcgan_discriminator(shape, filters),
    )
    model.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
    return model


def vqvae():
    model = kg.models.VQVAE(
        kg.nets.grid_encoder(SHAPE, DIM, filters=(32, 64)),
        kg.nets.grid_decoder(SHAPE, DIM, filters=(64, 32)),
        kg.layers.VectorQuantizer(NUM_CODES, DIM),
        likelihood=kg.losses.Gaussian(0.2),
    )
    model.compile(keras.optimizers.Adam(1e-3))
    return model


MODELS = {
    "vae": (lambda: RECIPES["vae"](SHAPE, None, None), TorchVAE),
    "vqvae": (vqvae, TorchVQVAE),
    "ddpm": (ddpm, TorchDDPM),
    "dcgan_28": (
        lambda: dcgan((28, 28, 1), 256),
        lambda: TorchDCGAN((28, 28, 1), 256, 7, 2),
    ),
    "dcgan_64": (
        lambda: dcgan((64, 64, 3), 512),
        lambda: TorchDCGAN((64, 64, 3), 512, 4, 4),
    ),
}


def train(model, optimizer, batches, bfloat16):
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        for x in batches:
            x = torch.from_numpy(x).permute(0, 3, 1, 2)
            loss = model.step(x, optimizer)
    return loss.item()


def work(pipe, name, side, steps, bfloat16):
    """Train a model each time it is asked for, and answer with the seconds."""
    if bfloat16:
        keras.config.set_dtype_policy("mixed_bfloat16")
    make, make_torch = MODELS[name]
    ours, other = make(), make_torch()
    weights = sum(p.numel() for p in other.parameters())
    assert weights == sum(
        int(np.prod(v.shape)) for v in ours.trainable_variables
    )
    rng, optimizer = np.random.default_rng(0), other.optimizer()
    batches = [
        rng.uniform(-1, 1, (BATCH, *ours.data_shape)).astype("float32")
        for _ in range(steps)
    ]
    while pipe.recv():
        start = time.perf_counter()
        if side == "fit":
            ours.fit(Batches(batches), verbose=0, shuffle=False)
        else:
            train(other, optimizer, batches, bfloat16)
        pipe.send(time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--models", nargs="+", default=["vae", "vqvae"])
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="ours in mixed_bfloat16, PyTorch under autocast",
    )
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for name in args.models:
        pipes, times = {}, {"fit": [], "torch": []}
        for side in times:
            pipes[side], other_end = context.Pipe()
            options = (other_end, name, side, args.steps, args.bfloat16)
            context.Process(target=work, args=options, daemon=True).start()
            other_end.close()  # so that the end of the process is noticed
        for i in range(args.repetitions + 1):
            for side in ("fit", "torch") if i % 2 else ("torch", "fit"):
                pipes[side].send(True)
                times[side].append(pipes[side].recv())
        for pipe in pipes.values():
            pipe.send(False)
        # The first round compiles.
        fit, plain = (np.array(times[side][1:]) for side in times)
        images = args.steps * BATCH
        print(
            f"{keras.backend.backend():10s} {name:8s} "
            f"fit {images / np.median(fit):6.0f} images/s, "
            f"PyTorch {images / np.median(plain):6.0f} images/s, "
            f"ratio {text(np.percentile(plain / fit, [25, 50, 75]))}",
            flush=True,
        )


if __name__ == "__main__":
    main()
