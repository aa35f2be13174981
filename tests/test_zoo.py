"""Every entry of the zoo loads and draws, on every backend."""

import json
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.entries import Entry
from keras_gen.entries import statistics
from keras_gen.training.preset_files import check_file
from tests.cases import CASES
from tests.conftest import data_folder

ZOO = Path(__file__).resolve().parents[1] / "zoo"
CARDS = kg.list_presets()


def test_every_preset_is_listed():
    assert sorted(CARDS) == sorted(p.parent.name for p in ZOO.glob("*/*.h5"))


@pytest.mark.parametrize("name", CARDS)
def test_an_entry_draws_what_it_drew(name):
    """Mean and deviation are those of the machine that trained it."""
    model, card = kg.from_preset(name), CARDS[name]
    found, expected = statistics(model), card["statistics"]
    assert expected["std"] > 0.1
    for key, value in expected.items():
        # A code on the verge may fall to the other side on another backend.
        np.testing.assert_allclose(found[key], value, atol=2e-3, err_msg=key)


@pytest.mark.parametrize("name", CARDS)
def test_an_entry_is_whole(name):
    card = CARDS[name]
    assert {"config.json", "model.weights.h5", "samples.png"} <= set(
        card["files"]
    )
    for file in card["files"]:
        check_file(ZOO / name, card, file)
    assert card["class"] in kg.models.__all__
    assert card["metrics"] and card["licence"] and card["limits"]
    assert card["command"] and card["versions"] and card["hardware"]
    assert isinstance(card["seed"], int) and card["epochs"]
    for figure in card["metrics"]:
        assert np.isfinite(figure["value"]) and figure["protocol"]
    recipe = (ZOO / name / "train.py").read_text()
    assert len(recipe.splitlines()) <= 75


def test_recorded_figures_are_found_again():
    """Those that take seconds; `tests.benchmarks.zoo figures` has more."""
    pytest.importorskip("tensorflow_datasets")
    folder = str(data_folder("tfds"))
    x = kg.data.load(
        "mnist", "test", labels=False, batch_size=10_000, data_dir=folder
    )[0][0]
    for name, figure, unit in (
        ("autoencoder_mnist", "squared error, 32 latents", 1.0),
        # The published deviation of the pixels of MNIST.
        ("vqvae_mnist", "squared error over variance", 0.3081**2),
    ):
        [value] = [
            metric["value"]
            for metric in CARDS[name]["metrics"]
            if metric["name"] == figure
        ]
        error = kg.metrics.mean_squared_error(
            x, kg.from_preset(name).reconstruct(x)
        )
        assert error / unit == pytest.approx(value, rel=5e-3)


def test_an_entry_learns_from_other_pictures(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(12):
        image = Image.fromarray(rng.integers(0, 256, (20, 24, 3), "uint8"))
        image.save(pictures / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fine_tune.py", str(pictures)])
    runpy.run_path(str(ZOO.parent / "examples" / "fine_tune.py"))
    with Image.open(tmp_path / "runs" / "tuned.png") as picture:
        shown = np.asarray(picture).astype(int)
    tuned = kg.from_preset(tmp_path / "runs" / "tuned")
    expected = kg.pictures.to_grid(tuned.generate(64, seed=0)).astype(int)
    assert np.abs(shown - expected).max() <= 1
    before = kg.from_preset("beta_vae_mnist")
    assert not np.array_equal(before.get_weights()[0], tuned.get_weights()[0])


def test_a_trial_leaves_the_entry_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = ZOO / "vae_mnist" / "train.py"
    for arguments, folder in (
        ([], script.parent),
        (["--epochs", "1"], Path("runs") / "vae_mnist_trial"),
        (["--epochs", "1", "--out", "elsewhere"], Path("elsewhere")),
    ):
        monkeypatch.setattr("sys.argv", [str(script), *arguments])
        assert Entry(script, "mnist").folder == folder
    with pytest.raises(ValueError, match="Unknown data set 'letters': its lic"):
        Entry(script, "letters")


def test_the_time_before_an_interruption_counts(digits, tmp_path, monkeypatch):
    """100 seconds an epoch; interrupted in the third, 50 seconds into it."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    script = ZOO / "vae_mnist" / "train.py"
    arguments = [str(script), "--epochs", "4", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)

    class Clock(keras.callbacks.Callback):
        interrupts = True

        def on_epoch_begin(self, epoch, logs=None):
            if self.interrupts and epoch == 2:
                now[0] += 50
                raise KeyboardInterrupt

        def on_epoch_end(self, epoch, logs=None):
            now[0] += 100

    def run():
        keras.utils.set_random_seed(0)
        entry, model = Entry(script, "mnist"), CASES["vae"]()
        entry.fit(model, digits, 9, 1e-3, callbacks=[Clock()])
        entry.save(model, model.generate(4, seed=0), columns=2)

    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.setattr(Clock, "interrupts", False)
    run()
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["epochs"] == [4] and card["seconds"] == 400


def test_the_zoo_is_small():
    size = sum(path.stat().st_size for path in ZOO.rglob("*.*"))
    assert size < 50e6


def test_the_pages_show_the_cards():
    """If not: python zoo/readme.py"""
    script = runpy.run_path(str(ZOO / "readme.py"))
    for page, tables in script["PAGES"].items():
        text = page.read_text()
        assert script["renewed"](text, tables) == text, page
