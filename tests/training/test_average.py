import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.training.average import AveragedNetworks
from tests.cases import CASES
from tests.conftest import host


def network():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def test_constant_weights_against_the_closed_form():
    """After n steps at constant w: prod(d_t) w_0 + (1 - prod(d_t)) w."""
    net = network()
    start = host(net.layers[0].kernel).copy()
    averaged = AveragedNetworks({"net": net}, decay=0.5)
    net.layers[0].kernel.assign(start + 1)
    factor = 1.0
    for t in range(12):
        averaged.update({"net": net})
        factor *= min(0.5, (1 + t) / (10 + t))
    expected = factor * start + (1 - factor) * (start + 1)
    average = averaged.averages["net"].layers[0].kernel
    np.testing.assert_allclose(host(average), expected, atol=1e-6)
    np.testing.assert_array_equal(host(net.layers[0].kernel), start + 1)


def test_every_network_has_its_average(digits):
    """After one step w' = d_0 w_0 + (1 - d_0) w_1, with d_0 = 1 / 10."""
    model = CASES["conditional_vae"]()
    averages = model.averaged.averages
    start = {name: mean.get_weights() for name, mean in averages.items()}
    model.train_on_batch(*digits[0])
    for name, mean in averages.items():
        weights = start[name], getattr(model, name).get_weights()
        for w0, w1, found in zip(*weights, mean.get_weights(), strict=True):
            np.testing.assert_allclose(found, 0.1 * w0 + 0.9 * w1, atol=1e-6)


def test_weights_of_half_precision_are_refused():
    """There 0.999 is 1: the average would never move again."""
    keras.config.set_dtype_policy("bfloat16")
    try:
        net = network()
        with pytest.raises(ValueError, match="needs weights of float32"):
            AveragedNetworks({"net": net}, decay=0.999)
    finally:
        keras.config.set_dtype_policy("float32")


def test_batch_statistics_are_copied_and_sampling_uses_the_average():
    model = kg.models.GAN(
        kg.nets.conv_generator((4, 4, 1), 2, filters=(4,)),
        kg.nets.dense_discriminator((4, 4, 1), units=(8,)),
        ema_decay=0.99,
    )
    model.compile(keras.optimizers.SGD(0.1))
    x = np.random.default_rng(0).uniform(-1, 1, (8, 4, 4, 1)).astype("float32")
    model.fit(x, epochs=3, verbose=0)
    pairs = zip(
        model.generator.weights,
        model.averaged.averages["generator"].weights,
        strict=True,
    )
    for weight, mean in pairs:
        same = np.array_equal(host(weight), host(mean))
        assert same == ("moving" in weight.path), weight.path
    assert not any(v.trainable for v in model.averaged.variables)
    averaged, raw = (
        model.generate(3, seed=0),
        model.generate(3, seed=0, use_ema=False),
    )
    assert not np.array_equal(averaged, raw)


def test_asking_for_an_average_that_is_not_kept():
    model = kg.models.GAN(
        kg.nets.dense_generator((4, 4, 1), 2),
        kg.nets.dense_discriminator((4, 4, 1)),
    )
    with pytest.raises(ValueError, match="needs a model built with"):
        model.generate(1, use_ema=True)
