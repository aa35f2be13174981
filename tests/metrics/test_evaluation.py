"""`evaluate` on stand-ins for models, whose samples are known."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.metrics import measures
from keras_gen.metrics.classifiers import classification_accuracy_score
from keras_gen.metrics.evaluation import Evaluation
from keras_gen.metrics.evaluation import _shuffled
from keras_gen.metrics.evaluation import pca_gaussian
from tests.cases import CASES

TEST = _shuffled(kg.data.load("digits", "test"))
TRAIN = _shuffled(kg.data.load("digits", "train"))


class Fixed:
    """Generate the images it was given, in turn."""

    num_classes = None

    def __init__(self, images):
        self.images = np.asarray(images)

    def generate(self, num_samples, seed=None):
        return np.resize(self.images, (num_samples, *self.images.shape[1:]))


class Short(Fixed):
    """Generate 7 images, however many are asked for."""

    def generate(self, num_samples, seed=None):
        return self.images[:7]


class Conditional:
    """Generate real test images of the classes it is asked for."""

    num_classes = 10

    def __init__(self, shift=0):
        self.shift = shift

    def generate(self, num_samples, labels, seed=None):
        rng = np.random.default_rng(seed)
        x, y = TEST
        rows = [
            rng.choice(np.flatnonzero(y == (c + self.shift) % 10))
            for c in labels
        ]
        return x[rows]


class Noise:
    num_classes = None

    def generate(self, num_samples, seed=None):
        rng = np.random.default_rng(seed)
        return rng.uniform(-1, 1, (num_samples, 8, 8, 1))


def evaluate(model, *args, **kwargs):
    return kg.evaluate(model, *args, verbose=False, **kwargs)


def test_a_model_of_test_images_scores_as_they_do():
    values = evaluate(Fixed(TEST[0]), "digits", repeats=2)
    names = [key for key in values if "/" not in key]
    assert "diversity_digits_lenet64_v1_299" in names
    assert "fd_digits_lenet64_v1_299" in names
    assert "coverage_digits_lenet64_v1_299" in names
    assert "copies_digits_pca64_299" in names
    assert not any(name.startswith("kd") for name in names)
    for name in names:
        assert values[name] == pytest.approx(values[f"real_test/{name}"])
        assert values[f"std/{name}"] == 0
        assert f"pca_gaussian/{name}" in values
        assert f"real_train/{name}" in values


def test_order_does_not_matter():
    metrics = ["fd", "precision_recall", "density_coverage", "copies"]
    first = evaluate(Fixed(TEST[0]), "digits", metrics=metrics, repeats=1)
    again = evaluate(Fixed(TEST[0][::-1]), "digits", metrics=metrics, repeats=1)
    for key, value in first.items():
        # Distances between digits tie, and rounding decides these two.
        near = 4e-3 if "_z_" in key or "authentic" in key else 1e-6
        assert again[key] == pytest.approx(value, abs=near), key


def test_copies_are_seen():
    values = evaluate(Fixed(TRAIN[0]), "digits", metrics="copies", repeats=1)
    assert values["copies_digits_pca64_299"] == 1
    assert values["authentic_digits_pca64_299"] == 0
    assert values["copies_z_digits_pca64_299"] < -15


def test_the_real_floor_leaves_its_own_images_out():
    values = evaluate(
        Fixed(TEST[0]), "digits", num_samples=700, metrics="fd", repeats=1
    )
    classifier = kg.metrics.Classifier("digits_lenet64_v1")
    own, rest = classifier(TRAIN[0][:700])[0], classifier(TRAIN[0][700:])[0]
    expected = kg.metrics.frechet_distance(rest, own)
    name = "fd_digits_lenet64_v1_700"
    assert values[f"real_train/{name}"] == pytest.approx(expected, abs=1e-6)
    # There are not 700 test images: the name says how many there are.
    assert f"real_test/{name}" not in values
    assert "real_test/fd_digits_lenet64_v1_299" in values


def test_deviation_is_over_the_seeds():
    options = {"num_samples": 100, "metrics": "fd"}
    name = "fd_digits_lenet64_v1_100"
    both = evaluate(Noise(), "digits", seed=4, repeats=2, **options)
    single = [
        evaluate(Noise(), "digits", seed=s, repeats=1, **options)
        for s in (4, 5)
    ]
    values = [v[name] for v in single]
    assert both[name] == pytest.approx(np.mean(values))
    assert both[f"std/{name}"] == pytest.approx(np.std(values, ddof=1))
    assert f"std/{name}" not in single[0]


def test_class_accuracy_is_that_of_the_classifier():
    name = "class_accuracy_digits_lenet64_v1_299"
    values = evaluate(Conditional(), "digits", repeats=1)
    _, classes = kg.metrics.Classifier("digits_lenet64_v1")(TEST[0])
    real = values[f"real_test/{name}"]
    assert real == pytest.approx((classes == TEST[1]).mean())
    assert abs(values[name] - real) < 0.03
    per_class = [values[f"{name}/class_{c}"] for c in range(10)]
    shares = [(TRAIN[1][:299] == c).mean() for c in range(10)]
    assert np.dot(per_class, shares) == pytest.approx(values[name])
    wrong = evaluate(
        Conditional(shift=1), "digits", metrics="class_accuracy", repeats=1
    )
    assert wrong[name] < 0.05


def test_cas_learns_from_right_labels_only():
    x, y = TRAIN
    score = classification_accuracy_score(x, y, *TEST, steps=150)
    assert score > 0.9
    assert score == classification_accuracy_score(x, y, *TEST, steps=150)
    wrong = (y + 1) % 10
    assert classification_accuracy_score(x, wrong, *TEST, steps=150) < 0.1


def test_modes_of_a_mixture():
    means, std = kg.data.MIXTURES["ring"]
    points, _ = kg.data.load("ring", "test", 5000)[0]
    values = evaluate(Fixed(points), "ring", repeats=1)
    assert values["modes_ring_2500"] == 8
    assert values["high_quality_ring_2500"] > 0.97
    assert values["kl_ring_2500"] < 0.01
    values = evaluate(Fixed(means[:1]), "ring", repeats=2)
    assert values["modes_ring_2500"] == 1
    assert values["kl_ring_2500"] == pytest.approx(np.log(8))
    assert values["pca_gaussian/high_quality_ring_2500"] < 0.2
    far = evaluate(Fixed(means[:1] + 9), "ring", repeats=2)
    assert far["kl_ring_2500"] == np.inf and far["modes_ring_2500"] == 0


def test_modes_of_stacked_digits():
    classifier = kg.metrics.Classifier("mnist_lenet64_v1")
    grey = np.random.default_rng(0).uniform(-1, 1, (40, 28, 28, 1))
    _, classes = classifier(grey)
    stacked = np.concatenate([grey, grey[::-1], np.roll(grey, 1, 0)], axis=-1)
    number = 100 * classes + 10 * classes[::-1] + np.roll(classes, 1)
    reference = measures.Reference(
        "stacked_mnist", stacked, None, stacked, None
    )
    samples = measures.Samples(stacked)
    values = measures.modes(reference, samples)
    name = "stacked_mnist_lenet64_v1_40"
    assert values[f"modes_{name}"] == len(np.unique(number))
    samples = measures.Samples(np.repeat(stacked[:1], 40, axis=0))
    values = measures.modes(reference, samples)
    assert values == {
        f"modes_{name}": 1,
        f"kl_{name}": pytest.approx(np.log(1000)),
    }


def test_report(tmp_path, capsys):
    model = CASES["vae"]()
    values = kg.evaluate(model, "digits", repeats=2, report=tmp_path / "r")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("digits: 1498 training and 299 test images")
    assert lines[1].startswith("not measured: kd (")
    assert "class_accuracy (" in lines[1]
    assert [line.split()[0] for line in lines[2:5]] == [
        "real_train",
        "real_test",
        "pca_gaussian",
    ]
    assert len(lines) == 8 and "(0 s)" not in lines[0]
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["rows"]["model"] == {
        k: v for k, v in values.items() if "/" not in k
    }
    name = "fd_digits_lenet64_v1_299"
    assert report["rows"]["real_test"][name] == values[f"real_test/{name}"]
    assert report["recipe"]["seeds"] == [0, 1]
    assert len(report["recipe"]["extractor_sha256"]) == 64
    assert "at least 1000 samples" in report["skipped"]["kd"]
    text = (tmp_path / "r" / "report.md").read_text()
    assert f"| {name} | {values[name]:.4g} ± " in text
    assert "psnr_digits_test_299" in text and "ssim" not in text
    for picture in ("samples.png", "neighbours.png"):
        assert Image.open(tmp_path / "r" / picture).size[0] > 500
        assert picture in text


def test_reconstruction_is_that_of_the_test_images():
    model = CASES["vae"]()
    values = evaluate(model, "digits", metrics="reconstruction", repeats=1)
    expected = kg.metrics.psnr(TEST[0], model.reconstruct(TEST[0]))
    assert values["psnr_digits_test_299"] == pytest.approx(expected)


def test_own_data_and_a_model_for_features():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (60, 6, 5, 3)).astype("float32")
    data = tuple(kg.data.load(x, split) for split in ("train", "test"))
    model = Fixed(x)
    values = evaluate(model, data, repeats=1)
    assert {key.partition("_")[0] for key in values if "/" not in key} == {
        "copies",
        "authentic",
    }
    network = keras.Sequential(
        [keras.Input((6, 5, 3)), keras.layers.Flatten()], name="pixels"
    )
    values = evaluate(model, data, 10, metrics="fd", extractor=network)
    assert values["fd_data_pixels_10"] > 0


def test_binarised_data_are_compared_as_they_are_served():
    x = np.full((60, 6, 6, 1), 128, "uint8")
    data = tuple(
        kg.data.load(x, split, binarize=True) for split in ("train", "test")
    )
    images = Evaluation(data).reference.train
    assert set(np.unique(images)) == {-1, 1} and abs(images.mean()) < 0.1


def test_a_conditional_model_reconstructs_with_labels():
    model = CASES["conditional_vae"]()
    for network in (model.encoder, model.decoder):  # and not of the averages
        network.set_weights([w + 0.1 for w in network.get_weights()])
    found = []
    for use_ema in (True, False):
        values = evaluate(model, "digits", repeats=1, use_ema=use_ema)
        shown = model.reconstruct(*TEST, use_ema=use_ema)
        expected = kg.metrics.psnr(TEST[0], shown)
        psnr = values["psnr_digits_test_299"]
        assert psnr == pytest.approx(expected, rel=1e-5)
        found.append((psnr, values["fd_digits_lenet64_v1_299"]))
    assert np.abs(np.subtract(*found)).min() > 0.01
    assert "class_accuracy_digits_lenet64_v1_299" in values


def test_a_model_of_codes_with_a_conditional_prior():
    quantizer = kg.layers.VectorQuantizer(6, 2)
    nets = {"filters": (4, 4), "residual_blocks": 1, "residual_filters": 4}
    network = kg.nets.pixel_cnn((2, 2), 6, 4, blocks=1, num_classes=10)
    model = kg.models.VQVAE(
        kg.nets.grid_encoder((8, 8, 1), 2, **nets),
        kg.nets.grid_decoder((8, 8, 1), 2, **nets),
        quantizer,
        prior=kg.models.Autoregressive(network),
    )
    values = evaluate(model, "digits", 40, repeats=1)
    assert "psnr_digits_test_40" in values
    assert "class_accuracy_digits_lenet64_v1_40" in values


def test_no_classifier_is_tested_on_what_it_learnt(monkeypatch):
    def untrained(images, labels, test_images, test_labels):
        assert not np.array_equal(images[:50], test_images[:50])
        return 0.5

    monkeypatch.setattr(measures, "classification_accuracy_score", untrained)
    keys = evaluate(Conditional(), "digits", 50, metrics="cas", repeats=1)
    assert {key.partition("/")[0] for key in keys} == {
        "cas_digits_v1_50",
        "real_train",
    }


def test_what_does_not_apply_is_left_out():
    x, y = TRAIN
    few = kg.data.ImageDataset(x[:40], y[:40])
    test = kg.data.ImageDataset(TEST[0], TEST[1])
    values = evaluate(
        Fixed(TEST[0]), (few, test), 1000, extractor="digits_lenet64_v1"
    )
    names = {key.partition("_")[0] for key in values if "/" not in key}
    assert "fd" in names and "diversity" in names and "kd" not in names
    # The data are not those of the classifier, and the names say so.
    assert "fd_data_digits_lenet64_v1_1k" in values
    # Among images that are all known, none is a copy more than others.
    options = {"extractor": "digits_lenet64_v1", "repeats": 1}
    values = evaluate(Fixed(TEST[0]), (few, few), 40, **options)
    names = {key.partition("_")[0] for key in values if "/" not in key}
    assert "fd" in names and "copies" not in names
    with pytest.raises(ValueError, match="also a training image"):
        evaluate(Fixed(TEST[0]), (few, few), 40, metrics=["copies"], **options)


def test_a_folder_is_not_the_data_set_of_its_name(tmp_path):
    (tmp_path / "grid").mkdir()
    for i in range(12):
        pixels = np.round((TEST[0][i, ..., 0] + 1) * 127.5).astype("uint8")
        Image.fromarray(pixels).save(tmp_path / "grid" / f"{i}.png")
    values = evaluate(
        Fixed(TEST[0]), tmp_path / "grid", 12, repeats=1, grayscale=True
    )
    assert "copies_grid_grey_pca64_12" in values


@pytest.mark.parametrize(
    "model, options, message",
    [
        (Fixed(TEST[0]), {"metrics": ["fid"]}, r"Unknown metrics \['fid'\]"),
        (Fixed(TEST[0]), {"metrics": "kd"}, "at least 1000 samples.*299"),
        (
            Fixed(TEST[0]),
            {"metrics": "precision_recall", "num_samples": 3},
            "at least 4 samples",
        ),
        (Fixed(TEST[0]), {"metrics": "cas"}, "the model is not conditional"),
        (Fixed(TEST[0]), {"metrics": "reconstruction"}, "no `reconstruct`"),
        (Fixed(TEST[0]), {"metrics": "modes"}, "modes .* are not known"),
        (Fixed(TEST[0]), {"num_samples": 0}, "`num_samples` must be at least"),
        (Fixed(TEST[0]), {"repeats": 0}, "`repeats` must be at least 1"),
        (Fixed(TEST[0]), {"extractor": "mnist"}, "Unknown classifier 'mnist'"),
        (
            Fixed(TEST[0]),
            {"extractor": "mnist_lenet64_v1"},
            r"expects images of shape \(28, 28, 1\)",
        ),
        (Fixed(TEST[0] * np.nan), {}, "NaN or infinity in 299 of 299"),
        (Fixed(TEST[0] * 2), {}, r"must be in \[-1, 1\].*\[-2, 2\]"),
        (Fixed(np.zeros((1, 28, 28, 1))), {}, r"Received: \(28, 28, 1\)"),
        (Fixed(TEST[0]), {"dataset": "ring"}, r"Received: \(8, 8, 1\)"),
        (Fixed(TEST[0]), {"dataset": (TEST[0], TEST[0])}, "two `ImageDataset`"),
        (Fixed(TEST[0]), {"dataset": TEST[0]}, "two `ImageDataset`"),
        (
            Fixed(TEST[0]),
            {"dataset": kg.data.load("digits")},
            "two `ImageDataset`",
        ),
        (Fixed(TEST[0]), {"metrics": []}, "must name at least one"),
        (Fixed(TEST[0]), {"seed": None}, "`seed` must be an integer"),
        (Conditional(), {"labels": [3]}, "cannot be chosen"),
        (Short(TEST[0]), {}, r"generate\(299\)` returned 7 samples"),
    ],
)
def test_bad_input(model, options, message):
    options = {"dataset": "digits", "repeats": 1, **options}
    with pytest.raises(ValueError, match=message):
        evaluate(model, **options)


def test_labels_missing():
    data = tuple(
        kg.data.load("digits", split, labels=False)
        for split in ("train", "test")
    )
    with pytest.raises(ValueError, match="no labels to ask it for"):
        evaluate(Conditional(), data)
    with pytest.raises(ValueError, match="'data' has no labels"):
        evaluate(Fixed(TEST[0]), data, metrics="class_accuracy")


def test_an_unwritable_report_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Cannot write to the folder"):
        evaluate(None, "digits", report=tmp_path / "file" / "report")


def test_measures_are_named_for_what_they_are():
    """Of a narrow cloud within a wide one, features being the pixels."""
    rng = np.random.default_rng(0)
    wide = rng.uniform(-1, 1, (2400, 1, 2, 1)).astype("float32")
    narrow = rng.uniform(-0.1, 0.1, (1200, 1, 2, 1)).astype("float32")
    x = keras.Input((1, 2, 1))
    pixels = keras.Model(x, keras.layers.Flatten()(x), name="pixels")
    data = [kg.data.ImageDataset(part) for part in (wide[:1200], wide[1200:])]
    values = evaluate(
        Fixed(narrow),
        tuple(data),
        1200,
        repeats=1,
        extractor=pixels,
        metrics=["kd", "precision_recall", "density_coverage"],
    )
    parts = (array.reshape(-1, 2) for array in (wide[:1200], narrow))
    mean, spread = kg.metrics.kernel_distance(*parts, 1000)
    assert values["kd_data_pixels_1200"] == pytest.approx(mean, rel=0.1)
    assert values["kd_data_pixels_1200_spread"] == pytest.approx(
        spread, rel=0.1
    )
    end = "data_pixels_1200"
    assert values[f"precision_{end}"] > 0.8 > 0.3 > values[f"recall_{end}"]
    assert values[f"density_{end}"] > 0.5 > 0.3 > values[f"coverage_{end}"]


def test_a_gaussian_of_the_principal_components():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(5000, 3)) @ rng.normal(size=(3, 3)) + 2.0
    drawn = pca_gaussian(train, 50_000)
    atol = 0.05 * train.std()
    np.testing.assert_allclose(
        drawn.mean(axis=0), train.mean(axis=0), atol=atol
    )
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(train.T), atol=0.2)
    assert np.array_equal(drawn[:9], pca_gaussian(train, 50_000)[:9])
    assert (drawn[:9] != pca_gaussian(train, 50_000, seed=1)[:9]).all()


def test_a_configuration_of_a_data_set_has_a_name_of_its_own(monkeypatch):
    sets = dict(zip(("train", "test"), (TRAIN, TEST), strict=True))
    monkeypatch.setattr(
        "keras_gen.metrics.evaluation.load",
        lambda name, split, **_: kg.data.ImageDataset(*sets[split], 128),
    )
    reference = Evaluation("emnist/digits").reference
    assert reference.dataset == "emnist_digits"
    assert not reference.has_own_classifier
