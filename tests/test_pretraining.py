import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.conftest import host

SHAPE = (8, 8, 1)


def pairs():
    return [
        (
            kg.nets.dense_encoder(SHAPE, 12, units=()),
            kg.nets.dense_decoder(SHAPE, 12, units=()),
        ),
        (
            kg.nets.dense_encoder((12,), 4, units=()),
            kg.nets.dense_decoder((12,), 4, units=()),
        ),
    ]


def weights(networks):
    return [host(w).copy() for net in networks for w in net.weights]


def test_the_levels_below_stand_still(digits):
    bottom, top = pairs()
    before = weights([*bottom, *top])
    kg.pretraining.train_greedily([bottom], digits, epochs=2)
    trained = weights(bottom)
    assert not np.array_equal(trained[0], before[0])
    # The same again with the level above: the lower ends up the same.
    again, other = pairs()
    for net, values in zip([*again, *other], (2, 2, 2, 2), strict=True):
        net.set_weights(before[:values])
        before = before[values:]
    histories = kg.pretraining.train_greedily([again, other], digits, epochs=2)
    assert len(histories) == 2
    for a, b in zip(trained, weights(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_level_learns_from_the_trained_codes_below(digits):
    bottom, top = pairs()
    start = weights(top)
    kg.pretraining.train_greedily([bottom, top], digits, epochs=1)
    trained = weights(top)
    for net, values in zip(top, (start[:2], start[2:]), strict=True):
        net.set_weights(values)
    x = np.concatenate([digits[i][0] for i in range(len(digits))])
    codes = kg.models.Autoencoder(*bottom).encode(x)
    model = kg.models.Autoencoder(*top)
    model.compile("adam")
    model.fit(kg.data.ImageDataset(codes, batch_size=digits.batch_size))
    for a, b in zip(trained, weights(top), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_greedy_training_takes_its_arguments(digits):
    keras.utils.set_random_seed(0)
    bottom, top = pairs()
    before = weights([*bottom, *top])
    still = keras.optimizers.SGD(0.0)
    histories = kg.pretraining.train_greedily(
        [bottom, top], digits, 3, still, likelihood="bernoulli"
    )
    for a, b in zip(before, weights([*bottom, *top]), strict=True):
        np.testing.assert_array_equal(a, b)
    model = kg.models.Autoencoder(*bottom, likelihood="bernoulli")
    model.compile(still)
    loss = model.evaluate(digits, return_dict=True, verbose=0)["loss"]
    np.testing.assert_allclose(histories[0]["loss"], [loss] * 3, rtol=1e-4)
    assert len(histories[1]["loss"]) == 3


def test_any_form_of_data(digits):
    x = [batch for batch, _ in (digits[i] for i in range(3))]
    ends = []
    for data in (x, [(batch,) for batch in x], [{"image": b} for b in x]):
        keras.utils.set_random_seed(2)
        bottom, _ = pairs()
        kg.pretraining.train_greedily([bottom], data, epochs=1)
        ends.append(weights(bottom)[0])
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])
    kg.pretraining.train_greedily([bottom], np.concatenate(x), epochs=1)


def test_the_stack_is_the_composition(digits):
    (f1, g1), (f2, g2) = levels = pairs()
    encoder, decoder = kg.pretraining.stack(levels)
    x = digits[0][0]
    model = kg.models.Autoencoder(encoder, decoder)
    codes = host(f2(f1(x)))
    np.testing.assert_allclose(model.encode(x), codes, atol=1e-5)
    images = np.clip(host(g1(g2(codes))), -1, 1)
    np.testing.assert_allclose(model.decode(codes), images, atol=1e-5)
    model.compile("adam")
    model.fit(digits, verbose=0)  # moves the very networks of the pairs
    assert not np.allclose(host(f2(f1(x))), codes)


def test_a_stack_is_saved_as_any_autoencoder(digits, tmp_path):
    model = kg.models.Autoencoder(*kg.pretraining.stack(pairs()))
    model.save_to_preset(tmp_path / "stack")
    x = digits[0][0]
    np.testing.assert_array_equal(
        kg.from_preset(tmp_path / "stack").reconstruct(x), model.reconstruct(x)
    )


@pytest.mark.parametrize("freeze", [False, True])
def test_a_classifier_starts_from_a_copy_of_the_encoder(freeze, digits):
    encoder = kg.nets.dense_encoder(SHAPE, 4, outputs=2, units=(8,))
    before = weights([encoder])[:4]  # without the log-variance
    model = kg.pretraining.classifier(encoder, 10, freeze)
    body = model.layers[1]
    for a, b in zip(before, weights([body]), strict=True):
        np.testing.assert_array_equal(a, b)
    model.compile(
        keras.optimizers.Adam(1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(digits, epochs=2, verbose=0)
    for a, b in zip(before, weights([encoder])[:4], strict=True):
        np.testing.assert_array_equal(a, b)
    same = np.array_equal(before[0], weights([body])[0])
    assert same == freeze


def test_bad_input(digits):
    bottom, top = pairs()
    with pytest.raises(ValueError, match="must take what the one below"):
        kg.pretraining.stack([bottom, bottom])
    with pytest.raises(ValueError, match="must undo its encoder"):
        kg.pretraining.stack([(bottom[0], top[1])])
    with pytest.raises(ValueError, match="`num_classes` must be at least 2"):
        kg.pretraining.classifier(bottom[0], 1)
