"""What Keras offers around a training step works for ours."""

import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES
from tests.checks import generate
from tests.conftest import BACKEND
from tests.conftest import host


def losses_after_an_epoch(name, digits, **compile_arguments):
    keras.utils.set_random_seed(3)
    model = CASES[name]()
    optimizer = model.optimizer
    if isinstance(optimizer, kg.training.OptimizerGroup):
        optimizer = {
            key: type(m).from_config(m.get_config())
            for key, m in optimizer.members.items()
        }
    else:
        optimizer = type(optimizer).from_config(optimizer.get_config())
    model.compile(optimizer, **compile_arguments)
    return model.fit(digits, epochs=2, verbose=0).history


@pytest.mark.parametrize("name", ["vae", "gan"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"jit_compile": True},
        {"jit_compile": False},
        {"run_eagerly": True},
        {"steps_per_execution": 2},
    ],
)
def test_ways_to_compile_agree(name, arguments, digits, monkeypatch):
    # TensorFlow draws other numbers with XLA than without.
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, seed: keras.ops.ones(shape)
    )
    if BACKEND == "torch":
        if "steps_per_execution" in arguments:
            pytest.skip("torch has no steps_per_execution")
        if arguments.get("jit_compile"):
            with pytest.warns(UserWarning, match="runs eagerly"):
                CASES[name]().compile("adam", jit_compile=True)
            return
    expected = losses_after_an_epoch(name, digits)
    got = losses_after_an_epoch(name, digits, **arguments)
    for key in expected:
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-4)


def test_conditions_compile_with_xla(digits):
    """Lazy penalties of augmented images: `when` under `jit_compile=True`."""
    if BACKEND == "torch":
        pytest.skip("torch has no XLA")
    x = inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(1)(keras.layers.Flatten()(x) ** 2)
    model = kg.models.GAN(
        kg.nets.dense_generator((8, 8, 1), latent_dim=3, units=(16,)),
        keras.Model(inputs, x),
        penalty=kg.losses.GradientPenalty(at="real", center=0.0, every=2),
        augmentation=kg.layers.DiffAugment(),
    )
    model.compile("adam", jit_compile=True)
    history = model.fit(digits, epochs=1, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    "name",
    [
        "vae",
        "sparse",
        "denoising",
        "vqvae",
        "gan",
        "gan_conv",
        "gan_stabilised",
        "gan_reference",
        "ddpm",
        "flow_matching",
    ],
)
def test_mixed_precision(name, policy, digits):
    if (name, policy) == ("gan_stabilised", "mixed_float16"):
        pytest.skip("slow, and the bfloat16 one has the same casts")
    if (name, policy) == ("flow_matching", "mixed_float16"):
        pytest.skip("JAX lacks it on CPU: attention in float16")
    if BACKEND == "torch" and (name, policy) == ("gan_conv", "mixed_float16"):
        pytest.skip("torch lacks it on CPU: second derivatives of float16 conv")
    keras.config.set_dtype_policy(policy)
    try:
        model = CASES[name]()
        # Steps enough to halve the scale of the loss till float16 holds it.
        history = model.fit(digits, epochs=3, verbose=0).history
        images = generate(model, 2, seed=0)
    finally:
        keras.config.set_dtype_policy("float32")
    for key, values in history.items():
        # Steps that overflow float16 are skipped; their gradient is infinite.
        if policy == "mixed_bfloat16" or not key.endswith("_gradient"):
            assert np.isfinite(values).all(), key
    assert images.dtype == np.float32
    scaled = keras.optimizers.LossScaleOptimizer
    members = getattr(model.optimizer, "optimizers", [model.optimizer])
    for member in members:
        assert isinstance(member, scaled) == (policy == "mixed_float16")
        assert int(host(member.iterations)) > 0
    kernel = model.trainable_variables[0]
    assert host(kernel).dtype == np.float32


def test_loss_scaling_does_not_change_the_gradient(digits):
    """Float32 with a LossScaleOptimizer trains as without."""

    def train(wrap):
        keras.utils.set_random_seed(0)
        model = CASES["vae"]()
        sgd = keras.optimizers.SGD(1e-3)
        model.compile(keras.optimizers.LossScaleOptimizer(sgd) if wrap else sgd)
        model.fit(digits, verbose=0)
        return host(model.trainable_variables[0])

    np.testing.assert_allclose(train(True), train(False), atol=1e-5)


def test_epoch_logs_are_averages_over_samples():
    """Batches of 64 and 32: the mean is weighted by their sizes."""

    class Mean(kg.training.GenerativeModel):
        data_shape = (1,)

        def __init__(self):
            super().__init__(logs=("loss",))
            self.scale = self.add_weight(shape=(), initializer="ones")

        def training_step(self, x, y=None):
            return {
                "loss": self.minimize(lambda: keras.ops.mean(x) * self.scale)
            }

        def evaluation_step(self, x, y=None):
            return {"loss": keras.ops.mean(x) * self.scale}

    x = np.linspace(-1, 1, 96).astype("float32")[:, None] ** 2
    model = Mean()
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(
        x,
        batch_size=64,
        shuffle=False,
        verbose=0,
        validation_data=(x,),
        validation_batch_size=64,
    ).history
    np.testing.assert_allclose(history["loss"], [x.mean()], rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], [x.mean()], rtol=1e-5)


def test_kinds_of_data(digits):
    model = CASES["vae"]()
    x, y = digits[0]
    model.fit(x, batch_size=16, verbose=0)
    model.fit(x, y, batch_size=16, verbose=0)
    model.fit({"image": x}, batch_size=16, verbose=0)
    model.fit(digits, verbose=0)
    model.train_on_batch(x)
    model.test_on_batch(x)
    batches = ((x, y) for _ in range(3))
    model.fit(batches, steps_per_epoch=2, shuffle=False, verbose=0)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        pairs = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        model.fit(pairs, shuffle=False, verbose=0)
        endless = pairs.repeat()
        model.fit(endless, steps_per_epoch=2, shuffle=False, verbose=0)
        some = pairs.filter(lambda x, y: True)  # of unknown length
        with pytest.warns(UserWarning, match="ran out of data"):
            model.fit(some, shuffle=False, verbose=0)
        dicts = pairs.map(lambda x, y: {"image": x, "label": y})
        model.fit(dicts, shuffle=False, verbose=0)
    if BACKEND == "torch":
        import torch

        pairs = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
        loader = torch.utils.data.DataLoader(pairs, 16)
        model.fit(loader, shuffle=False, verbose=0)


def test_seed_state_moves_and_two_fits_differ(digits):
    model = CASES["vae"]()
    before = host(model.seed_generator.state).copy()
    model.fit(digits, verbose=0)
    assert not np.array_equal(before, host(model.seed_generator.state))


def test_noise_depends_on_seed_and_position_alone():
    noise = kg.training.sample_noise(5, (3, 2), seed=7)
    assert noise.shape == (5, 3, 2) and noise.dtype == np.float32
    np.testing.assert_array_equal(
        noise[:2], kg.training.sample_noise(2, (3, 2), seed=7)
    )
    expected = np.random.default_rng([7, 4]).standard_normal((3, 2))
    np.testing.assert_allclose(noise[4], expected, rtol=1e-6)
    assert not np.array_equal(noise[0], noise[1])


def test_unseeded_generation_differs_and_follows_set_random_seed():
    model = CASES["vae"]()
    assert not np.array_equal(model.generate(2), model.generate(2))
    keras.utils.set_random_seed(0)
    first = model.generate(2)
    keras.utils.set_random_seed(0)
    np.testing.assert_array_equal(first, model.generate(2))
