"""Time `fit` of the VAE and the VQ-VAE against plain PyTorch.

    KERAS_BACKEND=tensorflow python -m tests.benchmarks.against_pytorch

The PyTorch side is the same network of `torch.nn` modules, channels first, in
a plain training loop with `torch.optim.Adam`, on the same batches in memory;
that both have as many weights is asserted. The sides take turns to go first;
the ratio is the median of those of neighbouring runs. Above 1 ours is faster.
"""

import argparse
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


class TorchVAE(nn.Module):
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


class TorchVQVAE(nn.Module):
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
}


def train(model, optimizer, batches):
    for x in batches:
        optimizer.zero_grad()
        loss = model.loss(torch.from_numpy(x).permute(0, 3, 1, 2))
        loss.backward()
        optimizer.step()
    return loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repetitions", type=int, default=11)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    batches = [
        rng.uniform(-1, 1, (BATCH, *SHAPE)).astype("float32")
        for _ in range(args.steps)
    ]
    for name, (make, make_torch) in MODELS.items():
        ours, other = make(), make_torch()
        weights = sum(p.numel() for p in other.parameters())
        assert weights == sum(
            int(np.prod(v.shape)) for v in ours.trainable_variables
        )
        optimizer = torch.optim.Adam(other.parameters(), 1e-3)
        sides = {
            "fit": lambda data, m=ours: m.fit(
                Batches(data), verbose=0, shuffle=False
            ),
            "torch": lambda data, m=other, o=optimizer: train(m, o, data),
        }
        times = {side: [] for side in sides}
        for i in range(args.repetitions + 1):
            for side in ("fit", "torch") if i % 2 else ("torch", "fit"):
                start = time.perf_counter()
                sides[side](batches)
                times[side].append(time.perf_counter() - start)
        # The first round compiles.
        fit, plain = (np.array(times[side][1:]) for side in sides)
        images = args.steps * BATCH
        print(
            f"{keras.backend.backend():10s} {name:5s} "
            f"fit {images / np.median(fit):6.0f} images/s, "
            f"PyTorch {images / np.median(plain):6.0f} images/s, "
            f"ratio {text(np.percentile(plain / fit, [25, 50, 75]))}",
            flush=True,
        )


if __name__ == "__main__":
    main()
