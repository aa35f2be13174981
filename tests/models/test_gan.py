import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.conftest import host

SHAPE = (4, 4, 1)


def make(**arguments):
    return kg.models.GAN(
        kg.nets.dense_generator(SHAPE, 2, units=(8,)),
        kg.nets.dense_discriminator(SHAPE, units=(8,)),
        **arguments,
    )


def test_duplicating_a_batch_leaves_the_losses_unchanged(monkeypatch):
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: keras.ops.ones(shape)
    )
    penalty = kg.losses.GradientPenalty(1.0, at="real")
    model = make(penalty=penalty)
    x = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype("float32")
    x, twice = keras.ops.array(x), keras.ops.array(np.concatenate([x, x]))
    np.testing.assert_allclose(
        host(model.discriminator_loss(x, None, True)["loss"]),
        host(model.discriminator_loss(twice, None, True)["loss"]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        host(model.generator_loss(x, None, True)),
        host(model.generator_loss(twice, None, True)),
        rtol=1e-5,
    )


def test_each_phase_moves_its_own_network_only():
    """With the other network's rate at 0, it keeps its weights."""
    x = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype("float32")
    for still, moving in (
        ("generator", "discriminator"),
        ("discriminator", "generator"),
    ):
        model = make()
        model.compile(
            {
                still: keras.optimizers.SGD(0.0),
                moving: keras.optimizers.SGD(0.1),
            }
        )
        before = {
            name: [host(v).copy() for v in getattr(model, name).weights]
            for name in (still, moving)
        }
        model.train_on_batch(x)
        for name in (still, moving):
            moved = any(
                not np.array_equal(old, host(new))
                for old, new in zip(
                    before[name], getattr(model, name).weights, strict=True
                )
            )
            assert moved == (name == moving)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`discriminator_steps` must be"):
        make(discriminator_steps=0)
    with pytest.raises(ValueError, match="`discriminator_steps` must be"):
        make(discriminator_steps=1.5)
    with pytest.raises(ValueError, match="`label_smoothing` must be in"):
        make(label_smoothing=0.7)
    with pytest.raises(ValueError, match="`ema_decay` must be in"):
        make(ema_decay=1.5)
    with pytest.raises(ValueError, match="must take what `generator` returns"):
        kg.models.GAN(
            kg.nets.dense_generator((4, 4, 3), 2),
            kg.nets.dense_discriminator(SHAPE),
        )
