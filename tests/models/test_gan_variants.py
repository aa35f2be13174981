import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_gen as kg
from tests.cases import CASES
from tests.checks import assert_same_state
from tests.checks import state
from tests.conftest import host
from tests.conftest import tensor

RNG = np.random.default_rng(0)


def constant(values, num_classes=None):
    """A generator that returns the same sample, or one for each class."""
    values = np.asarray(values, "float32")
    z = keras.Input((1,))
    hidden = layers.Rescaling(0.0)(z)
    if num_classes is None:
        layer = layers.Dense(values.shape[-1])
        model = keras.Model(z, layer(hidden))
        layer.set_weights([np.zeros((1, values.shape[-1])), values])
        return model
    y = keras.Input((num_classes,))
    layer = layers.Dense(values.shape[-1], use_bias=False)
    x = layers.Add()([layer(y), layers.Dense(values.shape[-1])(hidden)])
    layer.set_weights([values])
    return keras.Model([z, y], x)


def softplus(a):
    return np.logaddexp(0, a)


# Conditional GAN.


def projection_gan(g, e, **arguments):
    """D(x, y) = <e_y, x>, G(z, y) = g_y."""
    x, y = keras.Input((2,)), keras.Input((3,))
    embed = layers.Dense(2, use_bias=False)
    critic = keras.Model([x, y], layers.Dot(1)([x, embed(y)]))
    embed.set_weights([e])
    return kg.models.ConditionalGAN(constant(g, 3), critic, **arguments)


def test_a_label_reaches_both_networks():
    """The losses by hand."""
    g, e = RNG.normal(size=(2, 3, 2)).astype("float32")
    model = projection_gan(g, e)
    labels = np.array([2, 0, 1, 2])
    real = RNG.normal(size=(4, 2)).astype("float32")
    hot = tensor(np.eye(3)[labels])
    r, f = (real * e[labels]).sum(-1), (g * e).sum(-1)[labels]
    fake = model.fake(4, hot, True)
    logs = model.discriminator_loss(tensor(real), fake, hot, True)
    np.testing.assert_allclose(
        host(logs["loss"]), (softplus(-r) + softplus(f)).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(host(logs["fake_logit"]), f.mean(), rtol=1e-5)
    loss = model.generator_loss(None, fake, hot, True)["loss"]
    np.testing.assert_allclose(host(loss), softplus(-f).mean(), rtol=1e-5)
    drawn = model.generate(4, labels=labels, seed=0)
    np.testing.assert_allclose(drawn, g[labels], rtol=1e-5)


def test_split_batches_keep_their_labels():
    """Wasserstein, and a class a step: e_y moves by rate (E x - g_y)."""
    g, e = RNG.normal(size=(2, 3, 2)).astype("float32")
    model = projection_gan(
        g,
        e,
        loss="wasserstein",
        discriminator_steps=3,
        discriminator_batches="split",
    )
    model.compile(
        {
            "discriminator": keras.optimizers.SGD(0.1),
            "generator": keras.optimizers.SGD(0.0),
        }
    )
    x = RNG.normal(size=(6, 2)).astype("float32")
    y = np.array([2, 2, 0, 0, 1, 1])
    model.train_on_batch(x, y)
    means = np.stack([x[y == label].mean(axis=0) for label in range(3)])
    np.testing.assert_allclose(
        host(model.discriminator.weights[0]), e + 0.1 * (means - g), atol=1e-5
    )


def test_auxiliary_classifier():
    """D(x) = 0, c(x) = x: the class losses are cross-entropies of x."""
    g = RNG.normal(size=(3, 3)).astype("float32")
    x = keras.Input((3,))
    critic = keras.Model(x, [layers.Dense(1)(x), layers.Rescaling(1.0)(x)])
    critic.layers[-2].set_weights([np.zeros((3, 1)), np.zeros(1)])
    model = kg.models.ConditionalGAN(
        constant(g, 3), critic, classifier_weight=0.5
    )
    labels = np.array([2, 0, 1, 2])
    real = RNG.normal(size=(4, 3)).astype("float32")
    hot = tensor(np.eye(3)[labels])

    def entropy(logits):
        log_z = np.log(np.exp(logits).sum(-1))
        return (log_z - logits[np.arange(4), labels]).mean()

    fake = model.fake(4, hot, True)
    loss = model.discriminator_loss(tensor(real), fake, hot, True)["loss"]
    expected = 2 * np.log(2) + 0.5 * entropy(real)
    np.testing.assert_allclose(host(loss), expected, rtol=1e-5)
    logs = model.generator_loss(None, fake, hot, True)
    expected = np.log(2) + 0.5 * entropy(g[labels])
    np.testing.assert_allclose(host(logs["loss"]), expected, rtol=1e-5)
    np.testing.assert_allclose(
        host(logs["classifier_loss"]), entropy(g[labels]), rtol=1e-5
    )


def test_conditional_bad_input(digits):
    model = CASES["conditional_gan"]()
    with pytest.raises(ValueError, match="This model is conditional"):
        model.fit(digits.images, verbose=0)
    with pytest.raises(ValueError, match="labels"):
        model.generate(2, labels=[0, 10])
    with pytest.raises(ValueError, match="without their labels"):
        kg.models.ConditionalGAN(
            model.generator,
            model.discriminator,
            replay=kg.layers.ImagePool(4, (8, 8, 1)),
        )
    with pytest.raises(ValueError, match="`discriminator` must have"):
        kg.models.ConditionalGAN(
            constant(np.zeros((3, 2)), 3),
            keras.Sequential([keras.Input((2,)), layers.Dense(1)]),
        )


# EBGAN.


def energy_gan(margin, **arguments):
    """E(x) = x^2 / 4 a number, for the copy x / 2; the code is x."""
    x = keras.Input((2,))
    critic = keras.Model(
        x, [layers.Rescaling(0.5)(x), layers.Rescaling(1.0)(x)]
    )
    return kg.models.EBGAN(
        constant([1.0, 2.0]), critic, margin=margin, **arguments
    )


def test_energies_by_hand():
    real = tensor([[2.0, 0.0], [0.0, 4.0]])
    energies = (4 + 16) / 4 / 2 / 2, (1 + 4) / 4 / 2
    for margin in (1.0, 0.5):
        model = energy_gan(margin)
        fake = model.fake(2, None, True)
        logs = model.discriminator_loss(real, fake, None, True)
        expected = energies[0] + max(0.0, margin - energies[1])
        np.testing.assert_allclose(host(logs["loss"]), expected, rtol=1e-5)
    # The hinge is of each sample: energies 1/4 and 5/2, one within it.
    fakes = tensor([[1.0, 1.0], [2.0, 4.0]])
    loss = energy_gan(1.0).discriminator_loss(real, fakes, None, True)["loss"]
    expected = energies[0] + (0.75 + 0.0) / 2
    np.testing.assert_allclose(host(loss), expected, rtol=1e-5)
    # All samples are alike, so the pull-away term is 1.
    model = energy_gan(1.0, pull_away=0.25)
    fake = model.fake(2, None, True)
    loss = model.generator_loss(None, fake, None, True)
    np.testing.assert_allclose(host(loss), energies[1] + 0.25, rtol=1e-5)


def test_beyond_the_margin_fakes_are_left_alone():
    """The loss is flat there: other fakes, equal loss."""
    real = tensor([[2.0, 0.0], [0.0, 4.0]])
    model = energy_gan(0.5)
    losses = []
    for sample in ([1.0, 2.0], [3.0, -5.0]):
        model.generator.layers[-1].bias.assign(sample)
        fake = model.fake(2, None, True)
        logs = model.discriminator_loss(real, fake, None, True)
        losses.append(float(host(logs["loss"])))
    assert losses[0] == losses[1]


def test_codes_of_an_ebgan_may_be_probabilities():
    """Warnings are errors here."""
    x = keras.Input((2,))
    code = layers.Dense(2, activation="sigmoid")(x)
    critic = keras.Model(x, [layers.Dense(2)(code), code])
    kg.models.EBGAN(constant([1.0, 2.0]), critic)


def test_ebgan_bad_input():
    model = energy_gan(1.0)
    model.compile("adam")
    with pytest.raises(ValueError, match="batches of at least 2 samples"):
        model.fit(np.zeros((65, 2), "float32"), batch_size=32)
    with pytest.raises(ValueError, match="goes by the sign"):
        energy_gan(1.0, augmentation=kg.layers.DiffAugment(target=0.6))
    with pytest.raises(ValueError, match="`loss` does not apply"):
        energy_gan(1.0, loss="hinge")
    with pytest.raises(ValueError, match="`margin` must be above 0"):
        energy_gan(0.0)
    x = keras.Input((2,))
    with pytest.raises(ValueError, match="copies of what it takes"):
        kg.models.EBGAN(
            constant([1.0, 2.0]),
            keras.Model(x, [layers.Dense(3)(x), layers.Dense(3)(x)]),
        )


# CoGAN.


def test_what_is_shared_is_one_object(tmp_path, digits):
    model = CASES["cogan"]()
    # trunk (2) + heads (2 x 2), and fronts (2 x 2) + trunk (2).
    for trained in (model, reloaded(model, tmp_path / "m.keras")):
        assert len(trained.generator.trainable_variables) == 6
        assert len(trained.discriminator.trainable_variables) == 6
        assert len(trained.trainable_variables) == 12
        x = RNG.uniform(-1, 1, (4, 2, 8, 8, 1)).astype("float32")
        trunk = trained.parts_of_networks["discriminator_trunk"]
        before = [host(v).copy() for v in trunk.weights]
        trained.train_on_batch(x)
        assert any(
            not np.array_equal(a, host(b))
            for a, b in zip(before, trunk.weights, strict=True)
        )


def reloaded(model, path):
    model.save(path)
    return keras.saving.load_model(path)


def test_the_loss_is_the_sum_of_two_games():
    """Two GANs of the same parts, and their losses added."""
    model = CASES["cogan"]()
    parts = model.parts_of_networks
    z = keras.Input((3,))
    x = keras.Input((8, 8, 1))
    real = RNG.uniform(-1, 1, (6, 2, 8, 8, 1)).astype("float32")
    noise = np.random.default_rng(5).normal(size=(6, 3)).astype("float32")
    total = {"d": 0.0, "g": 0.0}
    for i in (0, 1):
        generator = keras.Model(
            z, parts["generator_heads"][i](parts["generator_trunk"](z))
        )
        critic = keras.Model(
            x,
            parts["discriminator_trunk"](parts["discriminator_fronts"][i](x)),
        )
        r = host(critic(tensor(real[:, i])))
        f = host(critic(generator(tensor(noise))))
        total["d"] += (softplus(-r) + softplus(f)).mean()
        total["g"] += softplus(-f).mean()
    fake = model.generator(tensor(noise))
    d = model.discriminator_loss(tensor(real), fake, None, True)["loss"]
    g = model.generator_loss(None, fake, None, True)
    np.testing.assert_allclose(host(d), total["d"], rtol=1e-5)
    np.testing.assert_allclose(host(g), total["g"], rtol=1e-5)


def test_both_of_a_pair_are_augmented():
    """And by numbers of their own."""
    keras.utils.set_random_seed(0)
    parts = CASES["cogan"]().parts_of_networks
    model = kg.models.CoGAN(**parts, augmentation=kg.layers.DiffAugment())
    x = np.broadcast_to(RNG.uniform(-1, 1, (4, 1, 8, 8, 1)), (4, 2, 8, 8, 1))
    y = host(model.augmented(tensor(x), training=True))
    assert y.shape == x.shape
    for a, b in ((y[:, 0], x[:, 0]), (y[:, 1], x[:, 1]), (y[:, 0], y[:, 1])):
        assert (np.abs(a - b).max(axis=(1, 2, 3)) > 1e-3).all()
    model.compile("adam")
    logs = model.train_on_batch(x.astype("float32"), return_dict=True)
    assert np.isfinite([float(v) for v in logs.values()]).all()


def test_cogan_refuses_what_is_not_two_games():
    parts = CASES["cogan"]().parts_of_networks
    with pytest.raises(ValueError, match="must have `center=0`"):
        kg.models.CoGAN(**parts, penalty=kg.losses.GradientPenalty())
    with pytest.raises(ValueError, match="`feature_matching` does not"):
        kg.models.CoGAN(**parts, feature_matching="dense")


def test_cogan_bad_input():
    def network(n, units):
        return keras.Sequential([keras.Input((n,)), layers.Dense(units)])

    heads = [network(4, 2), network(4, 2)]
    fronts = [network(2, 4), network(2, 4)]
    with pytest.raises(ValueError, match="`generator_heads` must be two"):
        kg.models.CoGAN(network(3, 4), heads[:1], fronts, network(4, 1))
    with pytest.raises(ValueError, match="samples of one shape"):
        kg.models.CoGAN(
            network(3, 4), heads, [network(2, 4), network(5, 4)], network(4, 1)
        )


# Semi-supervised.


def semi_supervised_gan(**arguments):
    """l(x) = h(x) = x, of a generator of one sample."""
    x = keras.Input((3,))
    return kg.models.SemiSupervisedGAN(
        constant([0.5, -1.0, 2.0]),
        keras.Model(x, layers.Rescaling(1.0, name="h")(x)),
        num_labelled=2,
        **arguments,
    )


def test_a_fixed_logit_for_generated():
    """D = Z / (Z + 1): the softmax of [l, 0] without its last entry."""
    model = semi_supervised_gan()
    real = RNG.normal(size=(5, 3)).astype("float32")
    labelled = RNG.normal(size=(2, 3)).astype("float32")

    def softmax(logits, shift=0.0):
        last = np.zeros((len(logits), 1))
        logits = np.concatenate([logits, last], axis=-1) + shift
        p = np.exp(logits)
        return p / p.sum(-1, keepdims=True)

    p = softmax(real)
    np.testing.assert_allclose(p, softmax(real, 7.0), rtol=1e-5)
    logit = host(model.logits(tensor(real), None, False))[:, 0]
    np.testing.assert_allclose(
        1 / (1 + np.exp(-logit)), 1 - p[:, -1], rtol=1e-5
    )
    np.testing.assert_allclose(
        softplus(-logit), -np.log(p[:, :3].sum(-1)), rtol=1e-4
    )
    # Labels given: those of the labelled term, as in `evaluate`.
    y = np.array([0, 2, 1, 1, 0])
    logs = model.evaluation_step(tensor(real), ops.array(y))
    inside = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    fake = softmax(np.array([[0.5, -1.0, 2.0]]))
    expected = -np.log(inside[np.arange(5), y]).mean()
    expected -= 0.5 * np.log(1 - p[:, -1]).mean() + 0.5 * np.log(fake[0, -1])
    np.testing.assert_allclose(
        host(logs["discriminator_loss"]), expected, rtol=1e-4
    )
    accuracy = (real.argmax(-1) == y).mean()
    np.testing.assert_allclose(host(logs["accuracy"]), accuracy, rtol=1e-6)
    np.testing.assert_array_equal(model.classify(real), real.argmax(-1))
    # In training both labelled samples are drawn, each with its own label,
    # one as often as the other, and either first.
    model.set_labelled(labelled, [1, 2])
    x, y = (host(t) for t in model.draw_labelled(200))
    assert (y == 1).sum() == 100
    np.testing.assert_array_equal(x, labelled[y - 1])
    firsts = [host(model.draw_labelled(1)[1])[0] for _ in range(40)]
    assert 8 < firsts.count(1) < 32


def test_only_the_labelled_samples_teach_classes(digits):
    """The same step with labels of the others, and without."""
    x, y = digits[0]
    states = []
    for batch in ((x,), (x, y)):
        keras.utils.set_random_seed(0)
        model = CASES["semi_supervised_gan"]()
        model.train_on_batch(*batch)
        states.append(state(model))
    assert_same_state(*states)


def test_what_the_semi_supervised_generator_minimises():
    """sp(-LSE l(G(z))), or the distance of the means of h."""
    real, fake = RNG.normal(size=(2, 5, 3))
    samples = tensor(real), tensor(fake), None, True
    loss = semi_supervised_gan().generator_loss(*samples)
    expected = softplus(-np.log(np.exp(fake).sum(-1))).mean()
    np.testing.assert_allclose(host(loss), expected, rtol=1e-5)
    loss = semi_supervised_gan(feature_matching="h").generator_loss(*samples)
    expected = ((real.mean(0) - fake.mean(0)) ** 2).mean()
    np.testing.assert_allclose(host(loss), expected, rtol=1e-5)


def test_semi_supervised_bad_input(digits):
    model = CASES["semi_supervised_gan"]()
    with pytest.raises(ValueError, match="`x` must hold"):
        model.set_labelled(digits.images[:3], np.zeros(20, int))
    with pytest.raises(ValueError, match="labels"):
        model.set_labelled(digits.images[:20], np.full(20, 10))
    with pytest.raises(ValueError, match="floating-point"):
        model.set_labelled(np.zeros((20, 8, 8, 1), "uint8"), np.zeros(20, int))
    with pytest.raises(ValueError, match="pixels in"):
        model.set_labelled(255 * digits.images[:20], np.zeros(20, int))
    unset = semi_supervised_gan()
    with pytest.raises(ValueError, match="call `set_labelled"):
        unset.fit(np.zeros((4, 3), "float32"))
    with pytest.raises(ValueError, match="call `set_labelled"):
        unset.train_on_batch(np.zeros((4, 3), "float32"))
    with pytest.raises(ValueError, match="`loss` does not apply"):
        semi_supervised_gan(loss="hinge")


def test_evaluation_needs_labels_or_the_labelled_samples():
    model = semi_supervised_gan()
    model.compile("adam")
    x = np.zeros((4, 3), "float32")
    with pytest.raises(ValueError, match="before evaluation"):
        model.evaluate(x, verbose=0)
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        model.evaluate(x, np.array([1, 2, 3, 3]), verbose=0)
    assert np.isfinite(model.evaluate(x, np.arange(4) % 3, verbose=0)[0])
