"""What a diffusion model does, in seven pictures.

    KERAS_BACKEND=tensorflow python examples/diffusion.py
    KERAS_BACKEND=tensorflow TFDS_DATA_DIR=... python examples/diffusion.py \
        --dataset mnist --epochs 10

Trains a class-conditional diffusion model, and one that restores detail, and
writes to --out

    schedules.png    one image under each schedule, from data to noise
    trajectories.png how samples come out of noise
    guidance.png     a row for each guidance scale, 0, 1, 2, 4: classes in turn
    inpainted.png    images, what was left of them, and three completions
    edited.png       images after more and more noise has come and gone
    between.png      from one image to another through their noises
    restored.png     images, their averages of 2x2 pixels, and two restorations
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import keras_gen as kg
from keras_gen.pictures import save_grid
from keras_gen.recipes import RECIPES

parser = argparse.ArgumentParser()
parser.add_argument("--dataset", default="digits")
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--out", type=Path, default=Path("runs/diffusion"))
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)

keras.utils.set_random_seed(0)
train = kg.data.load(args.dataset, batch_size=64)
x, y = kg.data.load(args.dataset, "test", batch_size=200)[0]
# The first two images of each class.
pairs = [np.flatnonzero(y == label)[:2] for label in range(train.num_classes)]
first, second = np.transpose(pairs)
x, others, y = x[first], x[second], y[first]
n, shape = len(x), train.element_shape


def save(name, rows):
    """Write a picture of a few rows of images."""
    columns = len(rows[0])
    save_grid(args.out / f"{name}.png", np.concatenate(rows), columns=columns)


rows = []
for name in ("linear", "cosine", "sigmoid", "rectified_flow"):
    alphas, sigmas = kg.diffusion.get_schedule(name).grid(10)
    noise = np.random.default_rng(0).standard_normal(shape)
    levels = np.stack([alphas, sigmas], axis=1)[::-1]
    rows.append(np.stack([a * x[0] + s * noise for a, s in levels]).clip(-1, 1))
save("schedules", rows)

model = RECIPES["diffusion"](shape, train.num_classes, len(train.images))
checkpoint = kg.callbacks.Checkpoint(args.out / "checkpoints" / "model")
model.fit(train, epochs=args.epochs, callbacks=[checkpoint], verbose=2)

classes = np.arange(8) % train.num_classes
frames = model.denoising_trajectory(8, 10, labels=classes, seed=0)
save("trajectories", list(frames))
save(
    "guidance",
    [
        model.generate(n, labels=y, seed=0, guidance_scale=w)
        for w in (0.0, 1.0, 2.0, 4.0)
    ],
)
known = np.ones(shape, bool)
known[shape[0] // 2 :] = False
done = [model.inpaint(x, known, labels=y, seed=seed) for seed in range(3)]
save("inpainted", [x, np.where(known, x, -1.0), *done])
strengths = (0.0, 0.25, 0.5, 0.75, 1.0)
save("edited", [model.edit(x, s, labels=y, seed=0) for s in strengths])
save("between", list(model.interpolate(x, others, 8, labels=y)))

blur = kg.layers.LowResolution(2)
restorer = kg.models.Diffusion(
    kg.nets.unet(
        shape,
        filters=(32, 64),
        attention=(),
        in_channels=2 * shape[-1],
    ),
    condition=blur,
)
restorer.compile(keras.optimizers.Adam(1e-3))
checkpoint = kg.callbacks.Checkpoint(args.out / "checkpoints" / "restorer")
restorer.fit(train, epochs=args.epochs, callbacks=[checkpoint], verbose=2)
low = keras.ops.convert_to_numpy(blur(x))
done = [restorer.generate(n, condition=low, seed=seed) for seed in range(2)]
save("restored", [x, low, *done])
