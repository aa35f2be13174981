"""Files that somebody changed to do harm, or that broke on the way."""

import json
import pickle
import struct

import h5py
import numpy as np
import pytest

import keras_gen as kg
from keras_gen.training.preset_files import plain_file
from tests.cases import CASES
from tests.presets import edit
from tests.presets import refused
from tests.presets import seal


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
    "name", ["../config.json", "/etc/passwd", "a/b", "..", "", ".x"]
)
def test_names_of_files_stay_in_the_folder(preset, name):
    with pytest.raises(ValueError, match="is not the name of a file"):
        plain_file(preset, name)
    path = preset / "card.json"
    card = json.loads(path.read_text())
    card["files"][name] = {"sha256": "", "size": 0}
    path.write_text(json.dumps(card))
    refused(preset, "is not the name of a file")


def test_pictures_are_those_of_the_card(preset):
    (preset / "samples.png").write_bytes(b"mine")
    card = json.loads((preset / "card.json").read_text())
    card["files"]["samples.png"] = {"sha256": "", "size": 4}
    (preset / "card.json").write_text(json.dumps(card))
    refused(preset, "samples.png is damaged: its SHA-256 is another")
    (preset / "samples.png").unlink()
    kg.from_preset(preset)


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


def _other_type(file):
    zeros = np.zeros(file[first_array(file)].shape, "f8")
    _replace(file, data=zeros, dtype="f8")


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


def _nan(file):
    file[first_array(file)][0, 0] = np.nan


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
        (_other_type, "does not fit its config.json"),
        (_extra, "does not fit its config.json"),
        (_less, "does not fit its config.json"),
        (_nan, "is not finite"),
    ],
)
def test_hostile_weights(preset, change, reason):
    change_weights(preset, change)
    refused(preset, reason)


def test_arrays_in_the_same_place(preset):
    """A small file could declare any number of weights."""
    path = preset / "model.weights.h5"
    with h5py.File(path) as file:
        offsets = []
        file.visititems(
            lambda _, item: (
                offsets.append(item.id.get_offset())
                if isinstance(item, h5py.Dataset) and item.nbytes >= 16
                else None
            )
        )
    first, second = (struct.pack("<Q", offset) for offset in offsets[:2])
    data = path.read_bytes()
    assert data.count(second) == 1
    path.write_bytes(data.replace(second, first))
    seal(preset)
    refused(preset, "overlaps another array")


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
            {
                "class_name": "Tile",
                "module": "keras.src.ops.numpy",
                "inbound_nodes": [
                    {
                        "args": [[1.0]],
                        "kwargs": {},
                        "note": {"class_name": "__keras_tensor__"},
                    }
                ],
            },
            "A preset may hold classes",
        ),
        (
            {
                "class_name": "Tile",
                "module": "keras.src.ops.numpy",
                "inbound_nodes": [
                    {"args": [["__keras_tensor__"]], "kwargs": {}}
                ],
            },
            "A preset may hold classes",
        ),
        (
            {"class_name": "NumpyTest", "module": "keras.src.ops.numpy_test"},
            "A preset may hold classes",
        ),
        ([{"num_steps": 2**26}], "may not hold the size 67108864"),
        ([{"kernel_size": [2**17, "131072"]}], "may not hold the size 131072"),
        (
            {"class_name": "os", "module": "keras.src.ops.numpy"},
            "A preset may hold classes",
        ),
    ],
)
@pytest.mark.parametrize("key", ["name", "seed"])
def test_hostile_values(preset, key, value, reason):
    if key == "seed" and isinstance(value, float):
        pytest.skip("seeds may be large")
    edit(preset, lambda d: d["config"].update({key: value}))
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
