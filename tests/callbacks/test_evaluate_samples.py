import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES

FD = "fd_digits_lenet64_v1_100"


def fit(digits, *callbacks, epochs=3):
    keras.utils.set_random_seed(3)
    model = CASES["vae"]()
    history = model.fit(
        digits, epochs=epochs, verbose=0, callbacks=list(callbacks)
    )
    return model, history.history


def measure(every=1):
    return kg.callbacks.EvaluateSamples("digits", 100, every=every, seed=5)


def test_logs_are_those_of_evaluate(digits):
    model, history = fit(digits, measure())
    assert len(history[FD]) == 3
    values = kg.evaluate(
        model, "digits", 100, 5, ["fd"], repeats=1, verbose=False
    )
    assert values[FD] == pytest.approx(history[FD][-1], rel=1e-5)


@pytest.mark.parametrize("name", ["vae", "gan_conv"])
def test_training_is_not_disturbed(name, digits):
    """Not by samples, nor by the callback's making: Dropout, array order."""
    x = np.concatenate([digits[i][0] for i in range(3)])
    histories = []
    for measured in (False, True):
        keras.utils.set_random_seed(3)
        callbacks = [measure(every=2)] if measured else []
        model = CASES[name]()
        history = model.fit(x, epochs=3, verbose=0, callbacks=callbacks)
        histories.append(history.history)
    plain, measured = histories
    assert len(measured.pop(FD)) == 1
    assert plain == measured


def test_modes_of_a_ring_are_in_the_logs():
    model = kg.models.GAN(
        kg.nets.dense_generator((2,), 2, units=(8,)),
        kg.nets.dense_discriminator((2,), units=(8,)),
    )
    model.compile("adam")
    modes = kg.callbacks.EvaluateSamples("ring", 200, metrics=["modes"])
    ring = kg.data.load("ring", batch_size=5000, labels=False)
    logs = model.fit(ring, epochs=2, verbose=0, callbacks=[modes]).history
    [name] = [key for key in logs if key.startswith("modes_")]
    values = kg.evaluate(
        model, "ring", 200, 0, ["modes"], repeats=1, verbose=False
    )
    assert logs[name][-1] == values[name] and len(logs[name]) == 2


def test_others_read_the_log_wherever_they_stand(digits, tmp_path):
    stop = keras.callbacks.EarlyStopping(FD, mode="min", min_delta=1e9)
    save = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", FD, mode="min", save_best_only=True
    )
    _, history = fit(digits, stop, save, measure(), epochs=9)
    assert len(history["loss"]) == 2  # no epoch betters the first by 1e9
    assert save.best == pytest.approx(min(history[FD]))
    assert (tmp_path / "best.keras").exists()


def test_bad_input(digits):
    with pytest.raises(ValueError, match="`every` must be at least 1"):
        measure(every=0)
    with pytest.raises(ValueError, match="Unknown metrics"):
        kg.callbacks.EvaluateSamples("digits", 100, ["fid"])
    wrong = kg.callbacks.EvaluateSamples("digits", 100, ["kd"])
    with pytest.raises(ValueError, match="at least 1000 samples"):
        fit(digits, wrong)


def test_what_does_not_apply_is_said_before_training(digits):
    steps = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    late = kg.callbacks.EvaluateSamples("digits", 100, ["kd"], every=3)
    with pytest.raises(ValueError, match="at least 1000 samples"):
        fit(digits, count, late)
    assert not steps
