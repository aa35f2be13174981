import json

import keras
import numpy as np
import pytest

import keras_gen as kg
from tests.cases import CASES


@pytest.fixture
def preset(tmp_path):
    CASES["vae"]().save_to_preset(tmp_path / "vae")
    return tmp_path / "vae"


def edit(preset, change):
    path = preset / "config.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def test_no_optimizer_is_written(tmp_path, digits):
    import h5py

    model = CASES["gan"]()
    model.fit(digits, verbose=0)
    model.save_to_preset(tmp_path / "gan")
    with h5py.File(tmp_path / "gan" / "model.weights.h5") as file:
        assert "optimizer" not in file


def test_saving_again_replaces(preset):
    before = kg.from_preset(preset).generate(1, seed=0)
    CASES["vae"]().save_to_preset(preset)
    assert (kg.from_preset(preset).generate(1, seed=0) != before).any()
    assert len(list(preset.parent.iterdir())) == 1


def test_missing_folder():
    with pytest.raises(ValueError, match="There is no preset in 'nowhere'"):
        kg.from_preset("nowhere")


def test_damaged_files(preset):
    weights = preset / "model.weights.h5"
    data = weights.read_bytes()
    weights.write_bytes(data[:100])
    with pytest.raises(ValueError, match="model.weights.h5.*damaged"):
        kg.from_preset(preset)
    (preset / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json.*damaged"):
        kg.from_preset(preset)


def test_unknown_model_class(preset):
    edit(preset, lambda d: d.update({"class": "Model"}))
    with pytest.raises(ValueError, match="Unknown model class 'Model'"):
        kg.from_preset(preset)


def test_weights_of_another_model(preset, tmp_path):
    CASES["gan"]().save_to_preset(tmp_path / "gan")
    weights = (tmp_path / "gan" / "model.weights.h5").read_bytes()
    (preset / "model.weights.h5").write_bytes(weights)
    with pytest.raises(ValueError, match="does not fit"):
        kg.from_preset(preset)


def test_other_files_in_the_folder_stay(preset, tmp_path):
    model = CASES["vae"]()
    (preset / "train.py").write_text("epochs = 7")
    (preset / "runs").mkdir()
    log = open(preset / "train.log", "w")
    model.save_to_preset(preset)
    assert (preset / "train.py").read_text() == "epochs = 7"
    print("nll 88.2", file=log, flush=True)  # the file is still the same
    log.close()
    assert (preset / "train.log").read_text() == "nll 88.2\n"
    assert (preset / "runs").is_dir()
    np.testing.assert_array_equal(
        kg.from_preset(preset).generate(1, seed=0), model.generate(1, seed=0)
    )
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "train.py").write_text("epochs = 8")
    model.save_to_preset(tmp_path / "new")
    assert (tmp_path / "new" / "train.py").read_text() == "epochs = 8"
    kg.from_preset(tmp_path / "new")


def test_weights_and_configuration_of_two_saves(preset):
    """As after a crash between the two files: shapes fit, values do not."""
    before = (preset / "config.json").read_bytes()
    CASES["vae"]().save_to_preset(preset)
    (preset / "config.json").write_bytes(before)
    with pytest.raises(ValueError, match="damaged.*SHA-256 is another"):
        kg.from_preset(preset)


def test_what_is_no_preset_is_not_replaced(preset, tmp_path):
    model = CASES["vae"]()
    (tmp_path / "note").write_text("")
    for name, text in (("tool", '{"theme": "dark"}'), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
        (tmp_path / name / "model.weights.h5").write_text("")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    for name in ("note", "tool", "broken", "half"):
        with pytest.raises(ValueError, match="exists and is not a preset"):
            model.save_to_preset(tmp_path / name)
    assert "dark" in (tmp_path / "tool" / "config.json").read_text()


def test_a_failed_replacement_keeps_the_old_preset(preset, monkeypatch):
    import os

    before = kg.from_preset(preset).generate(1, seed=0)
    replace, calls = os.replace, []

    def fail_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("no")
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail_second)
        with pytest.raises(OSError, match="no"):
            CASES["vae"]().save_to_preset(preset)
    assert (kg.from_preset(preset).generate(1, seed=0) == before).all()
    assert [p.name for p in preset.parent.iterdir()] == ["vae"]


def test_configurations_that_do_not_fit_the_class(preset):
    edit(preset, lambda d: d["config"].pop("encoder"))
    with pytest.raises(ValueError, match="does not describe a VAE"):
        kg.from_preset(preset)
    edit(preset, lambda d: d.update({"config": None}))
    with pytest.raises(ValueError, match="'config' must be a dict"):
        kg.from_preset(preset)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "x", "registered_name": "keras_gen>x"},
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"class_name": "__lambda__", "config": {"value": "x"}},
    ],
)
def test_classes_from_elsewhere_are_refused(preset, layer):
    edit(preset, lambda d: d["config"]["encoder"].update(layer))
    with pytest.raises(ValueError, match="A preset may"):
        kg.from_preset(preset)


def test_a_network_that_could_not_be_read_back_is_not_written(tmp_path):
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    decoder = kg.nets.dense_decoder((8, 8, 1), 2, units=(4,))
    own = keras.Sequential([keras.Input((2,)), Mine(), decoder])
    model = kg.models.VAE(
        kg.nets.dense_encoder((8, 8, 1), 2, outputs=2, units=(4,)), own
    )
    with pytest.raises(ValueError, match="classes of Keras and keras_gen"):
        model.save_to_preset(tmp_path / "own")
    assert not (tmp_path / "own").exists()
