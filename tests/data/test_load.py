import types

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.data import sources
from tests.cases import CASES
from tests.conftest import BACKEND
from tests.conftest import data_folder


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    whole = kg.data.load("digits", "all", 2000, shuffle=False)
    x, y = whole[0]
    assert x.shape == (1797, 8, 8, 1) and x.dtype == np.float32
    assert x.min() == -1 and x.max() == 1
    np.testing.assert_allclose((x[..., 0] + 1) * 8, load_digits().images)
    np.testing.assert_array_equal(y, load_digits().target)
    assert whole.num_classes == 10


def test_splits_are_disjoint_and_complete():
    sets = {
        split: kg.data.load("digits", split, 2000)[0][0]
        for split in ("train", "test", "all")
    }
    assert len(sets["train"]) == 1498 and len(sets["test"]) == 299
    rows = {
        split: {image.tobytes() for image in images}
        for split, images in sets.items()
    }
    assert not rows["train"] & rows["test"]
    assert rows["train"] | rows["test"] == rows["all"]


def test_order_follows_from_seed_and_epoch():
    x = np.arange(100, dtype="float32")[:, None]
    data = kg.data.ImageDataset(x, None, 32, seed=4)

    def epoch(e):
        data.set_epoch(e)
        return np.concatenate([data[i][0] for i in range(len(data))])[:, 0]

    for e in (0, 1, 5):
        expected = np.random.default_rng([4, e]).permutation(100)
        np.testing.assert_array_equal(epoch(e), expected)
    assert [len(data[i][0]) for i in range(4)] == [32, 32, 32, 4]
    with pytest.raises(IndexError):
        data[4]


def test_fit_sees_the_order_of_each_epoch(digits):
    """What arrives in the step is what (seed, epoch) says, also resumed."""

    class Spy(kg.data.ImageDataset):
        seen = []

        def __getitem__(self, index):
            self.seen.append((self.epoch, index))
            return super().__getitem__(index)

    data = Spy(digits.images, None, 32)
    CASES["vae"]().fit(data, epochs=4, initial_epoch=2, verbose=0)
    # TensorFlow looks ahead, so others may be among them; not so the order.
    wanted = [(e, i) for e in (2, 3) for i in range(3)]
    assert [s for s in data.seen if s in wanted][-6:] == wanted


def test_plain_keras_counts_epochs():
    x = np.arange(8, dtype="float32")[:, None]
    data = kg.data.ImageDataset(x, x[:, 0].astype("int32"), 4)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, epochs=3, verbose=0, shuffle=False)
    assert data.epoch >= 3


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_arrays(dtype):
    images = np.zeros((6, 4, 4), dtype)
    images[0] = 255 if dtype == "uint8" else 1
    data = kg.data.load((images, np.arange(6)), shuffle=False)
    x, y = data[0]
    assert x.shape == (6, 4, 4, 1) and x.dtype == np.float32
    assert x[0].min() == 1 and x[1].max() == (-1 if dtype == "uint8" else 0)
    np.testing.assert_array_equal(y, np.arange(6))
    assert len(kg.data.load(images, labels=False)[0]) == 1


def test_resize_and_grayscale():
    images = np.full((2, 8, 12, 3), [255, 0, 0], "uint8")
    data = kg.data.load(images, image_size=4, grayscale=True)
    x = data[0][0]
    assert x.shape == (2, 4, 4, 1)
    # ITU-R 601-2: a pure red is 0.299 white.
    np.testing.assert_allclose(x, 76 / 127.5 - 1, atol=1e-6)


@pytest.fixture
def pictures(tmp_path):
    for name, color in (("cats", "red"), ("dogs", "blue")):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (8, 6), color).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_folder_with_classes(pictures):
    x, y = kg.data.load(str(pictures), "all", shuffle=False)[0]
    assert x.shape == (6, 6, 8, 3)
    np.testing.assert_array_equal(y, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(x[0, 0, 0], [1, -1, -1])
    np.testing.assert_array_equal(x[5, 0, 0], [-1, -1, 1])


def test_a_split_knows_the_classes_of_the_whole(pictures):
    """Also of those of which it holds no picture."""
    (pictures / "emus").mkdir()
    Image.new("RGB", (8, 6)).save(pictures / "emus" / "0.png")
    held_out = []
    for split in ("train", "test"):
        data = kg.data.load(str(pictures), split)
        assert data.num_classes == 3
        assert data.class_names == ["cats", "dogs", "emus"]
        held_out.append(data.images)
    whole = kg.data.load(str(pictures), "all")
    assert len(held_out[1]) == 1 and len(held_out[0]) == 6
    both = np.concatenate(held_out).reshape(7, -1)
    assert sorted(map(tuple, both)) == sorted(
        map(tuple, whole.images.reshape(7, -1))
    )
    assert kg.data.load(str(pictures), labels=False).num_classes is None
    # What an archive leaves beside the classes would shift their numbers.
    (pictures / "__MACOSX").mkdir()
    with pytest.raises(ValueError, match="__MACOSX' holds no pictures"):
        kg.data.load(str(pictures))


def test_arrays_keep_their_classes_in_every_split():
    x, y = np.zeros((12, 4, 4, 1), "uint8"), [0] * 11 + [4]
    for split in ("train", "test", "all"):
        assert kg.data.load((x, y), split).num_classes == 5


def test_folder_without_classes_and_transparency(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    (x,) = kg.data.load(tmp_path)[0]
    assert x.shape == (1, 4, 4, 3) and x.min() == 1  # white


def test_photographs(tmp_path):
    """Turned as the camera was held; what macOS puts beside is no picture."""
    pixels = np.zeros((4, 6, 3), "uint8")
    pixels[0] = 255  # the upper edge, which the camera had on its right
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to look at it
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "a.png", exif=exif)
    (tmp_path / "._a.png").write_bytes(b"macOS")
    images = kg.data.load(str(tmp_path)).images
    assert images.shape == (1, 6, 4, 3)
    assert (images[0, :, -1] == 255).all() and not images[0, :, :-1].any()


def test_files_that_are_not_read_are_named(pictures):
    (pictures / "cats" / "1.png").rename(pictures / "cats" / "1.heic")
    with pytest.warns(UserWarning, match="not read: 1 .heic. Pictures end in"):
        assert len(kg.data.load(pictures, "all").images) == 5
    (pictures / "cats" / "1.heic").unlink()
    for suffix in ("tif", "avif"):
        Image.new("RGB", (8, 6), "red").save(pictures / f"cats/1.{suffix}")
    assert len(kg.data.load(pictures, "all").images) == 7


def test_splits_are_not_taken_for_classes(pictures):
    for name, split in (("cats", "train"), ("dogs", "Test")):
        (pictures / name).rename(pictures / split)
    with pytest.raises(ValueError, match="like splits and not like classes"):
        kg.data.load(pictures)
    # One of them may be the name of something.
    (pictures / "Test").rename(pictures / "plane")
    assert kg.data.load(pictures).class_names == ["plane", "train"]


def test_folder_errors(pictures, tmp_path):
    Image.new("RGB", (5, 5)).save(pictures / "cats" / "odd.png")
    with pytest.raises(ValueError, match="differ in size.*`image_size`"):
        kg.data.load(pictures, "all")
    assert kg.data.load(pictures, image_size=4).element_shape == (4, 4, 3)
    (pictures / "dogs" / "broken.png").write_bytes(b"\x89PNG not really")
    with pytest.raises(OSError, match="Cannot read the picture.*broken.png"):
        kg.data.load(pictures, "all", image_size=4)
    (pictures / "dogs" / "broken.png").unlink()
    deep = np.full((8, 6), 40_000, "uint16")
    Image.fromarray(deep).save(pictures / "dogs" / "deep.png")
    with pytest.raises(OSError, match="deep.png.*more than 8 bits"):
        kg.data.load(pictures, "all", image_size=4)
    (pictures / "dogs" / "deep.png").rename(pictures / "loose.png")
    with pytest.raises(ValueError, match="pictures beside the folders"):
        kg.data.load(pictures, image_size=4)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds no pictures"):
        kg.data.load(empty)
    with pytest.raises(ValueError, match="There is no folder"):
        kg.data.load("no/such/folder")


@pytest.mark.parametrize(
    "source, arguments, message",
    [
        (np.zeros((3, 4, 4, 2), "uint8"), {}, "channels last"),
        (np.zeros((0, 4, 4, 1), "uint8"), {}, "has 0 examples"),
        (np.full((3, 4, 4, 1), 9.0), {}, r"Received values in \[9, 9\]"),
        (np.zeros((3, 4, 4, 1), "int64"), {}, "Received: dtype=int64"),
        (np.zeros((3, 4, 4, 1), "uint8"), {"batch_size": 0}, "at least 1"),
        (np.zeros((3, 4, 4, 1), "uint8"), {"image_size": 0}, "`image_size`"),
        ("digits", {"split": "dev"}, "`split` must be one of"),
        (
            (np.zeros((3, 4, 4, 1), "uint8"), np.zeros(2, "int64")),
            {"split": "train"},
            r"shape=\(2,\) for 3 images",
        ),
        (
            (np.zeros((3, 4, 4, 1), "uint8"), np.eye(3, dtype="int64")),
            {},
            "Labels must be integers, one for each image",
        ),
        (
            (np.zeros((3, 4, 4, 1), "uint8"), np.ones(3)),
            {},
            "Received: dtype=float64",
        ),
        (np.full((3, 4, 4, 1), 9.0), {"image_size": 2}, r"in \[9, 9\]"),
        (np.zeros((3, 4, 4, 1), "int64"), {"image_size": 2}, "dtype=int64"),
        (np.eye(4, dtype="uint8")[None], {}, "multiply by 255"),
        (np.zeros((64, 48, 3), "uint8"), {}, "like one picture"),
        (np.full((3, 4, 4, 1), np.nan), {"image_size": 2}, "NaN"),
        ("digits", {"image_size": 16.0}, "`image_size`"),
        ("digits", {"seed": -1}, "`seed` must be at least 0"),
        ("ring", {"image_size": 16}, "image_size.* do not apply to ring"),
        ("ring", {"binarize": True}, "binarize.* do not apply to ring"),
        ("stacked_mnist", {"grayscale": True}, "do not apply to stacked"),
        (iter([]), {"split": "test"}, "handed on as it is"),
    ],
)
def test_errors(source, arguments, message):
    with pytest.raises(ValueError, match=message):
        kg.data.load(source, **arguments)


def test_other_data_passes_through():
    def batches():
        yield np.zeros((2, 8, 8, 1))

    source = batches()
    assert kg.data.load(source) is source


def test_unknown_data_set():
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError, match="Unknown data set 'mnits'.*mnist"):
        kg.data.load("mnits")


def test_what_tfds_may_hold_or_say(monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = types.SimpleNamespace(
        info=types.SimpleNamespace(features={"image": None}),
        is_prepared=lambda: True,
        as_dataset=lambda **_: [{"image": np.eye(4, dtype="uint8")[..., None]}],
    )
    monkeypatch.setattr(tfds, "builder", lambda *_, **__: builder)
    monkeypatch.setattr(tfds, "as_numpy", lambda rows: rows)
    # Black and white as 0 and 1, as in binarized_mnist.
    images = kg.data.load("binarized_mnist").images
    np.testing.assert_array_equal(images[0, ..., 0], 255 * np.eye(4))

    def fail():
        raise AssertionError("Manual download required.")

    builder.is_prepared, builder.download_and_prepare = lambda: False, fail
    with pytest.raises(OSError, match="prepare 'imagenet2012': Manual"):
        kg.data.load("imagenet2012")


@pytest.mark.parametrize("as_floats", [False, True])
def test_pictures_are_cut_to_the_middle(as_floats):
    """And not squeezed: white, black, black, white in columns of two."""
    columns = np.repeat([255, 0, 0, 255], 2).astype("uint8")
    x = np.broadcast_to(columns[:, None], (1, 4, 8, 1)).copy()
    if as_floats:
        x = x.astype("float32") / 127.5 - 1
    middle = kg.data.load(x, image_size=4)[0]
    np.testing.assert_array_equal(middle[0], np.full((1, 4, 4, 1), -1))
    assert kg.data.load(x, image_size=(2, 4)).element_shape == (2, 4, 1)


def test_labels_number_classes():
    x = np.zeros((2, 4, 4), "uint8") + np.uint8(9)
    with pytest.raises(ValueError, match="number the classes.*1,500,000,000"):
        kg.data.load((x, np.array([3, 1_500_000_000])), split="all")
    with pytest.raises(ValueError, match=r"number the classes.*\[-1, 1\]"):
        kg.data.load((x, np.array([-1, 1])), split="all")


def test_mnist_through_tfds():
    pytest.importorskip("tensorflow_datasets")
    data_dir = data_folder("tfds")
    train = kg.data.load("mnist", data_dir=data_dir, shuffle=False)
    assert train.images.shape == (60_000, 28, 28, 1)
    assert train.images.dtype == np.uint8
    # The published mean and class counts; TFDS shuffles when it prepares.
    assert abs(train.images.mean() - 33.318) < 1e-3
    assert np.bincount(train.labels).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    test = kg.data.load("mnist", "test[:10]", data_dir=data_dir)
    assert len(test.images) == 10 and not test.shuffle


def test_tfds_data_dir_variable_resize_and_gray(monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    # TFDS reads the variable when it is imported, so ask a fresh process.
    import os
    import subprocess
    import sys

    code = (
        "import keras_gen as kg\n"
        "d = kg.data.load('cifar10', 'test[:20]', image_size=16, "
        "grayscale=True)\n"
        "print(d[0][0].shape, d.num_classes is not None)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TFDS_DATA_DIR": str(data_folder("tfds"))},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "(20, 16, 16, 1) True" in output


def test_digits_arrays_and_folders_do_not_import_tensorflow(pictures):
    if BACKEND == "tensorflow":
        pytest.skip("this backend is TensorFlow")
    import os
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import keras_gen as kg, numpy as np\n"
        "kg.data.load('digits')[0]\n"
        f"kg.data.load({str(pictures)!r})[0]\n"
        "kg.data.load(np.zeros((3, 4, 4), 'uint8'))[0]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_binary_pixels_are_drawn_anew_each_epoch():
    grey = np.full((400, 4, 4, 1), 64, "uint8")
    data = kg.data.load(grey, batch_size=400, shuffle=True, binarize=True)
    (first,) = data[0]
    assert set(np.unique(first)) == {-1.0, 1.0}
    assert abs((first > 0).mean() - 64 / 255) < 5 * 0.43 / 80
    np.testing.assert_array_equal(first, data[0][0])
    data.set_epoch(1)
    assert (data[0][0] != first).any()
    data.set_epoch(0)
    np.testing.assert_array_equal(first, data[0][0])
    # Test data stay alike.
    fixed = kg.data.load(grey, batch_size=400, shuffle=False, binarize=True)
    (first,) = fixed[0]
    fixed.set_epoch(1)
    np.testing.assert_array_equal(first, fixed[0][0])
    # Black and white stay what they are.
    ends = np.repeat(np.array([0, 255], "uint8"), 8).reshape(1, 4, 4, 1)
    (x,) = kg.data.load(ends, binarize=True)[0]
    np.testing.assert_array_equal(x, ends / 127.5 - 1)
    with pytest.raises(ValueError, match="`binarize=True` needs grey values"):
        kg.data.ImageDataset(np.zeros((2, 4, 4, 1), "int32"), binarize=True)


def test_a_folder_named_as_a_data_set(tmp_path, monkeypatch):
    """Where nothing is in it to load, it is not meant."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets" / "train" / "cats").mkdir(parents=True)
    with pytest.raises(ValueError, match="Pass one of them, .* 'pets/train'"):
        kg.data.load("pets")
    for name in ("ring", "nothing"):
        (tmp_path / name).mkdir()
    assert kg.data.load("ring").element_shape == (2,)
    with pytest.raises((ValueError, ImportError), match="'nothing'"):
        kg.data.load("nothing")
    Image.new("L", (4, 4)).save(tmp_path / "nothing" / "0.png")
    assert kg.data.load("nothing").element_shape == (4, 4, 3)
    (tmp_path / "nothing" / "run.json").touch()  # of a training, its pictures
    with pytest.raises((ValueError, ImportError), match="'nothing'"):
        kg.data.load("nothing")


def test_tfds_names_with_a_configuration():
    pytest.importorskip("tensorflow_datasets")
    assert sources.known_to_tfds("emnist/letters")
    assert not sources.known_to_tfds("no/such/folder")
