"""DDPM of emoji at 32x32 in colour, a U-Net of one million weights.

    python zoo/ddpm_emoji/train.py --pictures FOLDER

FOLDER holds the pictures of Noto Emoji, `png/128` of googlefonts/noto-emoji.
Writes the preset and `samples.png` beside this file. Prints the bits per
dimension of pictures that it learnt from and of others, and the share of
samples that are copies of the former. Of many emoji there are variants of skin
tone, some of which it learns from. Interrupted, it goes on where it was.

After Ho et al., Denoising Diffusion Probabilistic Models, 2020
(arXiv:2006.11239).
"""

import keras
import numpy as np

import keras_gen as kg
from keras_gen.entries import Entry

entry = Entry(__file__, "noto_emoji", {"--pictures": "noto_emoji"})
SHAPE = (32, 32, 3)


def build():
    """Return the model before its training."""
    network = kg.nets.unet(SHAPE, (32, 64, 64), blocks=1, attention=(8,))
    fast = {"sampler": "dpmpp_2m", "num_steps": 20}
    return kg.models.DDPM(network, schedule="cosine", **fast)


keras.utils.set_random_seed(0)
options = {"image_size": 32, "labels": False, "batch_size": 32}
train = kg.data.load(entry.args.pictures, split="train", **options)
test = kg.data.load(entry.args.pictures, split="test", **options)
# Products of bfloat16 are faster than those of float32 on a recent CPU.
keras.config.set_dtype_policy("mixed_bfloat16")
trained = build()
entry.fit(trained, train, 160, 1e-3, every=4)
# The entry computes in float32, whichever policy it was trained with.
keras.config.set_dtype_policy("float32")
model = build()
model.set_weights(trained.get_weights())
values = kg.evaluate(model, (train, test), 500, metrics=["copies"], repeats=1)
share = next(v for k, v in values.items() if k.startswith("copies_"))
entry.record("share of copies", share, protocol="500 samples")
for name, data in (("training pictures", train), ("held-out pictures", test)):
    rows = np.random.default_rng(0).permutation(len(data.images))[:200]
    x = data.images[rows] / np.float32(127.5) - 1
    bits = model.variational_bound(x, terms=50)["bits_per_dim"].mean()
    entry.record("bits per dimension, at most", bits, protocol=f"200 {name}")
entry.save(model, model.generate(64, seed=0))
