import keras
import numpy as np
import pytest

from keras_gen import losses
from keras_gen import models
from keras_gen import nets
from tests.conftest import host
from tests.conftest import tensor

KL = np.array([[1.0, 0.2], [3.0, 0.4]], "float32")  # totals 1.2 and 3.4


def values(term, steps, training=True):
    return [
        float(host(term(tensor(KL), training=training))) for _ in range(steps)
    ]


def test_linear_warmup():
    found = values(losses.LinearWarmup(4, beta=2.0), 6)
    expected = 2.3 * 2.0 * np.minimum(1, np.arange(6) / 4)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_cyclical():
    found = values(losses.CyclicalBeta(10, ramp=0.3, beta=2.0), 25)
    u = np.arange(25) % 10 / 10
    expected = 2.3 * 2.0 * np.minimum(1, u / 0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_capacity_takes_the_mean_before_the_absolute_value():
    found = values(losses.Capacity(4.6, steps=2, gamma=10.0), 4)
    np.testing.assert_allclose(found, [23.0, 0.0, 23.0, 23.0], atol=1e-5)


def test_free_bits_are_free_for_each_latent():
    found = values(losses.FreeBits(0.5), 1)
    np.testing.assert_allclose(found, [2.0 + 0.5], rtol=1e-6)
    # Of the mean over the batch: 0.3 of (0.2, 0.4), not the mean of (0.3, 0.4).
    found = values(losses.FreeBits(0.3), 1)
    np.testing.assert_allclose(found, [2.0 + 0.3], rtol=1e-6)
    np.testing.assert_allclose(
        values(losses.FreeBits(0.0), 1), [2.3], rtol=1e-6
    )


def test_evaluation_does_not_count():
    term = losses.LinearWarmup(4)
    assert values(term, 3, training=False) == [0.0] * 3
    assert host(term.step) == 0
    values(term, 2)
    assert host(term.step) == 2


def test_configuration():
    for term in (
        losses.LinearWarmup(4, 2.0),
        losses.CyclicalBeta(10, 0.3, 2.0),
        losses.Capacity(3.0, 10, 5.0),
        losses.FreeBits(0.1),
    ):
        config = keras.saving.serialize_keras_object(term)
        copy = keras.saving.deserialize_keras_object(config)
        assert values(copy, 3) == values(term, 3)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: losses.LinearWarmup(0), "`steps` must be at least 1"),
        (lambda: losses.CyclicalBeta(5, ramp=0), "`ramp` must be in"),
        (lambda: losses.Capacity(-1, 5), "`capacity` must be a finite"),
        (lambda: losses.FreeBits(-1), "`nats` must be a finite"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def still_model(cls, num_classes, beta):
    """A model whose weights do not move."""
    options = {"latent_dim": 2, "units": (4,), "num_classes": num_classes}
    model = cls(
        nets.dense_encoder((8, 8, 1), outputs=2, **options),
        nets.dense_decoder((8, 8, 1), **options),
        beta=beta,
    )
    model.compile(keras.optimizers.SGD(0.0))
    return model


@pytest.mark.parametrize(
    "cls, num_classes", [(models.VAE, None), (models.ConditionalVAE, 10)]
)
def test_a_schedule_counts_the_steps_of_fit(cls, num_classes, digits):
    """Epochs of one step, and evaluations between them."""
    model = still_model(cls, num_classes, losses.LinearWarmup(4))
    batch = digits[0]
    logs = model.fit(*batch, epochs=6, verbose=0, validation_data=batch).history
    weight = np.subtract(logs["loss"], logs["reconstruction_loss"])
    weight /= logs["kl_loss"]
    np.testing.assert_allclose(weight, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-3)


def test_a_callback_moves_the_schedule_of_the_compiled_step(digits):
    """Full weight from the second epoch on, set from outside."""
    term = losses.LinearWarmup(10**9)
    model = still_model(models.VAE, None, term)

    class Jump(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            term.step.assign(float(epoch) * 10**9)

    logs = model.fit(digits, epochs=2, verbose=0, callbacks=[Jump()]).history
    weight = np.subtract(logs["loss"], logs["reconstruction_loss"])
    weight /= logs["kl_loss"]
    np.testing.assert_allclose(weight, [0, 1], atol=1e-3)
    np.testing.assert_allclose(
        logs["negative_elbo"],
        np.add(logs["reconstruction_loss"], logs["kl_loss"]),
        rtol=1e-5,
    )
