import keras
import numpy as np
import pytest

from keras_gen.training.optimizers import OptimizerGroup
from tests.cases import CASES
from tests.conftest import host


def test_one_optimizer_is_copied_for_each_network(digits):
    model = CASES["gan"]()
    model.compile("sgd")
    assert isinstance(model.optimizer, OptimizerGroup)
    names = [member.name for member in model.optimizer.optimizers]
    assert names == ["discriminator", "generator"]
    assert len({id(v) for v in model.optimizer.variables}) == len(
        model.optimizer.variables
    )
    model.fit(digits, verbose=0)


@pytest.mark.parametrize(
    "optimizer, message",
    [
        ({"discriminator": "adam"}, r"missing: \['generator'\]"),
        (
            {"discriminator": "adam", "generator": "adam", "critic": "adam"},
            r"unknown: \['critic'\]",
        ),
        (None, "`optimizer` must be an optimizer"),
        ("adamm", "adamm"),
    ],
)
def test_names_must_fit(optimizer, message):
    with pytest.raises(ValueError, match=message):
        CASES["gan"]().compile(optimizer)


def test_an_optimizer_serves_one_network():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="an optimizer of its own"):
        CASES["gan"]().compile({"discriminator": adam, "generator": adam})


def test_a_model_with_one_optimizer_takes_no_dict():
    with pytest.raises(ValueError, match="This model has one optimizer"):
        CASES["vae"]().compile({"encoder": "adam"})


def test_compile_takes_no_loss():
    with pytest.raises(ValueError, match="defines its own losses"):
        CASES["vae"]().compile("adam", loss="mse")


def test_minimize_knows_its_networks():
    with pytest.raises(ValueError, match="`name` must be one of"):
        CASES["gan"]().minimize(lambda: 0.0, "critic")


def test_learning_rate_callbacks_reach_every_member(digits):
    model = CASES["gan"]()
    halve = keras.callbacks.LearningRateScheduler(
        lambda epoch, rate: rate / 2 if epoch else rate
    )
    history = model.fit(digits, epochs=2, verbose=0, callbacks=[halve]).history
    rates = [float(host(m.learning_rate)) for m in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [5e-4, 1e-3], rtol=1e-5)
    assert any(name.startswith("learning_rate") for name in history)


def test_the_compile_configuration_is_the_one_given(digits):
    """Not what `auto` resolves to here, nor a later learning rate."""
    model = CASES["vae"]()
    before = model.get_compile_config()
    model.optimizer.learning_rate = 0.5
    assert model.get_compile_config() == before
    assert before["jit_compile"] == "auto"


def test_exclusions_from_weight_decay_are_not_lost():
    adam = keras.optimizers.AdamW()
    adam.exclude_from_weight_decay(var_names=["bias"])
    with pytest.raises(ValueError, match="a dict with an optimizer for each"):
        CASES["gan"]().compile(adam)
