import errno
import json
import shutil
import warnings

import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.callbacks.checkpoint import _config_digest
from keras_gen.callbacks.checkpoint import file_digest
from keras_gen.callbacks.checkpoint import state_digest
from tests.cases import CASES
from tests.checks import assert_same_state
from tests.checks import state


def fit(name, data, folder, epochs, others=(), **arguments):
    keras.utils.set_random_seed(2)
    model = CASES[name]()
    checkpoint = kg.callbacks.Checkpoint(folder, **arguments)
    history = model.fit(
        data, epochs=epochs, verbose=0, callbacks=[checkpoint, *others]
    )
    return model, history


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_keeps_the_newest_and_records_what_they_are(digits, tmp_path):
    fit("gan", digits, tmp_path, epochs=4, keep=2)
    assert names(tmp_path) == ["ckpt-000003", "ckpt-000004"]
    folder = tmp_path / "ckpt-000004"
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["epoch"] == 4
    assert meta["file_sha256"] == file_digest(folder / "state.weights.h5")
    assert len(meta["history"]["generator_loss"]) == 4


def test_every(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=5, every=2)
    assert names(tmp_path) == ["ckpt-000002", "ckpt-000004"]


def test_finished_training_is_not_repeated(digits, tmp_path, capsys):
    model, first = fit("vae", digits, tmp_path, epochs=2)
    again, history = fit("vae", digits, tmp_path, epochs=2)
    assert_same_state(state(model), state(again))
    assert history.epoch == [] and history.history == first.history
    checkpoint = kg.callbacks.Checkpoint(tmp_path)
    again.fit(digits, epochs=2, verbose=2, callbacks=[checkpoint])
    assert "nothing is trained" in capsys.readouterr().out


def test_callbacks_of_users(digits, tmp_path):
    """A history of theirs comes first; `best` may be anything.

    And logs need not come every epoch.
    """
    odd = keras.callbacks.Callback()
    odd.best = "weights.h5"
    score = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(
            {"score": epoch} if epoch % 2 else {}
        )
    )
    for epochs in (2, 4):
        history = keras.callbacks.History()
        model = CASES["vae"]()
        model.fit(
            digits,
            epochs=epochs,
            verbose=0,
            callbacks=[score, history, odd, kg.callbacks.Checkpoint(tmp_path)],
        )
    meta = json.loads((tmp_path / "ckpt-000004" / "meta.json").read_text())
    assert len(meta["history"]["loss"]) == 4 == len(history.history["loss"])
    assert meta["history"]["score"] == [1, 3] == history.history["score"]


def _truncate(folder):
    file = folder / "state.weights.h5"
    file.write_bytes(file.read_bytes()[:-1000])


def _flip(folder):
    file = folder / "state.weights.h5"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _lose_meta(folder):
    (folder / "meta.json").unlink()


def _break_meta(folder):
    meta = folder / "meta.json"
    meta.write_text(meta.read_text()[:50])


def _lose_weights(folder):
    (folder / "state.weights.h5").unlink()


def _alter_meta(folder):
    meta = folder / "meta.json"
    meta.write_text(meta.read_text().replace('"epoch": 2', '"epoch": 1'))


def _replace_meta(folder):
    (folder / "meta.json").write_text("[1, 2]")


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _flip,
        _lose_meta,
        _break_meta,
        _alter_meta,
        _replace_meta,
        _lose_weights,
    ],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    damage, digits, tmp_path
):
    whole, _ = fit("gan", digits, tmp_path / "whole", epochs=3)
    fit("gan", digits, tmp_path / "hurt", epochs=2)
    damage(tmp_path / "hurt" / "ckpt-000002")
    with pytest.warns(UserWarning, match="damaged checkpoint.*ckpt-000002"):
        resumed, history = fit("gan", digits, tmp_path / "hurt", epochs=3)
    assert_same_state(state(whole), state(resumed))
    assert names(tmp_path / "hurt") == ["ckpt-000002", "ckpt-000003"]


def test_a_damaged_one_of_later_does_not_count_as_kept(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=2)
    shutil.copytree(tmp_path / "ckpt-000002", tmp_path / "ckpt-000009")
    (tmp_path / "ckpt-000009" / "meta.json").write_text("{")
    with pytest.warns(UserWarning, match="Skipping the damaged"):
        fit("vae", digits, tmp_path, epochs=3)
    assert "ckpt-000003" in names(tmp_path)


def test_none_intact_is_an_error(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=2)
    for name in names(tmp_path):
        _truncate(tmp_path / name)
    with pytest.warns(UserWarning, match="damaged"):
        with pytest.raises(ValueError, match="None of the checkpoints"):
            fit("vae", digits, tmp_path, epochs=3)


def test_another_model_or_optimizer_is_refused(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=1)
    with pytest.raises(ValueError, match="belongs to another model"):
        fit("vae_warmup", digits, tmp_path, epochs=2)
    model = CASES["vae"]()
    model.compile(keras.optimizers.Adam(0.5))
    with pytest.raises(ValueError, match="belongs to another optimizer"):
        model.fit(
            digits,
            epochs=2,
            verbose=0,
            callbacks=[kg.callbacks.Checkpoint(tmp_path)],
        )


def test_names_that_keras_numbers_do_not_matter(digits, tmp_path):
    """The same model built later in a process has other layer names."""
    fit("vae", digits, tmp_path, epochs=1)
    CASES["gan"]()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit("vae", digits, tmp_path, epochs=2)
    assert names(tmp_path) == ["ckpt-000001", "ckpt-000002"]


def test_the_first_name_of_a_kind_may_be_another_string():
    """In a fresh process a layer is called as its activation is."""

    def config(names):
        layers = [{"class_name": "SiLU", "config": {"name": n}} for n in names]
        return {"layers": layers, "activation": "silu", "to": names[1]}

    fresh, later = config(["silu", "silu_1"]), config(["silu_7", "silu_3"])
    assert _config_digest(fresh) == _config_digest(later)
    later["to"] = "silu_7"
    assert _config_digest(fresh) != _config_digest(later)


def test_another_layer_to_match_is_another_model(digits, tmp_path):
    """Though both names are of layers that Keras numbers."""

    def run(layer):
        critic = kg.nets.dense_discriminator((8, 8, 1), units=(4, 4))
        dense = [x.name for x in critic.layers if "dense" in x.name]
        model = kg.models.GAN(
            kg.nets.dense_generator((8, 8, 1), 2, units=(4,)),
            critic,
            feature_matching=dense[layer],
        )
        model.compile("adam")
        checkpoint = kg.callbacks.Checkpoint(tmp_path)
        model.fit(digits, epochs=1, verbose=0, callbacks=[checkpoint])

    run(0)
    run(0)
    with pytest.raises(ValueError, match="belongs to another model"):
        run(1)


def test_state_that_does_not_arrive_is_noticed(digits, tmp_path, monkeypatch):
    """As when Keras skips an optimizer that it considers unbuilt."""
    fit("gan", digits, tmp_path, epochs=1)
    monkeypatch.setattr(
        keras.optimizers.Adam, "load_own_variables", lambda self, store: None
    )
    with pytest.raises(ValueError, match="not restored completely"):
        fit("gan", digits, tmp_path, epochs=2)


def test_a_folder_that_cannot_be_written(digits, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match="Cannot write to the folder"):
        fit("vae", digits, file / "checkpoints", epochs=1)


@pytest.mark.parametrize("failing", ["os.fsync", "os.replace"])
def test_a_failed_save_raises_and_loses_nothing(
    failing, digits, tmp_path, monkeypatch
):
    whole, _ = fit("vae", digits, tmp_path / "whole", epochs=3)
    folder = tmp_path / "full"
    fit("vae", digits, folder, epochs=2)

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(failing, fail)
        with pytest.raises(OSError, match="ckpt-000003.*failed.*No space"):
            fit("vae", digits, folder, epochs=3)
    assert names(folder) == ["ckpt-000001", "ckpt-000002"]
    resumed, _ = fit("vae", digits, folder, epochs=3)
    assert_same_state(state(whole), state(resumed))


def test_a_full_disk_is_noticed_before_hdf5_dies_of_it(
    digits, tmp_path, monkeypatch
):
    full = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    monkeypatch.setattr(
        keras.Model, "save_weights", lambda *_: pytest.fail("not to be tried")
    )
    with pytest.raises(OSError, match="ckpt-000001.*failed.*10,000 free"):
        fit("vae", digits, tmp_path / "run", epochs=1)
    assert names(tmp_path / "run") == []
    with pytest.raises(OSError, match="10,000 free"):
        CASES["vae"]().save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


def test_leftovers_of_a_killed_process_are_swept(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=1)
    shutil.copytree(tmp_path / "ckpt-000001", tmp_path / ".tmp-1-ckpt-000002")
    fit("vae", digits, tmp_path, epochs=2)
    assert names(tmp_path) == ["ckpt-000001", "ckpt-000002"]


@pytest.mark.parametrize("checkpoint_first", [True, False])
def test_patience_and_best_value_survive(checkpoint_first, digits, tmp_path):
    """Training that stops after 3 bad epochs counts over a restart."""

    def stopper():
        # Never better by 1e9, so epoch 1 is best and patience runs out.
        return keras.callbacks.EarlyStopping(
            "loss", min_delta=1e9, patience=3, mode="min"
        )

    def run(folder, epochs):
        keras.utils.set_random_seed(2)
        model, early = CASES["vae"](), stopper()
        callbacks = [kg.callbacks.Checkpoint(folder), early]
        if not checkpoint_first:
            callbacks.reverse()
        history = model.fit(
            digits, epochs=epochs, verbose=0, callbacks=callbacks
        )
        return history.history["loss"], early

    whole, early = run(tmp_path / "whole", 10)
    assert len(whole) == 4 and early.stopped_epoch == 3
    run(tmp_path / "parts", 2)
    parts, resumed = run(tmp_path / "parts", 10)
    assert parts == whole
    assert (resumed.best, resumed.stopped_epoch) == (early.best, 3)
    # It has ended, and does not begin anew.
    with pytest.warns(UserWarning, match="EarlyStopping ended this training"):
        again, _ = run(tmp_path / "parts", 10)
    assert again == whole
    assert names(tmp_path / "parts")[-1] == "ckpt-000004"


def test_settings_of_other_callbacks_are_those_of_the_script(digits, tmp_path):
    def run(patience, epochs):
        early = keras.callbacks.EarlyStopping("loss", patience=patience)
        fit("vae", digits, tmp_path, epochs, others=[early])
        return early

    run(patience=3, epochs=1)
    assert run(patience=7, epochs=2).patience == 7


def test_learning_rate_survives(digits, tmp_path):
    def halve(epoch, rate):
        return rate / 2

    def schedule():
        return keras.callbacks.LearningRateScheduler(halve)

    whole, _ = fit("gan", digits, tmp_path / "whole", 3, [schedule()])
    fit("gan", digits, tmp_path / "parts", 1, [schedule()])
    parts, _ = fit("gan", digits, tmp_path / "parts", 3, [schedule()])
    assert_same_state(state(whole), state(parts))


def test_history_is_whole_after_a_resume(digits, tmp_path):
    _, whole = fit("vae", digits, tmp_path / "whole", 4)
    fit("vae", digits, tmp_path / "parts", 2)
    _, parts = fit("vae", digits, tmp_path / "parts", 4)
    assert parts.epoch == whole.epoch
    for name, values in whole.history.items():
        np.testing.assert_array_equal(parts.history[name], values)


def test_a_deletion_that_was_killed_does_not_block_the_next(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=3, keep=2)
    _lose_meta(tmp_path / "ckpt-000002")
    fit("vae", digits, tmp_path, epochs=5, keep=1)
    assert names(tmp_path) == ["ckpt-000005"]


def test_what_was_moved_aside_comes_back(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=2)
    (tmp_path / "ckpt-000002").rename(tmp_path / ".tmp-7-old-ckpt-000002")
    _, history = fit("vae", digits, tmp_path, epochs=3)
    assert history.epoch == [0, 1, 2] and len(names(tmp_path)) == 2


def test_a_later_fit_without_a_checkpoint_starts_at_zero(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=2)
    model, _ = fit("vae", digits, tmp_path, epochs=3)
    assert model.fit(digits, epochs=2, verbose=0).epoch == [0, 1]


def test_fewer_epochs_than_are_done_is_said(digits, tmp_path):
    fit("vae", digits, tmp_path, epochs=3)
    with pytest.warns(UserWarning, match="nothing left to train"):
        fit("vae", digits, tmp_path, epochs=1)


def test_best_weights_are_not_promised(digits, tmp_path):
    early = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
    with pytest.warns(UserWarning, match="does not hold the best weights"):
        fit("vae", digits, tmp_path, 1, [early])


def test_bad_arguments(tmp_path):
    for name, value in (("keep", 0), ("every", 1.5), ("every", -1)):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            kg.callbacks.Checkpoint(tmp_path, **{name: value})


class Scores(keras.callbacks.Callback):
    """Log a given score after each epoch, None for no log."""

    adds_logs = True

    def __init__(self, scores):
        super().__init__()
        self.scores = scores

    def on_epoch_end(self, epoch, logs=None):
        if self.scores[epoch] is not None:
            logs["score"] = self.scores[epoch]


def fit_scores(digits, folder, scores, epochs, **options):
    keras.utils.set_random_seed(3)
    model = CASES["gan"]()
    checkpoint = kg.callbacks.Checkpoint(folder, monitor="score", **options)
    history = model.fit(
        digits,
        epochs=epochs,
        verbose=0,
        callbacks=[checkpoint, Scores(scores)],
    )
    return model, checkpoint, history.history


@pytest.mark.parametrize("mode", ["min", "max"])
def test_best_is_kept_across_restarts(mode, digits, tmp_path):
    scores = [5.0, None, 3.0, 4.0, 3.5, 6.0, 2.0]
    if mode == "max":
        scores = [None if s is None else -s for s in scores]
    run = {"digits": digits, "scores": scores, "mode": mode}
    model, checkpoint, _ = fit_scores(folder=tmp_path, epochs=3, **run)
    third = state_digest(model)
    model, checkpoint, _ = fit_scores(folder=tmp_path, epochs=5, **run)
    assert state_digest(model) != third
    assert checkpoint.restore_best() == 3
    assert state_digest(model) == third
    # From the fifth epoch on, not from the best one.
    model, checkpoint, history = fit_scores(folder=tmp_path, epochs=7, **run)
    assert checkpoint.restore_best() == 7
    assert history["score"] == [s for s in scores if s is not None]
    assert len(history["generator_loss"]) == 7


def test_best_is_saved_between_checkpoints(digits, tmp_path):
    fit_scores(digits, tmp_path, [3.0, 1.0, 2.0, 2.0], 4, every=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best", "ckpt-000004"]
    meta = json.loads((tmp_path / "best" / "meta.json").read_text())
    assert meta["epoch"] == 2 and meta["history"]["score"] == [3.0, 1.0]


def test_best_of_another_training_does_not_count(digits, tmp_path):
    fit_scores(digits, tmp_path, [1.0], 1)
    shutil.rmtree(tmp_path / "ckpt-000001")
    kept = (tmp_path / "best" / "meta.json").read_bytes()
    with pytest.warns(UserWarning, match="kept as 'best-before'"):
        _, checkpoint, _ = fit_scores(digits, tmp_path, [3.0, 2.0], 2)
    assert checkpoint.restore_best() == 2
    assert (tmp_path / "best-before" / "meta.json").read_bytes() == kept


def test_damaged_best(digits, tmp_path):
    fit_scores(digits, tmp_path, [1.0], 1)
    (tmp_path / "best" / "state.weights.h5").write_bytes(b"x")
    with pytest.warns(UserWarning, match="another SHA-256.*'best-before'"):
        _, checkpoint, _ = fit_scores(digits, tmp_path, [1.0, 2.0], 2)
    assert checkpoint.restore_best() == 2
    (tmp_path / "best" / "meta.json").unlink()
    with pytest.raises(ValueError, match="no intact best checkpoint"):
        checkpoint.restore_best()


def test_bad_monitor(digits, tmp_path):
    with pytest.raises(ValueError, match="`mode` must be 'min', 'max' or"):
        kg.callbacks.Checkpoint(tmp_path, monitor="loss", mode="best")
    with pytest.warns(UserWarning, match="No epoch had a value of monitor"):
        fit_scores(digits, tmp_path, [None], 1)
    with pytest.warns(UserWarning, match="No epoch had a value of monitor"):
        fit_scores(digits, tmp_path / "nan", [float("nan")], 1)
    assert not (tmp_path / "nan" / "best").exists()


def test_a_kill_between_the_two_saves_loses_no_best(
    digits, tmp_path, monkeypatch
):
    scores = [5.0, 3.0, 1.0, 4.0]
    save = kg.callbacks.Checkpoint._save

    def killed(self, path, epoch):
        if path.name == "ckpt-000003":
            raise KeyboardInterrupt
        save(self, path, epoch)

    monkeypatch.setattr(kg.callbacks.Checkpoint, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        fit_scores(digits, tmp_path, scores, 4)
    monkeypatch.setattr(kg.callbacks.Checkpoint, "_save", save)
    _, checkpoint, _ = fit_scores(digits, tmp_path, scores, 4)
    assert checkpoint.restore_best() == 3


def test_an_infinite_metric_is_no_reason_not_to_save(digits, tmp_path):
    fit_scores(digits, tmp_path, [float("inf"), 2.0], 2)
    assert names(tmp_path) == ["best", "ckpt-000001", "ckpt-000002"]


def test_best_by_another_log_is_not_taken_over(digits, tmp_path):
    fit_scores(digits, tmp_path, [5.0, 1.0], 2)
    with pytest.warns(UserWarning, match="it is the best by .'score', 'min'"):
        _, checkpoint, _ = fit_scores(
            digits, tmp_path, [5.0, 1.0, 0.0], 3, mode="max"
        )
    assert checkpoint.restore_best() == 3


def test_what_is_best_follows_from_the_name(tmp_path):
    for name, mode in (
        ("loss", "min"),
        ("fd_mnist_lenet64_v1_1k", "min"),
        ("val_accuracy", "max"),
        ("recall_mnist_lenet64_v1_1k", "max"),
        ("precision_mnist_lenet64_v1_1k", "max"),
        ("coverage_mnist_lenet64_v1_1k", "max"),
        ("class_accuracy_mnist_lenet64_v1_1k", "max"),
        ("psnr_mnist_test_10k", "max"),
        ("copies_mnist_10k", "min"),
        ("density_mnist_lenet64_v1_1k", "max"),
        ("diversity_mnist_lenet64_v1_1k", "max"),
        ("modes_ring_2500", "max"),
        ("high_quality_ring_2500", "max"),
        ("kl_ring_2500", "min"),
        ("ssim_mnist_test_10k", "max"),
        ("cas_mnist_v1_10k", "max"),
        ("usage", "max"),
        ("perplexity", "max"),
    ):
        assert kg.callbacks.Checkpoint(tmp_path, monitor=name).mode == mode


def test_restore_best_before_fit(tmp_path):
    with pytest.raises(ValueError, match="needs the model"):
        kg.callbacks.Checkpoint(tmp_path, monitor="loss").restore_best()
