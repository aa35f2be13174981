"""Train a VAE and a GAN on 1,797 handwritten digits and draw new ones.

Run it with `make demo`, or `KERAS_BACKEND=jax python examples/demo.py`.
"""

import sys
import time
from pathlib import Path

import keras

import keras_gen as kg
from keras_gen.recipes import RECIPES


def train(name, epochs):
    """Train one model and leave its pictures and weights under runs/."""
    out = Path("runs") / f"demo_{name}"
    keras.utils.set_random_seed(0)
    data = kg.data.load("digits", batch_size=64)
    model = RECIPES[name](
        data.element_shape, data.num_classes, len(data.images)
    )
    model.fit(
        data,
        epochs=epochs,
        callbacks=[kg.callbacks.ImageGrid(out, every=10, gif=True)],
    )
    model.save_to_preset(out / "model")
    last = sorted(out.glob("samples-*.png"))[-1]
    print(f"\n{name}: look at {last} and {out / 'samples.gif'};")
    print(f"its weights are in {out / 'model'}\n")


if __name__ == "__main__":
    start = time.perf_counter()
    train("vae", epochs=200)
    train("gan", epochs=300)
    print(f"Trained both in {time.perf_counter() - start:.0f} seconds with the")
    print(f"{keras.backend.backend()} backend. Draw more with")
    command = Path(sys.executable).parent / "keras-gen"
    print(
        f"  KERAS_BACKEND={keras.backend.backend()} {command} "
        "generate runs/demo_gan -n 100 --out grid.png"
    )
