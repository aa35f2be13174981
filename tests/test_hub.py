import hashlib
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import h5py
import keras
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.training.preset_files import plain_file
from tests.cases import CASES


@pytest.fixture
def preset(tmp_path):
    CASES["vae"]().save_to_preset(tmp_path / "vae")
    return tmp_path / "vae"


def edit(preset, change):
    """Change the configuration, as one who can change the card as well."""
    path = preset / "config.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    seal(preset)


def seal(preset):
    """Make the digests of the card those of the files."""
    card = json.loads((preset / "card.json").read_text())
    for name in card["files"]:
        data = (preset / name).read_bytes()
        card["files"][name] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    (preset / "card.json").write_text(json.dumps(card))


def test_no_optimizer_is_written(tmp_path, digits):
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


def refused(preset, reason):
    with pytest.raises(ValueError, match=reason) as error:
        kg.from_preset(preset)
    assert "\n" not in str(error.value)
    assert "is refused: " in str(error.value)


def test_damaged_files(preset):
    weights = preset / "model.weights.h5"
    data = weights.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    weights.write_bytes(flipped)
    refused(preset, "model.weights.h5 is damaged: its SHA-256 is another")
    weights.write_bytes(data[:100])
    refused(preset, "model.weights.h5 is damaged: it has 100 bytes, not")
    seal(preset)
    refused(preset, "open file")  # h5py's own words
    weights.unlink()
    refused(preset, "model.weights.h5 is missing")
    weights.write_bytes(data)
    (preset / "config.json").write_text("{")
    refused(preset, "config.json is damaged")
    seal(preset)
    refused(preset, "config.json is damaged")


def test_cards_without_digests(preset):
    path = preset / "card.json"
    card = json.loads(path.read_text())
    for files in (None, [], {}, {"config.json": card["files"]["config.json"]}):
        path.write_text(json.dumps({**card, "files": files}))
        refused(preset, "card.json has no digest of")
    path.unlink()
    refused(preset, "card.json is missing")


@pytest.mark.parametrize(
    "text", ['{"a":' * 5000, "[" * 10**6, "[]", " " * 2**23]
)
@pytest.mark.parametrize("name", ["card.json", "config.json"])
def test_json_bombs(preset, name, text):
    (preset / name).write_text(text)
    if name != "card.json":
        seal(preset)
    refused(preset, f"{name} is (damaged|larger)")


def test_links_lead_nowhere(preset, tmp_path):
    for name in ("config.json", "model.weights.h5", "card.json"):
        outside = tmp_path / name
        (preset / name).rename(outside)
        (preset / name).symlink_to(outside)
        refused(preset, f"{name} is a link")
        (preset / name).unlink()
        outside.rename(preset / name)
    kg.from_preset(preset)


@pytest.mark.parametrize(
    "name", ["../config.json", "/etc/passwd", "a/b", "..", "", ".x", 3]
)
def test_names_of_files_stay_in_the_folder(preset, name):
    with pytest.raises(ValueError, match="is not the name of a file"):
        plain_file(preset, name)


def change_weights(preset, change):
    with h5py.File(preset / "model.weights.h5", "r+") as file:
        change(file)
    seal(preset)


def first_array(file):
    """Return the name of an array in a file of weights."""
    names = []
    file.visititems(
        lambda name, item: (
            names.append(name)
            if isinstance(item, h5py.Dataset) and item.ndim == 2
            else None
        )
    )
    return names[0]


def _external_link(file):
    name = first_array(file)
    del file[name]
    file[name] = h5py.ExternalLink("/etc/other.h5", "/secret")


def _soft_link(file):
    name = first_array(file)
    del file[name]
    file[name] = h5py.SoftLink("/elsewhere")


def _replace(file, **arguments):
    name = first_array(file)
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, **{"shape": shape, "dtype": "f4", **arguments})


def _virtual(file):
    name = first_array(file)
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", shape)
    file.create_virtual_dataset(name, layout)


def _external_storage(file):
    _replace(file, external=[("other.raw", 0, h5py.h5f.UNLIMITED)])


def _giant(file):
    _replace(file, shape=(2**40, 4))


def _chunked(file):
    _replace(file, shape=(2**40, 4), chunks=(1, 4))


def _other_shape(file):
    shape = file[first_array(file)].shape
    _replace(file, data=np.zeros((shape[0] + 1, shape[1]), "f4"), shape=None)


def _extra(file):
    file["extra"] = np.zeros(3, "f4")


def _less(file):
    del file[first_array(file)]


def _cycle(file):
    for name in "abc":
        file.create_group(f"{name}/x")
        file[f"{name}/y"] = file[f"{name}/x"]


def _shared(file):
    file["again"] = file[first_array(file)]


def _no_shape(file):
    _replace(file, data=h5py.Empty("f4"), shape=None)


def _text(file):
    _replace(file, data=[b"x"], shape=None, dtype="S1")


@pytest.mark.parametrize(
    "change, reason",
    [
        (_external_link, "is a link"),
        (_soft_link, "is a link"),
        (_virtual, "lies in another file"),
        (_external_storage, "lies in another file"),
        (_giant, "is declared larger than it is"),
        (_chunked, "is not a plain array"),
        (_text, "is not a plain array"),
        (_cycle, "is there twice"),
        (_shared, "is there twice"),
        (_no_shape, "has no shape"),
        (_other_shape, "does not fit its config.json"),
        (_extra, "does not fit its config.json"),
        (_less, "does not fit its config.json"),
    ],
)
def test_hostile_weights(preset, change, reason):
    change_weights(preset, change)
    refused(preset, reason)


def test_a_pickle_in_place_of_weights(preset):
    (preset / "model.weights.h5").write_bytes(pickle.dumps(print))
    seal(preset)
    refused(preset, "open file")


def test_giant_networks_are_not_built(preset):
    """They would take all memory before the file of weights is looked at."""

    def widen(value):
        if isinstance(value, dict):
            for key in value:
                if key == "units":
                    value[key] = 10_000_000
                widen(value[key])
        elif isinstance(value, list):
            for item in value:
                widen(item)

    edit(preset, lambda d: widen(d["config"]["decoder"]))
    refused(preset, "declares more weights than model.weights.h5 holds")
    edit(preset, lambda d: d["config"].update(name=[10**12]))
    refused(preset, "may not hold the size 1000000000000")


def test_unknown_model_class(preset):
    edit(preset, lambda d: d.update({"class": "Model"}))
    refused(preset, "Unknown model class 'Model'")
    edit(preset, lambda d: d.update({"class": "os.system"}))
    refused(preset, "Unknown model class")
    edit(preset, lambda d: d.pop("class"))
    refused(preset, "Unknown model class None")


def test_weights_of_another_model(preset, tmp_path):
    CASES["gan"]().save_to_preset(tmp_path / "gan")
    weights = (tmp_path / "gan" / "model.weights.h5").read_bytes()
    (preset / "model.weights.h5").write_bytes(weights)
    refused(preset, "is damaged")
    seal(preset)
    refused(preset, "does not fit")


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
    refused(preset, "damaged")


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
    edit(preset, lambda d: d["config"].update(ema_decay=[1]))
    refused(preset, "does not describe a VAE")
    edit(preset, lambda d: d["config"].update(ema_decay=2))
    refused(preset, r"`ema_decay` must be in \[0, 1\)")
    edit(preset, lambda d: d["config"].update(ema_decay=None))
    edit(preset, lambda d: d["config"].pop("encoder"))
    refused(preset, "does not describe a VAE")
    edit(preset, lambda d: d.update({"config": None}))
    refused(preset, "'config' must be a dict")


@pytest.mark.parametrize(
    "value, reason",
    [
        ({"class_name": "Lambda", "module": "keras.layers"}, "hold 'Lambda'"),
        ({"class_name": "__tuple__", "module": "x"}, "hold '__tuple__'"),
        ({"class_name": "__keras_tensor__", "x": 1}, "hold '__keras_tensor__'"),
        ("other>Evil", "may not hold 'other>Evil'"),
        ([{"compile_config": {}}], "may not hold optimizers"),
        (2.0**40, "may not hold the size"),
        ([str(2**40)], "may not hold the size"),
        (
            [
                "x",
                [{"class_name": "Zeros", "module": "keras.initializers"}]
                * 9000,
            ],
            "that many layers",
        ),
        (
            {
                "class_name": "Tile",
                "module": "keras.src.ops.numpy",
                "inbound_nodes": [{"args": [[1.0]], "kwargs": {}}],
            },
            "A preset may hold classes",
        ),
        (
            {"class_name": "os", "module": "keras.src.ops.numpy"},
            "A preset may hold classes",
        ),
    ],
)
@pytest.mark.parametrize("key", ["name", "seed"])
def test_hostile_values(preset, key, value, reason):
    edit(preset, lambda d: d["config"].update({key: value}))
    if not (key == "seed" and isinstance(value, float)):
        refused(preset, reason)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "x", "registered_name": "keras_gen>x"},
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"class_name": "__lambda__", "config": {"value": "x"}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {}},
        {"module": "keras.utils", "class_name": "get_file", "config": {}},
        {"module": "keras.layers", "class_name": "add", "config": {}},
        {"module": "keras_gen.cli", "class_name": "main", "config": {}},
        {"module": "keras.layers", "registered_name": "other>Layer"},
    ],
)
def test_classes_from_elsewhere_are_refused(preset, layer):
    edit(preset, lambda d: d["config"]["encoder"].update(layer))
    refused(preset, "A preset may")


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


# Names, overrides, averages.


def test_built_in_presets_have_names():
    cards = kg.list_presets()
    assert "vae_mnist" in cards
    assert kg.models.VAE.presets.keys() == {
        name for name, card in cards.items() if card["class"] == "VAE"
    }
    model = kg.models.VAE.from_preset("vae_mnist")
    assert type(model) is kg.models.VAE
    with pytest.raises(ValueError, match="holds a VAE, which is no GAN"):
        kg.models.GAN.from_preset("vae_mnist")
    with pytest.raises(ValueError, match="Did you mean 'vae_mnist'"):
        kg.from_preset("vea_mnist")


def test_the_averaged_weights_are_written(tmp_path, digits):
    model = CASES["conditional_vae"]()
    model.fit(digits, verbose=0)
    model.save_to_preset(tmp_path / "vae")
    loaded = kg.from_preset(tmp_path / "vae")
    assert loaded.ema_decay == model.ema_decay == 0.9
    expected = model.generate(3, labels=1, seed=0)
    assert (model.generate(3, 1, seed=0, use_ema=False) != expected).any()
    for use_ema in (None, False, True):
        np.testing.assert_array_equal(
            loaded.generate(3, labels=1, seed=0, use_ema=use_ema), expected
        )


def test_arguments_can_be_replaced(preset):
    model = kg.from_preset(preset)
    other = kg.from_preset(preset, ema_decay=0.5, beta=4.0)
    assert (other.ema_decay, other.beta) == (0.5, 4.0)
    expected = model.generate(3, seed=0)
    for use_ema in (True, False):
        np.testing.assert_array_equal(
            other.generate(3, seed=0, use_ema=use_ema), expected
        )
    decoder = kg.nets.dense_decoder((8, 8, 1), model.noise_shape[0], (5,))
    for load_weights in (True, False):
        other = kg.from_preset(preset, load_weights, decoder=decoder)
        assert other.decoder is decoder
        x = np.ones((1, 8, 8, 1), "float32")
        same = np.array_equal(other.encode(x), model.encode(x))
        assert same == load_weights
    with pytest.raises(ValueError, match="latent|decoder"):
        wrong = kg.nets.dense_decoder((8, 8, 1), 7, (5,))
        kg.from_preset(preset, decoder=wrong)
    with pytest.raises(ValueError, match=r"has no arguments \['betta'\]"):
        kg.from_preset(preset, betta=2.0)


def test_random_states_are_not_those_of_the_file(preset):
    keras.utils.set_random_seed(3)
    states = [
        kg.from_preset(preset).seed_generator.state.numpy() for _ in range(2)
    ]
    assert not np.array_equal(*states)
    CASES["vae"]().save_to_preset(preset)
    with h5py.File(preset / "model.weights.h5") as file:
        assert not np.any(file["vars/seed_0"])


def test_only_our_models_are_written(tmp_path):
    class Mine(kg.models.VAE):
        pass

    model = CASES["vae"]()
    with pytest.raises(ValueError, match="Unknown model class 'Mine'"):
        Mine(model.encoder, model.decoder).save_to_preset(tmp_path / "mine")
    with pytest.raises(TypeError, match="JSON"):
        model.save_to_preset(tmp_path / "card", {"nll": np.float32(1)})
    assert not list(tmp_path.iterdir())


def test_threads_load_beside_each_other(preset):
    add_weight = keras.layers.Layer.add_weight
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(kg.from_preset, [preset] * 8))
    assert keras.layers.Layer.add_weight is add_weight
    for model in models[1:]:
        np.testing.assert_array_equal(
            model.generate(1, seed=0), models[0].generate(1, seed=0)
        )


def test_what_is_no_name():
    for preset in (None, 5, b"x", ""):
        with pytest.raises(ValueError, match="`preset` must be a name"):
            kg.from_preset(preset)


def test_without_weights_the_architecture_is_new(preset):
    a, b = (kg.from_preset(preset, load_weights=False) for _ in range(2))
    assert (a.generate(1, seed=0) != b.generate(1, seed=0)).any()
