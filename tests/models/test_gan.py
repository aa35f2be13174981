import keras
import numpy as np
import pytest
from scipy.special import ndtr

import keras_gen as kg
from keras_gen.training.historical import HistoricalAverage
from keras_gen.training.noise import truncate
from tests.cases import CASES
from tests.conftest import host

SHAPE = (4, 4, 1)


def make(**arguments):
    return kg.models.GAN(
        kg.nets.dense_generator(SHAPE, 2, units=(8,)),
        kg.nets.dense_discriminator(SHAPE, units=(8,)),
        **arguments,
    )


def test_duplicating_a_batch_leaves_the_losses_unchanged():
    penalty = kg.losses.GradientPenalty(1.0, at="real")
    model = make(penalty=penalty)
    x = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype("float32")
    fake = host(model.fake(6, None, True))
    once = keras.ops.array(x), keras.ops.array(fake), None, True
    twice = (
        *(keras.ops.array(np.concatenate([a, a])) for a in (x, fake)),
        *(None, True),
    )
    np.testing.assert_allclose(
        host(model.discriminator_loss(*once)["loss"]),
        host(model.discriminator_loss(*twice)["loss"]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        host(model.generator_loss(*once)),
        host(model.generator_loss(*twice)),
        rtol=1e-5,
    )


@pytest.mark.parametrize("k", [1, 3])
def test_each_phase_moves_its_own_network_only(k):
    """With the other network's rate at 0, it keeps its weights."""
    x = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype("float32")
    for still, moving in (
        ("generator", "discriminator"),
        ("discriminator", "generator"),
    ):
        model = make(discriminator_steps=k)
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


def test_a_batch_of_one_has_no_statistics():
    """In a layer of Keras, and in one of ours within a network."""
    x = np.zeros((3, 8, 8, 1), "float32") - 0.5
    for name in ("gan_conv", "conditional_gan"):
        with pytest.raises(ValueError, match="needs batches of at least 2"):
            CASES[name]().fit(x, np.arange(3), batch_size=2, verbose=0)


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
    layer, x = keras.layers.Dense(1), keras.Input((1,))
    twice = [keras.Model(x, layer(x)), keras.Model(x, layer(x))]
    with pytest.raises(ValueError, match="must have no weights in common"):
        kg.models.GAN(*twice)


def dense_pair(bias=False):
    """G(z) = b, a constant that is learned; D(x) = w x."""
    z, x = keras.Input((1,)), keras.Input((1,))
    constant = keras.layers.Dense(1)(keras.layers.Rescaling(0.0)(z))
    generator = keras.Model(z, constant)
    generator.set_weights([np.zeros((1, 1)), np.array([1.0])])
    critic = keras.Model(x, keras.layers.Dense(1, use_bias=bias)(x))
    critic.layers[-1].kernel.assign([[0.5]])
    return generator, critic


def slope(model):
    return float(host(model.discriminator.layers[-1].kernel)[0, 0])


def test_clipped_weights():
    """Wasserstein: w moves by rate (E x - E G), then back into [-c, c]."""
    model = kg.models.GAN(*dense_pair(), loss="wasserstein", clip_weights=0.6)
    model.compile(keras.optimizers.SGD(0.01))
    x = np.full((4, 1), 3.0, "float32")
    path = []
    for _ in range(8):
        before = float(host(model.generator.layers[-1].bias)[0])
        expected = min(slope(model) + 0.01 * (3.0 - before), 0.6)
        model.train_on_batch(x)
        np.testing.assert_allclose(slope(model), expected, atol=1e-6)
        path.append(slope(model))
    assert path[0] < 0.6 and np.isclose(path[-1], 0.6)


def test_penalties_are_added():
    """R1 and R2 of D(x) = x / 2: a quarter of each weight."""
    penalties = [
        kg.losses.GradientPenalty(weight, at=at, center=0.0)
        for weight, at in ((1.0, "real"), (3.0, "fake"))
    ]
    model = kg.models.GAN(*dense_pair(), penalty=penalties)
    x = keras.ops.ones((4, 1))
    term = model.penalty_term(x, x, None, False)
    np.testing.assert_allclose(host(term), 1.0, rtol=1e-6)


def test_lazy_penalties_count_steps_of_the_discriminator():
    """Every third of its steps, of which there are two a batch."""
    penalty = kg.losses.GradientPenalty(1.0, at="real", center=0.0, every=3)
    generator, critic = dense_pair()
    generator.set_weights([np.zeros((1, 1)), np.array([3.0])])
    model = kg.models.GAN(
        generator,
        critic,
        loss="wasserstein",
        penalty=penalty,
        discriminator_steps=2,
    )
    model.compile(
        {
            "discriminator": keras.optimizers.SGD(1e-2),
            "generator": keras.optimizers.SGD(0.0),
        }
    )
    shrunk, w = 1 - 3 * 2e-2, slope(model)
    for charged in (True, True, False):  # steps 0 and 1, 2 and 3, 4 and 5
        model.train_on_batch(np.full((4, 1), 3.0, "float32"))
        w *= shrunk if charged else 1.0
        np.testing.assert_allclose(slope(model), w, rtol=1e-5)


def test_lazy_penalties_add_up_to_the_others():
    """Identity 18: with a constant gradient, i steps move as far."""
    ends = []
    for every in (1, 4):
        # Of D(x) = w x at R1 the gradient is 2 w; keep w by a rate of 1e-6.
        penalty = kg.losses.GradientPenalty(
            1.0, at="real", center=0.0, every=every
        )
        generator, critic = dense_pair()
        generator.set_weights([np.zeros((1, 1)), np.array([3.0])])
        model = kg.models.GAN(
            generator, critic, loss="wasserstein", penalty=penalty
        )
        model.compile(
            {
                "discriminator": keras.optimizers.SGD(1e-4),
                "generator": keras.optimizers.SGD(0.0),
            }
        )
        x = np.full((4, 1), 3.0, "float32")  # equal to G(z): no other pull
        moves = []
        for _ in range(8):
            before = slope(model)
            model.train_on_batch(x)
            moves.append(before - slope(model))
        ends.append(slope(model))
        charged = [i for i, move in enumerate(moves) if abs(move) > 1e-9]
        assert charged == list(range(0, 8, every))
    np.testing.assert_allclose(*ends, atol=1e-5)
    np.testing.assert_allclose(ends[0], 0.5 * (1 - 2e-4) ** 8, atol=1e-6)


@pytest.mark.parametrize("batches", ["reuse", "split"])
def test_what_the_steps_of_the_discriminator_see(batches):
    """w moves by rate (E x - E G) for the mean of each part."""
    model = kg.models.GAN(
        *dense_pair(),
        loss="wasserstein",
        discriminator_steps=2,
        discriminator_batches=batches,
        # A quadratic makes the order of the parts matter.
        penalty=kg.losses.GradientPenalty(1.0, at="real", center=0.0),
    )
    model.compile(
        {
            "discriminator": keras.optimizers.SGD(0.1),
            "generator": keras.optimizers.SGD(0.0),
        }
    )
    model.train_on_batch(np.array([[0.0], [2.0], [5.0], [7.0]], "float32"))
    w = 0.5
    for mean in (1.0, 6.0) if batches == "split" else (3.5, 3.5):
        w += 0.1 * (mean - 1.0) - 0.1 * 2 * w
    np.testing.assert_allclose(slope(model), w, atol=1e-6)


def test_historical_averaging_pulls_back():
    """For w_t = t d the term is |t - (t + 1)/2|^2 d^2, this step included."""
    history = HistoricalAverage([keras.Variable([0.0, 0.0])])
    for t in range(1, 6):
        weights = [t * keras.ops.array([0.5, -2.0])]
        term = float(host(history(weights)))
        assert np.isclose(term, (t - (t + 1) / 2) ** 2 * (0.25 + 4.0))
    same = HistoricalAverage([keras.Variable([1.0])])
    for _ in range(3):
        assert float(host(same([keras.ops.array([1.0])]))) == 0.0


@pytest.mark.parametrize("name", ["discriminator", "generator"])
def test_history_enters_the_step(name):
    """No other pull: w goes back by rate 2 weight (w - mean of w so far)."""
    generator, critic = dense_pair()
    critic.layers[-1].kernel.assign([[0.0]])
    model = kg.models.GAN(
        generator, critic, loss="wasserstein", historical_averaging=0.5
    )
    model.compile(
        {n: keras.optimizers.SGD(0.1 * (n == name)) for n in model.networks}
    )
    w = getattr(model, name).trainable_variables[-1]
    start, x = host(w).copy(), np.ones((4, 1), "float32")
    model.train_on_batch(x)
    np.testing.assert_allclose(host(w), start)  # the mean is w itself
    w.assign(start + 1.0)
    model.train_on_batch(x)
    np.testing.assert_allclose(host(w), start + 1.0 - 0.1 * 0.5, atol=1e-6)


class Fives(keras.layers.Layer):
    """A pool that always shows a five."""

    def call(self, x):
        return keras.ops.zeros_like(x) + 5.0


def test_what_the_players_are_shown():
    """Wasserstein and D(x) = x / 2: the losses tell what D saw."""
    x, fake = keras.ops.ones((4, 1)) * 2.0, keras.ops.ones((4, 1))
    augmented = kg.models.GAN(
        *dense_pair(),
        loss="wasserstein",
        augmentation=keras.layers.Rescaling(3.0),
    )
    for training, scale in ((True, 3.0), (False, 1.0)):
        d = augmented.discriminator_loss(x, fake, None, training)["loss"]
        np.testing.assert_allclose(host(d), scale * (0.5 - 1.0), rtol=1e-5)
        g = augmented.generator_loss(x, fake, None, training)
        np.testing.assert_allclose(host(g), -scale * 0.5, rtol=1e-5)
    generator, critic = dense_pair()
    matching = kg.models.GAN(
        generator,
        critic,
        feature_matching=critic.layers[-1].name,
        augmentation=keras.layers.Rescaling(3.0),
    )
    for training, scale in ((True, 3.0), (False, 1.0)):
        g = matching.generator_loss(x, fake, None, training)
        np.testing.assert_allclose(host(g), (scale * 0.5) ** 2, rtol=1e-5)
    pool = Fives()
    pool.shape = (1,)
    replaying = kg.models.GAN(*dense_pair(), loss="wasserstein", replay=pool)
    replaying.compile(keras.optimizers.SGD(0.0))
    x, still = np.full((4, 1), 2.0, "float32"), {"return_dict": True}
    for logs, fake in (
        (replaying.train_on_batch(x, **still), 5.0),
        (replaying.test_on_batch(x, **still), 1.0),
    ):
        d, g = (logs[f"{name}_loss"] for name in replaying.networks)
        np.testing.assert_allclose(float(d), fake / 2 - 1.0, rtol=1e-5)
        np.testing.assert_allclose(float(g), -0.5, rtol=1e-5)


@pytest.mark.parametrize("k, stopped", [(1, True), (1, False), (3, True)])
def test_which_samples_the_players_see(k, stopped, monkeypatch):
    """D(x) = w x, G(z) = a z: w moves by E x - a z, then a by w z.

    For a new z each time, but that G sees the last of D's. The step of w is
    none of G's business, even if D's loss is not cut off.
    """
    monkeypatch.setattr(
        keras.random,
        "normal",
        lambda shape, seed: (
            keras.ops.full(shape, 0.5)
            + keras.ops.cast(seed.next()[1], "float32")
        ),
    )
    z = keras.Input((1,))
    generator = keras.Model(z, keras.layers.Dense(1, use_bias=False)(z))
    generator.set_weights([np.array([[2.0]])])
    model = kg.models.GAN(
        generator,
        dense_pair()[1],
        loss="wasserstein",
        discriminator_steps=k,
    )
    if not stopped:
        model.shown = lambda fake, training: fake
    model.compile(keras.optimizers.SGD(0.1))
    model.train_on_batch(np.full((4, 1), 4.0, "float32"))
    z = 0.5 + np.arange(k)
    w = 0.5 + 0.1 * (4.0 - 2.0 * z).sum()
    np.testing.assert_allclose(slope(model), w, rtol=1e-5)
    a = host(generator.weights[0])[0, 0]
    np.testing.assert_allclose(a, 2.0 + 0.1 * w * z[-1], rtol=1e-5)


def test_augmentation_adapts_in_training():
    model = make(
        augmentation=kg.layers.DiffAugment(
            ("cutout",), p=0.5, target=0.0, adapt_over=60
        )
    )
    model.discriminator.layers[-1].bias.assign([100.0])  # sure of everything
    model.compile("adam")
    x = np.zeros((6, *SHAPE), "float32")
    model.evaluate(x, verbose=0)
    assert np.isclose(host(model.augmentation.p), 0.5)
    model.train_on_batch(x)
    assert np.isclose(host(model.augmentation.p), 0.6)


def test_what_adapts_may_be_one_of_several_layers():
    adaptive = kg.layers.DiffAugment(("cutout",), target=0.0, adapt_over=60)
    several = keras.Sequential([keras.layers.RandomFlip(), adaptive])
    with pytest.raises(ValueError, match="goes by the sign"):
        make(loss="wasserstein", augmentation=several)
    model = make(augmentation=several)
    model.discriminator.layers[-1].bias.assign([100.0])
    model.compile("adam")
    x = np.zeros((12, *SHAPE), "float32")
    model.fit(x, batch_size=6, verbose=0)  # Keras tries to build what is not
    assert np.isclose(host(adaptive.p), 0.2)


def test_probabilities_in_place_of_logits_warn():
    x = keras.Input(SHAPE)
    for activation in ("sigmoid", "softmax"):
        d = keras.layers.Dense(1, activation=activation, name="last")
        with pytest.warns(UserWarning, match=f"'last' ends in {activation}"):
            kg.models.GAN(
                kg.nets.dense_generator(SHAPE, 2),
                keras.Model(x, d(keras.layers.Flatten()(x))),
            )


def test_feature_matching_compares_means():
    """Other samples with the same feature means cost nothing."""
    x = keras.Input((2,))
    h = keras.layers.Dense(2, use_bias=False, name="h")(x)
    critic = keras.Model(x, keras.layers.Dense(1)(h))
    critic.get_layer("h").kernel.assign(np.eye(2))
    z = keras.Input((1,))
    model = kg.models.GAN(
        keras.Model(z, keras.layers.Dense(2)(z)), critic, feature_matching="h"
    )
    a = keras.ops.array([[1.0, 0.0], [3.0, 2.0]])
    b = keras.ops.array([[2.0, 0.0], [2.0, 2.0]])
    distance = host(model.feature_distance(a, b, None, False))
    assert distance == 0.0
    distance = host(model.feature_distance(a, b + 1.0, None, False))
    np.testing.assert_allclose(distance, 1.0)
    loss = model.generator_loss(a, b + 1.0, None, False)
    np.testing.assert_allclose(host(loss), 1.0)


@pytest.mark.parametrize("scaled", [False, True])
def test_logged_gradients_against_plain_descent(scaled):
    """Under plain descent with rate 1 a move is as long as the gradient."""
    keras.utils.set_random_seed(0)
    model = make(log_gradients=True)
    sgd = {name: keras.optimizers.SGD(1.0) for name in model.networks}
    if scaled:
        scale = keras.optimizers.LossScaleOptimizer
        sgd = {name: scale(member) for name, member in sgd.items()}
    model.compile(sgd)
    x = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype("float32")
    before = {
        name: [host(v).copy() for v in getattr(model, name).weights]
        for name in model.networks
    }
    logs = model.train_on_batch(x, return_dict=True)
    for name, old in before.items():
        pairs = zip(old, getattr(model, name).weights, strict=True)
        length = np.sqrt(sum(((a - host(b)) ** 2).sum() for a, b in pairs))
        np.testing.assert_allclose(
            float(logs[f"{name}_gradient"]), length, rtol=1e-4
        )


def test_a_penalty_behind_batch_normalisation_warns():
    x = keras.Input(SHAPE)
    h = keras.layers.BatchNormalization(name="mixes")(keras.layers.Flatten()(x))
    with pytest.warns(UserWarning, match="mixes"):
        kg.models.GAN(
            kg.nets.dense_generator(SHAPE, 2),
            keras.Model(x, keras.layers.Dense(1)(h)),
            penalty=kg.losses.GradientPenalty(),
        )


def test_bad_stabilisers():
    with pytest.raises(ValueError, match='must be "reuse" or "split"'):
        make(discriminator_batches="draw")
    with pytest.raises(ValueError, match="`clip_weights` must be above 0"):
        make(clip_weights=0.0)
    with pytest.raises(ValueError, match="`historical_averaging` must be"):
        make(historical_averaging=-1.0)
    with pytest.raises(ValueError, match="No such layer: nowhere"):
        make(feature_matching="nowhere")
    with pytest.raises(ValueError, match="`every` must be"):
        kg.losses.GradientPenalty(every=0)
    model = make(discriminator_steps=3, discriminator_batches="split")
    model.compile("adam")
    with pytest.raises(ValueError, match="batches of at least 3 samples"):
        model.fit(np.zeros((18, *SHAPE), "float32"), batch_size=16)
    with pytest.raises(ValueError, match="the last of an epoch has 2: 18"):
        x = np.zeros((36, *SHAPE), "float32")
        model.fit(x, batch_size=16, validation_split=0.5)
    with pytest.raises(ValueError, match="the last of an epoch has 2: 18"):
        model.fit({"image": x[:18]}, batch_size=16)
    if keras.backend.backend() != "tensorflow":  # no size in its graphs
        with pytest.raises(ValueError, match="cannot be split in 3. Rec.*: 2"):
            model.train_on_batch(np.zeros((2, *SHAPE), "float32"))
    x = keras.Input(SHAPE)
    h = kg.layers.MinibatchStd()(keras.layers.Flatten()(x))
    model = kg.models.GAN(
        kg.nets.dense_generator(SHAPE, 2),
        keras.Model(x, keras.layers.Dense(1)(h)),
    )
    model.compile("adam")
    with pytest.raises(ValueError, match="batches of at least 2 samples"):
        model.fit(kg.data.ImageDataset(np.zeros((9, *SHAPE)), None, 4))
    # A batch of one is no harm where nothing is learned from it.
    five = np.zeros((5, *SHAPE), "float32")
    logs = model.evaluate(five, batch_size=4, verbose=0, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    with pytest.raises(ValueError, match="`penalty` must be a"):
        make(penalty="r1")
    with pytest.raises(ValueError, match="`replay` must hold samples"):
        make(replay=kg.layers.ImagePool(4, (4, 4, 3)))
    for loss in ("relativistic", "wasserstein", "least_squares"):
        with pytest.raises(ValueError, match="goes by the sign"):
            make(loss=loss, augmentation=kg.layers.DiffAugment(target=0.6))
    generator = kg.nets.dense_generator(SHAPE, 2)
    for outputs, message in ((10, "logits of shape"), (None, "must know its")):
        layers = [keras.layers.Flatten(), keras.layers.Dense(outputs or 1)]
        start = [] if outputs is None else [keras.Input(SHAPE)]
        with pytest.raises(ValueError, match=message):
            kg.models.GAN(generator, keras.Sequential([*start, *layers]))
    with pytest.raises(ValueError, match="must be a `keras.Model`"):
        kg.models.GAN(generator, None)


def test_truncation():
    """Uniform quantiles of the truncated normal; the same seed, the same z."""
    model = make()
    z = truncate(model.starting_noise(4_000, 0), 0.5)
    assert np.abs(z).max() <= 0.5
    low, high = ndtr(-0.5), ndtr(0.5)
    share = np.sort((ndtr(z.ravel()) - low) / (high - low))
    uniform = (np.arange(len(share)) + 0.5) / len(share)
    assert np.abs(share - uniform).max() < 1.63 / np.sqrt(len(share))
    np.testing.assert_allclose(
        truncate(model.starting_noise(3, 5), 50.0),
        model.starting_noise(3, 5),
        rtol=1e-4,
        atol=1e-6,
    )
    far = np.array([-6.5, -5.5, 0.0, 5.5, 6.5], "float32")
    np.testing.assert_allclose(truncate(far, 9.0), far, rtol=1e-6)
    assert model.generate(2, seed=0, truncation=0.5).shape == (2, *SHAPE)
    with pytest.raises(ValueError, match="`truncation` must be above 0"):
        model.generate(2, truncation=0.0)
