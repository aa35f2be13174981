"""Two devices train like one: the batch is split, gradients are averaged."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import BACKEND

pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras has none on torch"
)


def run(devices, *cases):
    flags = f"--xla_force_host_platform_device_count={devices}"
    output = subprocess.run(
        [sys.executable, "-m", "tests.test_distribution", str(devices), *cases],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def two():
    return run(2, "gan", "vqvae")


def test_two_devices_train_like_one(two):
    one, two = run(1, "gan")["gan"], two["gan"]
    assert one["discriminator_loss"][0] != one["discriminator_loss"][1]
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-5, atol=1e-6)


def test_codes_of_two_devices_are_means_over_both(two):
    """e = m / N, of what all devices have seen: not a mean of two ratios."""
    result = two["vqvae"]
    assert max(result["counts"]) > 2
    np.testing.assert_allclose(
        np.multiply(result["codes"], np.expand_dims(result["counts"], 1)),
        result["sums"],
        atol=1e-4,
    )


def _tensorflow_scope(devices):
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * devices,
    )
    names = [f"CPU:{i}" for i in range(devices)]
    return tf.distribute.MirroredStrategy(names).scope()


def _jax_scope(devices):
    import keras

    assert len(keras.distribution.list_devices()) == devices
    return keras.distribution.DataParallel().scope()


def main(devices, *cases):
    scopes = {"tensorflow": _tensorflow_scope, "jax": _jax_scope}
    scope = scopes[os.environ.get("KERAS_BACKEND", "tensorflow")](devices)
    import keras

    # Each device draws noise of its own, so compare without.
    keras.random.normal = lambda shape, seed: keras.ops.ones(shape)
    x = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1))
    results = {}
    with scope:
        for case in cases:
            keras.utils.set_random_seed(0)
            train = {"gan": _gan, "vqvae": _vqvae}[case]
            results[case] = train(x.astype("float32"))
    print(json.dumps(results))


def _gan(x):
    """Return the losses, and sizes of the weights."""
    import keras

    from tests.cases import CASES

    model = CASES["gan"]()
    model.compile(keras.optimizers.SGD(0.1))
    options = {"batch_size": 32, "shuffle": False, "verbose": 0}
    history = model.fit(x, epochs=2, **options).history
    weights = [float(np.abs(w).sum()) for w in model.get_weights()]
    return {**history, "weights": weights}


def _vqvae(x):
    """Return the codes and what they are made of."""
    import keras

    import keras_gen as kg
    from tests.cases import CASES

    nets = CASES["vqvae"]()
    quantizer = kg.layers.VectorQuantizer(
        5, 2, ema_decay=0.5, restart_below=0.1, kmeans_steps=2
    )
    model = kg.models.VQVAE(nets.encoder, nets.decoder, quantizer)
    model.compile(keras.optimizers.SGD(1e-3))
    model.fit(x, batch_size=32, verbose=0)
    state = {
        "codes": quantizer.codebook,
        "counts": quantizer.counts,
        "sums": quantizer.sums,
    }
    return {k: np.asarray(v).tolist() for k, v in state.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
