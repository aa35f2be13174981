import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.conftest import host

EVERY = np.array(list(np.ndindex(2, 2, 2, 2)), "int32").reshape(16, 2, 2, 1)


NETWORKS = {
    "pixel_cnn": lambda shape, codes, **options: kg.nets.pixel_cnn(
        shape, codes, filters=8, blocks=3, **options
    ),
    "transformer": lambda shape, codes, **options: kg.nets.causal_transformer(
        shape, codes, dim=8, heads=2, blocks=2, **options
    ),
}


def binary_model(images=False, **options):
    """A model of 2x2 binary grids with weights away from uniform."""
    keras.utils.set_random_seed(4)
    network = kg.nets.pixel_cnn((2, 2), 2, filters=4, blocks=1, **options)
    rng = np.random.default_rng(0)
    network.set_weights(
        [0.7 * rng.normal(size=w.shape) for w in network.get_weights()]
    )
    return kg.models.Autoregressive(network, images=images)


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_see_all_codes_before_and_none_after(name):
    network = NETWORKS[name]((4, 5), 3)
    rng = np.random.default_rng(0)
    network.set_weights(
        [w + 0.1 * rng.normal(size=w.shape) for w in network.get_weights()]
    )
    x = rng.integers(0, 3, (1, 4, 5, 1)).astype("int32")
    changed = np.repeat(x, 20, axis=0)
    for j in range(20):
        changed[j].flat[j] = (changed[j].flat[j] + 1) % 3
    before = network.predict(x, verbose=0).reshape(1, 20, 3)
    after = network.predict(changed, verbose=0).reshape(20, 20, 3)
    moved = np.abs(after - before).max(axis=-1)  # (changed j, logits i)
    later = np.triu(np.ones((20, 20), bool), 1)  # i > j
    assert (moved[~later] < 1e-6).all()
    assert (moved[later] > 1e-6).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_is_a_distribution_and_is_sampled_from(name, tmp_path):
    network = NETWORKS[name]((2, 2), 2, num_classes=3)
    rng = np.random.default_rng(0)
    network.set_weights(
        [w + 0.7 * rng.normal(size=w.shape) for w in network.get_weights()]
    )
    model = kg.models.Autoregressive(network)
    p = np.exp(model.log_likelihood(EVERY, 2))
    assert p.sum() == pytest.approx(1, abs=1e-5) and p.std() > 0.02
    samples = model.generate(4000, labels=2, seed=0, batch_size=4000)
    found = np.bincount(samples.reshape(-1, 4) @ [8, 4, 2, 1], minlength=16)
    error = 5 * np.sqrt(p * (1 - p) / 4000)
    assert (np.abs(found / 4000 - p) < error).all()
    model.save_to_preset(tmp_path / "prior")
    loaded = kg.from_preset(tmp_path / "prior")
    np.testing.assert_array_equal(
        loaded.generate(8, labels=1, seed=0), model.generate(8, 1, seed=0)
    )


def test_images_are_codes_of_grey_levels():
    codes, images = binary_model(), binary_model(images=True)
    x = 2.0 * EVERY.astype("float32") - 1.0
    np.testing.assert_allclose(
        images.log_likelihood(0.9 * x), codes.log_likelihood(EVERY)
    )
    loss = images.objective(keras.ops.convert_to_tensor(x), None, False)
    expected = -codes.log_likelihood(EVERY).mean()
    np.testing.assert_allclose(host(loss["loss"]), expected, rtol=1e-5)
    np.testing.assert_array_equal(
        images.generate(8, seed=0), 2.0 * codes.generate(8, seed=0) - 1.0
    )
    images.compile("adam")
    images.fit(x, verbose=0)
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        images.fit(2 * x, verbose=0)


def test_images_of_four_grey_levels():
    network = kg.nets.pixel_cnn((2, 2), 4, filters=4, blocks=1)
    codes = kg.models.Autoregressive(network)
    images = kg.models.Autoregressive(network, images=True)
    x = np.reshape([-1.0, -0.34, 0.3, 1.0], (1, 2, 2, 1))
    np.testing.assert_allclose(
        images.log_likelihood(x),
        codes.log_likelihood(np.arange(4).reshape(1, 2, 2, 1)),
    )
    levels = np.unique(images.generate(64, seed=0))
    np.testing.assert_allclose(levels, [-1, -1 / 3, 1 / 3, 1], atol=1e-6)


@pytest.mark.parametrize("labels", [None, 1])
def test_probabilities_of_all_grids_sum_to_one(labels):
    model = binary_model(num_classes=None if labels is None else 3)
    log_p = model.log_likelihood(EVERY, labels)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5)
    assert np.exp(log_p).std() > 0.02


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_follow_the_probabilities(temperature):
    model = binary_model()
    joint = np.exp(model.log_likelihood(EVERY)).reshape(2, 2, 2, 2)
    p = 1.0
    for i in range(4):  # each code given those before, sharpened
        given = joint.sum(axis=tuple(range(i + 1, 4)), keepdims=True)
        given = given ** (1 / temperature)
        p = p * given / given.sum(axis=i, keepdims=True)
    p = p.ravel()
    samples = model.generate(
        8000, seed=0, batch_size=8000, temperature=temperature
    )
    index = samples.reshape(-1, 4) @ [8, 4, 2, 1]
    found = np.bincount(index, minlength=16) / 8000
    assert (np.abs(found - p) < 5 * np.sqrt(p * (1 - p) / 8000)).all()


def test_samples_follow_the_weights_after_training():
    """The compiled loop keeps no old weights."""
    model = binary_model()
    before = model.generate(64, seed=0)
    model.network.set_weights([-2 * w for w in model.network.get_weights()])
    after = model.generate(64, seed=0)
    fresh = kg.models.Autoregressive(model.network).generate(64, seed=0)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, fresh)


def test_the_loss_is_the_negative_log_likelihood():
    model = binary_model(num_classes=3)
    y = np.arange(16) % 3
    x = keras.ops.convert_to_tensor(EVERY)
    logs = model.objective(x, y, training=False)
    expected = -model.log_likelihood(EVERY, y).mean()
    np.testing.assert_allclose(host(logs["loss"]), expected, rtol=1e-5)
    np.testing.assert_allclose(
        host(logs["nats_per_code"]), expected / 4, rtol=1e-5
    )


def test_uniform_logits_cost_ln_k_a_code():
    network = kg.nets.pixel_cnn((2, 2), 7, filters=4, blocks=1)
    network.set_weights([0 * w for w in network.get_weights()])
    model = kg.models.Autoregressive(network)
    np.testing.assert_allclose(
        model.log_likelihood(EVERY), -4 * np.log(7), rtol=1e-6
    )


def test_bad_input():
    model = binary_model()
    with pytest.raises(ValueError, match="`temperature` must be from 1e-6"):
        model.generate(2, temperature=0.0)
    model.compile("adam")
    with pytest.raises(ValueError, match=r"codes in \[0, 2\).*\[0, 2\]"):
        model.fit(EVERY * 2, verbose=0)
    with pytest.raises(ValueError, match="integers of shape"):
        model.fit(EVERY.astype("float32"), verbose=0)
    with pytest.raises(ValueError, match="integers of shape"):
        model.log_likelihood(EVERY[:, :1])
    with pytest.raises(ValueError, match="must turn grids"):
        kg.models.Autoregressive(kg.nets.dense_decoder((2, 2, 1), 3))
    with pytest.raises(ValueError, match="multiple of `heads`"):
        kg.nets.causal_transformer((2, 2), 3, dim=6, heads=4)
    with pytest.raises(ValueError, match="`mask` must be 'A', 'B' or 'above'"):
        kg.layers.MaskedConv2D(3, 3, mask="C")


def test_half_precision_draws_no_rare_codes():
    """0.9985 is 1 in bfloat16, and the code of it the last."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        x = keras.Input((2, 2, 1))
        logits = keras.layers.Conv2D(3, 1, kernel_initializer="zeros")
        model = kg.models.Autoregressive(keras.Model(x, logits(x)))
    finally:
        keras.config.set_dtype_policy("float32")
    logits.bias.assign(np.log([0.999, 0.0005, 0.0005]))
    codes = model.from_noise(np.full((1, 2, 2, 1), 0.9985, "float32"))
    assert not codes.any()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_logit_hears_of_the_label(name):
    network = NETWORKS[name]((3, 3), 3, num_classes=2)
    rng = np.random.default_rng(0)
    network.set_weights(
        [w + 0.3 * rng.normal(size=w.shape) for w in network.get_weights()]
    )
    x = np.zeros((2, 3, 3, 1), "int32")
    a, b = network.predict([x, np.eye(2)], verbose=0)
    assert (np.abs(a - b).max(axis=-1) > 1e-4).all()


def test_codes_are_integers_of_the_codebook_everywhere():
    model = binary_model()
    model.compile("adam")
    with pytest.raises(ValueError, match="expects codes, integers"):
        model.train_on_batch(np.zeros((4, 2, 2, 1), "float32"))
    codes = np.zeros((300, 2, 2, 1), "int32")
    codes[-1] = 2
    for data in (codes, kg.data.ImageDataset(codes, batch_size=50)):
        with pytest.raises(ValueError, match=r"codes in \[0, 2\)"):
            model.fit(data, verbose=0)


def test_masks_have_a_middle():
    for size in (2, (3, 4)):
        with pytest.raises(ValueError, match="`kernel_size` must be odd"):
            kg.layers.MaskedConv2D(4, size)
