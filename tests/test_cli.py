import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.commands import _image_grid
from keras_gen.files import locked
from keras_gen.recipes import RECIPES
from keras_gen.training.inputs import check_first_batch
from tests.cases import CASES


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)])
def test_every_recipe_takes_images_of_its_shape(name, shape):
    if name in ("ddpm", "flow_matching") and shape != (8, 8, 1):
        pytest.skip("slow, and the networks are those of `diffusion`")
    if name == "autoregressive" and shape[-1] == 3:
        with pytest.raises(ValueError, match="draws one channel"):
            RECIPES[name](shape, 3, 100)
        return
    model = RECIPES[name](shape, 3, 100)
    assert model.compiled and model.data_shape == shape
    images = np.full((2, *shape), -0.5, "float32")
    check_first_batch(model, images, np.array([0, 2]))


@pytest.mark.parametrize("name", ["autoencoder", "conditional_vae", "gan"])
def test_train_resume_and_generate(name, tmp_path, capsys):
    out = str(tmp_path / "run")
    train = ["train", name, "--batch-size", "512", "--out", out]
    assert main([*train, "--epochs", "1"]) == 0
    assert main([*train, "--epochs", "2"]) == 2
    assert "Pass --resume" in capsys.readouterr().err
    assert main([*train, "--epochs", "2", "--resume", "--seed", "1"]) == 2
    assert "was started with {'seed': 0}" in capsys.readouterr().err
    with locked(out):
        assert main([*train, "--epochs", "2", "--resume"]) == 2
    assert "Another process is at work" in capsys.readouterr().err
    assert main([*train, "--epochs", "2", "--resume"]) == 0
    assert (tmp_path / "run" / "samples" / "samples-0002.png").exists()
    assert (tmp_path / "run" / "curves.png").exists()
    capsys.readouterr()

    picture = tmp_path / "pictures" / "grid.png"
    generate = ["generate", out, "-n", "9", "--out", str(picture)]
    assert main([*generate, "--seed", "3"]) == 0
    assert capsys.readouterr().out == f"9 images: {picture}\n"
    first = np.asarray(Image.open(picture))
    assert main([*generate, "--seed", "3"]) == 0
    np.testing.assert_array_equal(first, np.asarray(Image.open(picture)))


def test_a_vqvae_draws_once_it_has_a_prior(tmp_path, capsys, monkeypatch):

    def small_prior(shape, num_codes, num_classes, codebook):
        assert (shape, num_codes, num_classes) == ((2, 2, 1), 5, 10)
        assert codebook == kg.from_preset(tmp_path / "vq/model").fingerprint
        return CASES["autoregressive"]()

    monkeypatch.setattr("keras_gen.commands.prior", small_prior)
    vq, out = str(tmp_path / "vq"), str(tmp_path / "prior")
    options = ["--batch-size", "512", "--epochs", "1"]
    parts = CASES["vqvae"]()
    codes = kg.models.VQVAE(parts.encoder, parts.decoder, parts.quantizer)
    codes.compile("adam")
    monkeypatch.setitem(RECIPES, "vqvae", lambda *_: codes)
    assert main(["train", "vqvae", *options, "--out", vq]) == 0
    names = [p.name for p in (tmp_path / "vq" / "samples").iterdir()]
    assert names == ["reconstructions-0001.png"]
    assert f"--codes {vq}" in capsys.readouterr().out
    assert main(["generate", vq, "--out", str(tmp_path / "no.png")]) == 2
    assert "has no prior" in capsys.readouterr().err
    prior = ["train", "autoregressive", *options, "--codes", vq, "--out", out]
    assert main(prior) == 0
    assert (tmp_path / "prior" / "samples" / "samples.png").exists()
    picture = str(tmp_path / "grid.png")
    assert main(["generate", out, "-n", "3", "--out", picture]) == 0
    # Another prior for the same codes.
    again = ["train", "autoregressive", *options, "--codes", out]
    assert main([*again, "--out", str(tmp_path / "other")]) == 0
    resumed = [*again, "--out", str(tmp_path / "other"), "--resume"]
    resumed[resumed.index("--epochs") + 1] = "2"
    assert main(resumed) == 0
    wrong = ["train", "vae", "--codes", vq, "--out", str(tmp_path / "x")]
    assert main(wrong) == 2
    assert "--codes takes a trained vqvae" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "vae", "--epochs", "0", "--out", "{}/o"], "at least 1"),
        (
            ["train", "vae", "--dataset", "no/folder", "--out", "{}/o"],
            "There is no folder 'no/folder'",
        ),
        (["train", "vae", "--out", "{}/file/o"], "Cannot write to the folder"),
        (["generate", "{}/nowhere"], "There is no preset"),
        (["generate", "{}/preset", "-n", "0"], "must be at least 1"),
        (["generate", "{}/preset", "--seed", "-1"], "must be at least 0"),
        (["generate", "{}/broken"], "is refused: card.json is missing"),
        (["generate", "{}/preset", "--out", "{}/grid"], "name of a picture"),
        (["generate", "{}/preset", "--out", "{}/a.png"], "is a folder"),
        (["evaluate", "{}/broken"], "run.json' is damaged (it holds a list)"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    CASES["vae"]().save_to_preset(tmp_path / "preset")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    (tmp_path / "broken" / "run.json").write_text("[]")
    (tmp_path / "a.png").mkdir()
    assert main([a.format(tmp_path) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("keras-gen: error: ") and message in error
    assert error.count("\n") == 1


def test_divergence_is_an_error_and_leaves_no_model(
    tmp_path, capsys, monkeypatch
):
    def diverging(*_):
        model = CASES["vae"]()
        model.compile(keras.optimizers.SGD(1e30))
        return model

    monkeypatch.setitem(RECIPES, "vae", diverging)
    out = tmp_path / "run"
    assert main(["train", "vae", "--out", str(out)]) == 2
    assert "Training diverged in epoch 1" in capsys.readouterr().err
    assert not (out / "model").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["train"], ["train", "vea", "--out", "x"], ["draw"]]
)
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: keras-gen" in capsys.readouterr().err


def test_help_teaches(capsys):
    for arguments in (["--help"], ["train", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("examples:", "--dataset", "--resume", "checkpoints/", "gan"):
        assert word in text


def test_evaluate(tmp_path, capsys):
    CASES["vae"]().save_to_preset(tmp_path / "run" / "model")
    run = str(tmp_path / "run")
    options = ["--repeats", "2", "-n", "50", "--seed", "7"]
    metrics = ["--metrics", "fd", "copies"]
    assert main(["evaluate", run, *options, *metrics]) == 2
    assert "not known: pass --dataset" in capsys.readouterr().err
    # Nor does a card decide what is downloaded.
    for data in ("someone:their_data", "digits"):
        CASES["vae"]().save_to_preset(
            tmp_path / "run" / "model", {"data": data}
        )
        if data != "digits":
            assert main(["evaluate", run, *options, *metrics]) == 2
            assert "pass --dataset" in capsys.readouterr().err
    assert main(["evaluate", run, *options, *metrics]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trained on 'digits'")
    assert lines[1].startswith("digits: 1498 training and 299 test images")
    assert lines[-1] == f"report: {tmp_path / 'run' / 'report'}"
    text = (tmp_path / "run" / "report" / "report.md").read_text()
    assert "fd_digits_lenet64_v1_50" in text and "[7, 8]" in text


def test_evaluate_on_pictures_of_a_size(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        pixels = rng.integers(0, 255, (16, 20, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{i}.png")
    CASES["vae"]().save_to_preset(tmp_path / "preset")
    arguments = ["evaluate", str(tmp_path / "preset"), "--dataset", str(folder)]
    assert main(arguments) == 2
    assert "Pass the data set, `image_size` and" in capsys.readouterr().err
    assert main([*arguments, "--image-size", "8", "--grayscale"]) == 0
    text = capsys.readouterr().out
    assert "10 training and 2 test images" in text
    assert "not measured: fd (" in text
    # Beside the preset, which another save may replace.
    assert (tmp_path / "preset_report" / "report.md").exists()
    assert len(list((tmp_path / "preset").iterdir())) == 3


def test_generate_of_a_class(tmp_path, capsys):
    names = list("abcdefgh") + ["cat", "1"]
    CASES["conditional_vae"]().save_to_preset(
        tmp_path / "preset", {"class_names": names}
    )
    pictures = []
    for i, more in enumerate(
        [[], ["--label", "8"], ["--label", "2"], ["--label", "1"]]
    ):
        picture = str(tmp_path / f"{i}.png")
        arguments = ["generate", str(tmp_path / "preset"), "-n", "4"]
        arguments += ["--seed", "0", "--out", picture, *more]
        assert main(arguments) == 0
        pictures.append(np.asarray(Image.open(picture)).tobytes())
    assert len(set(pictures)) == 4
    # By name, which goes before the number.
    arguments[-3:] = [picture, "--label", "cat"]
    assert main(arguments) == 0
    assert np.asarray(Image.open(picture)).tobytes() == pictures[1]
    model = kg.from_preset(tmp_path / "preset")
    kg.pictures.save_grid(picture, model.generate(4, labels=9, seed=0))
    assert np.asarray(Image.open(picture)).tobytes() == pictures[3]
    assert main([*arguments[:-1], "dog"]) == 2
    assert "one of ['a', 'b'" in capsys.readouterr().err


def test_a_run_on_pictures_says_what_it_learnt(tmp_path, capsys, monkeypatch):
    """Its classes by name, and on what to measure it."""
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(6):
            picture = Image.new("RGB", (8, 8), (40 * i, 9, 200))
            picture.save(tmp_path / "pets" / name / f"{i}.png")
    run, pets = str(tmp_path / "run"), str(tmp_path / "pets")
    train = ["train", "conditional_vae", "--dataset", pets, "--out", run]
    train += ["--grayscale", "--image-size", "8", "--data-dir", "elsewhere"]
    assert main([*train, "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["info", run]) == 0
    text = capsys.readouterr().out
    assert "['cats', 'dogs']" in text and "elsewhere --epochs 1" in text
    out = ["--out", str(tmp_path / "grid.png")]
    assert main(["generate", run, "-n", "2", "--label", "dogs", *out]) == 0
    given = []
    monkeypatch.setattr(
        kg, "evaluate", lambda model, *data, **them: given.append((data, them))
    )
    assert main(["evaluate", run, "--extractor", "inception"]) == 0
    [((dataset,), options)] = given
    assert dataset == pets and options["grayscale"]
    assert options["image_size"] == 8 and options["data_dir"] == "elsewhere"
    assert options["extractor"] == "inception"
    # With more pictures others would be held out.
    Image.new("RGB", (8, 8)).save(tmp_path / "pets" / "dogs" / "new.png")
    assert main([*train, "--epochs", "2", "--resume"]) == 2
    assert "was started with {'images': [10, 2]}" in capsys.readouterr().err
    assert main(["evaluate", run]) == 2
    assert "There were 12 pictures" in capsys.readouterr().err
    assert main(["evaluate", run, "--dataset", pets]) == 0
    # An interrupted one has no model yet.
    shutil.rmtree(tmp_path / "run" / "model")
    assert main(["generate", run]) == 2
    assert "has not ended" in capsys.readouterr().err


def test_a_split_that_cannot_be_read_is_said(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(12):
        Image.new("RGB", (8, 8)).save(folder / f"{i:02}.png")
    held_out = np.random.default_rng(0).permutation(12)[0]
    Image.new("RGB", (9, 9)).save(folder / f"{held_out:02}.png")
    train = ["train", "vae", "--dataset", str(folder), "--epochs", "1"]
    assert main([*train, "--out", str(tmp_path / "run")]) == 0
    text = capsys.readouterr().out
    assert "trains without test images: " in text and "differ in size" in text


def test_pictures_are_of_all_classes(digits):
    model = CASES["vae"]()
    order = np.argsort(digits.labels, kind="stable")
    data = kg.data.ImageDataset(
        digits.images[order], digits.labels[order], 128, shuffle=False
    )
    grid = _image_grid(model, data, "unused")
    assert len(grid.reconstruct[0]) == 50
    assert len(set(grid.reconstruct[1])) > 5


def test_conditional_model_without_labels(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(7):
        Image.new("RGB", (16, 16)).save(folder / f"{i}.png")
    train = ["train", "conditional_vae", "--dataset", str(folder)]
    assert main([*train, "--out", str(tmp_path / "run")]) == 2
    assert "needs a data set with labels" in capsys.readouterr().err


def test_diffusion_models_take_a_sampler(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(RECIPES, "ddpm", lambda *_: CASES["ddpm"]())
    out = str(tmp_path / "run")
    train = ["train", "ddpm", "--batch-size", "512", "--epochs", "1"]
    assert main([*train, "--out", out]) == 0
    assert (tmp_path / "run" / "samples" / "trajectories-0001.png").exists()
    picture = tmp_path / "grid.png"
    generate = [
        "generate",
        out,
        "-n",
        "4",
        "--seed",
        "0",
        "--out",
        str(picture),
    ]
    options = ["--sampler", "ddim", "--steps", "3", "--guidance", "2"]
    assert main([*generate, *options]) == 0
    model = kg.from_preset(tmp_path / "run" / "model")
    expected = model.generate(
        4,
        labels=range(4),
        seed=0,
        sampler="ddim",
        num_steps=3,
        guidance_scale=2.0,
    )
    shown = kg.pictures.to_grid(expected).astype(int)
    assert np.abs(np.asarray(Image.open(picture)) - shown).max() <= 1
    given = {}
    monkeypatch.setattr(kg, "evaluate", lambda *_, **them: given.update(them))
    assert main(["evaluate", out, *options]) == 0
    names = ("sampler", "num_steps", "guidance_scale")
    assert [given[name] for name in names] == ["ddim", 3, 2.0]
    CASES["vae"]().save_to_preset(tmp_path / "vae")
    capsys.readouterr()
    assert main(["generate", str(tmp_path / "vae"), "--steps", "3"]) == 2
    assert "are for diffusion models" in capsys.readouterr().err


def test_cards_of_others(tmp_path, capsys):
    model = CASES["vae"]()
    figure = {"name": "fd", "value": 1.5, "protocol": "one\x1b[2J"}
    model.save_to_preset(tmp_path / "a", card={"metrics": [figure]})
    assert main(["info", str(tmp_path / "a")]) == 0
    text = capsys.readouterr().out
    assert "fd 1.5: one?[2J" in text and "\x1b" not in text
    assert main(["info", str(tmp_path / "no\x1b[2J")]) == 2
    assert "\x1b" not in capsys.readouterr().err
    model = CASES["conditional_vae"]()
    model.save_to_preset(tmp_path / "c", card={"class_names": 5})
    words = ["generate", str(tmp_path / "c"), "--label", "3", "-n", "1"]
    assert main([*words, "--out", str(tmp_path / "threes.png")]) == 0
    model = CASES["vae"]()
    for metrics in ({"fd": 1.5}, [1.5], [{"name": "fd"}], 3):
        model.save_to_preset(tmp_path / "b", card={"metrics": metrics})
        assert main(["info", str(tmp_path / "b")]) == 2
        assert "is not one of a preset" in capsys.readouterr().err


def test_list_and_info(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(x.startswith("vae_mnist ") and " VAE " in x for x in lines)
    assert main(["info", "vae_mnist"]) == 0
    text = capsys.readouterr().out
    assert "licence: CC BY-SA 3.0" in text and "nats 86.7" in text
    assert main(["list"]) == 0
    assert "CC BY-SA 3.0" in capsys.readouterr().out
    assert main(["info", "vea_mnist"]) == 2
    assert "Did you mean 'vae_mnist'" in capsys.readouterr().err
