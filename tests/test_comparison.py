import json
import re
import shlex
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import keras_gen as kg
from keras_gen import comparison
from keras_gen import comparison_page
from keras_gen.cli import _parser
from keras_gen.cli import main
from keras_gen.recipes import RECIPES
from keras_gen.recipes import encoded
from tests.cases import CASES

OPTIONS = ["compare", "--batch-size", "512", "-n", "60"]
MODELS = comparison.MODELS


def _codes():
    parts = CASES["vqvae"]()
    model = kg.models.VQVAE(parts.encoder, parts.decoder, parts.quantizer)
    model.compile("adam")
    return model


@pytest.fixture
def small(monkeypatch):
    """Small models, in this process."""
    cases = {"vqvae": _codes, "dcgan": CASES["gan_conv"]}
    for name in comparison.MODELS:
        case = cases.get(name) or CASES[name]
        monkeypatch.setitem(RECIPES, name, lambda *_, case=case: case())
    monkeypatch.setattr(
        comparison,
        "prior",
        lambda *_, codebook: CASES["autoregressive"](),
    )
    monkeypatch.setattr(comparison, "run_apart", comparison.run_job)


def test_every_model_is_on_the_page(small, tmp_path, capsys):
    out = tmp_path / "all"
    command = [*OPTIONS, "--out", str(out)]
    assert main([*command, "--epochs", "1"]) == 0
    for name in MODELS:
        result = json.loads((out / name / "result.json").read_text())
        expected = 2 if name == "vqvae" else 1  # the codes, then the prior
        assert result["step_seconds"] > 0 and result["parameters"] > 0
        assert result["epochs"] == expected
        assert result["seconds"] > 0 and result["sampling_seconds"] > 0
        metrics = result["metrics"]
        assert any(key.startswith("fd_digits") for key in metrics)
        again = kg.from_preset(out / name / "model")
        assert again.generate(1, seed=0, **_labels(again)).shape == (1, 8, 8, 1)
    page, report = (
        (out / name).read_text() for name in ("index.html", "report.md")
    )
    for name in ("real test images", *MODELS):
        assert f"<td>{name}</td>" in page and f"| {name} |" in report
    # The pictures are in it, and it asks for nothing else.
    assert page.count('alt="Samples of ') == 1 + len(MODELS)
    reconstruct = {"autoencoder", "vae", "conditional_vae", "vqvae"}
    number = len(reconstruct & set(MODELS))
    assert page.count('alt="Reconstructions') == number
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', page)
    assert set(sources) == {"data:image/png;base64,"}
    # Done: nothing is trained again.
    capsys.readouterr()
    assert main([*command, "--epochs", "1"]) == 0
    assert capsys.readouterr().out == f"page: {out / 'index.html'}\n"
    assert main([*command, "--epochs", "2"]) == 2
    assert "was started with {'epochs': 1}" in capsys.readouterr().err


def _labels(model):
    return {} if model.num_classes is None else {"labels": 3}


def test_one_failed_model_does_not_lose_the_others(small, tmp_path, capsys):
    out = tmp_path / "some"
    names = ["--models", "vae", "autoencoder", "--out", str(out)]
    run_job = comparison.run_apart

    def fail(folder):
        return "no <memory>" if folder.name == "vae" else run_job(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "run_apart", fail)
        assert main([*OPTIONS, "--epochs", "1", *names]) == 2
    assert "Not measured: vae." in capsys.readouterr().err
    page = (out / "index.html").read_text()
    assert "vae: no &lt;memory&gt;" in page and "<td>autoencoder</td>" in page
    assert main([*OPTIONS, "--epochs", "1", *names]) == 0
    assert "memory&gt;" not in (out / "index.html").read_text()
    # The page of both tells the command of both.
    again = [*OPTIONS, "--epochs", "1", "--out", str(out)]
    assert main([*again, "--models", "vae"]) == 0
    assert "--models autoencoder vae" in (out / "report.md").read_text()


def test_the_command_on_the_page_makes_it_again():
    words = ["compare", "--dataset", "own pictures", "--image-size", "8"]
    words += ["--grayscale", "--epochs", "2", "-n", "5", "--data-dir", "d"]
    words += ["--batch-size", "4", "--extractor", "inception", "--seed", "3"]
    words += ["--models", "vae", "dcgan"]
    args = vars(_parser().parse_args(words))
    settings = {k: v for k, v in args.items() if k not in ("run", "models")}
    del settings["out"]
    about = comparison._about({**settings, "backend": "jax"}, args["models"])
    backend, command, *again = shlex.split(comparison_page._command(about))
    assert (backend, command) == ("KERAS_BACKEND=jax", "keras-gen")
    assert vars(_parser().parse_args(again)) == args


def test_the_numbers_of_the_page(tmp_path):
    """Of one model beside real images and a Gaussian, fewer of those."""
    end = "digits_lenet64_v1"
    metrics = {f"fd_{end}_5": 1.25, f"precision_{end}_5": 0.7}
    metrics |= {f"recall_{end}_5": 0.3}
    costs = {"seconds": 61.0, "epochs": 3, "step_seconds": 0.0123}
    costs |= {"sampling_seconds": 0.5, "parameters": 1234, "peak_mb": 2048.0}
    floors = {
        "real_test": {f"fd_{end}_4": 0.5, f"precision_{end}_4": 0.99},
        "pca_gaussian": {f"fd_{end}_5": 9.0, f"precision_{end}_5": 0.1},
    }
    results = {
        "real": {"floors": floors, "num_samples": 5, "hardware": "this"},
        "vae": {"metrics": metrics, "skipped": {}, **costs},
    }
    comparison_page.write_page(tmp_path, results, {"backend": "jax"})
    lines = (tmp_path / "report.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line[:1] == "|"]
    table = {row[0]: row[1:] for row in rows}
    assert table["real test images"][:2] == ["0.5 (n=4)", "0.99 (n=4)"]
    assert table["Gaussian, at most 100 components"][:2] == ["9", "0.10"]
    cells = [row[1:] for row in rows if row[0] == "vae"]
    assert cells[0] == ["1.25", "0.70", "0.30"]
    cost = ["61 s", "3", "12.3 ms", "500.00 ms", "1,234", "2,048 MB"]
    assert cells[1] == cost


def test_what_is_measured_is_what_was_asked_for(monkeypatch):
    asked = {"image_size": 8, "grayscale": True, "extractor": "inception"}
    asked["data_dir"] = "elsewhere"
    given = []
    monkeypatch.setattr(
        comparison, "Evaluation", lambda *data, **them: given.append(them)
    )
    comparison._evaluation({"dataset": "mnist", "n": 5, **asked})
    assert given == [asked]


def test_a_process_of_its_own(tmp_path, capsys):
    out = tmp_path / "one"
    command = [*OPTIONS, "--out", str(out), "--models", "autoencoder"]
    assert main([*command, "--epochs", "1"]) == 0
    result = json.loads((out / "autoencoder" / "result.json").read_text())
    assert result["class"] == "Autoencoder" and result["epochs"] == 1
    # What breaks there is told here.
    (out / "autoencoder" / "result.json").unlink()
    (out / "settings.json").write_text('{"')
    assert comparison.run_apart(out / "autoencoder").startswith(
        f"'{out / 'settings.json'}' is damaged"
    )
    assert main([*command, "--epochs", "1"]) == 2
    assert "settings.json' is damaged" in capsys.readouterr().err


def test_a_process_ends_with_the_comparison_that_started_it():
    child = (
        "import os; from keras_gen import comparison; parent = os.getppid(); "
        "print('started', flush=True); comparison._end_with(parent)"
    )
    parent = (
        "import subprocess, sys; "
        f"subprocess.call([sys.executable, '-c', {child!r}])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "started\n"
    process.kill()
    # The child holds the other end of this pipe till it ends.
    assert process.communicate(timeout=60)[0] == ""


def test_two_comparisons_in_one_folder(small, tmp_path, capsys):
    command = [*OPTIONS, "--epochs", "1", "--models", "vae"]
    command += ["--out", str(tmp_path)]
    settings, go, alone = (
        tmp_path / name for name in ("settings.json", "go", "alone")
    )
    # In place of the Python that measures a model.
    child = tmp_path / "child"
    child.write_text(
        "#!/bin/sh\n"
        f"while [ ! -e '{go}' ]; do sleep 0.1; done; sleep 2\n"
        f"[ -e '{settings}' ] || touch '{alone}'"
    )
    child.chmod(0o755)
    (tmp_path / "job").mkdir()
    holder = (
        "import pathlib, sys\n"
        "from keras_gen.comparison import run_apart\n"
        "from keras_gen.files import locked\n"
        f"sys.executable, folder = {str(child)!r}, {str(tmp_path)!r}\n"
        "with locked(folder):\n"
        "    print('held', flush=True)\n"
        "    run_apart(pathlib.Path(folder, 'job'))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    while not (tmp_path / "job" / "log.txt").exists():
        time.sleep(0.1)
    assert main(command) == 2
    assert "Another process is at work" in capsys.readouterr().err
    assert not settings.exists()
    # The child of a killed comparison is waited for.
    process.kill()
    process.communicate(timeout=60)
    go.touch()
    assert main(command) == 0
    assert alone.exists()


def test_a_data_set_that_cannot_be_read_leaves_no_settings(small, tmp_path):
    out = tmp_path / "none"
    command = [*OPTIONS, "--out", str(out), "--epochs", "1", "--models", "vae"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "run_apart", lambda folder: "no such data")
        assert main([*command, "--dataset", "elsewhere"]) == 2
    assert main(command) == 0


def test_a_damaged_model_is_trained_anew(small, tmp_path):
    command = [*OPTIONS, "--out", str(tmp_path), "--epochs", "1"]
    assert main([*command, "--models", "vae"]) == 0
    result = json.loads((tmp_path / "vae" / "result.json").read_text())
    (tmp_path / "vae" / "result.json").unlink()
    (tmp_path / "vae" / "model" / "model.weights.h5").write_bytes(b"")
    assert main([*command, "--models", "vae"]) == 0
    again = json.loads((tmp_path / "vae" / "result.json").read_text())
    assert again["metrics"] == pytest.approx(result["metrics"], rel=1e-4)


def test_few_pictures_without_labels(small, tmp_path, capsys):
    """Two are left for testing; conditional models are not for them."""
    rng = np.random.default_rng(0)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(12):
        image = Image.fromarray(rng.integers(0, 256, (8, 8), "uint8"))
        image.save(pictures / f"{i}.png")
    data = ["--dataset", str(pictures), "--image-size", "8", "--grayscale"]
    command = ["compare", *data, "--epochs", "1", "--out", str(tmp_path / "o")]
    assert main([*command, "--models", "autoencoder", "gan"]) == 0
    page = (tmp_path / "o" / "index.html").read_text()
    assert (tmp_path / "o" / "autoencoder" / "reconstructions.png").exists()
    assert "<th>MSE</th>" in page and "<th>FD</th>" not in page
    assert main([*command, "--models", "conditional_vae"]) == 2
    assert "needs a data set with labels" in capsys.readouterr().err
    # What is there stays on the page.
    assert main([*command, "--models", "vae"]) == 0
    page = (tmp_path / "o" / "index.html").read_text()
    assert "<td>gan</td>" in page and "<td>vae</td>" in page
    # More pictures are not those that the others learnt from.
    for i in range(6):
        image.save(pictures / f"more_{i}.png")
    assert main([*command, "--models", "dcgan"]) == 2
    assert "There were 10 images to train on" in capsys.readouterr().err


def test_a_budget_of_time_is_kept_across_interruptions(tmp_path, digits):
    def run(seconds, epochs=10**6):
        model = CASES["vae"]()
        budget = comparison.Budget(tmp_path, seconds)
        model.fit(digits, epochs=epochs, callbacks=[budget], verbose=0)
        return budget.newest_history()

    first = run(0.5)
    assert sum(first["seconds"]) >= 0.5 > sum(first["seconds"][:-1])
    # Each step counts but the first of a process and its first last one.
    assert sum(first["steps"][:-1]) == 3 * (len(first["steps"]) - 1) - 2
    n = len(first["seconds"])
    assert run(0.5, epochs=n) == first
    second = run(sum(first["seconds"]) + 0.5)
    assert sum(second["seconds"]) >= sum(first["seconds"]) + 0.5
    assert len(second["seconds"]) > n
    assert second["seconds"][:n] == first["seconds"]
    third = run(None, epochs=len(second["seconds"]) + 1)
    assert len(third["seconds"]) == len(second["seconds"]) + 1


def test_a_model_killed_in_its_last_phase_goes_on(small, tmp_path, monkeypatch):
    """The codes are done, and must stay what the prior learns from."""
    command = [*OPTIONS, "--out", str(tmp_path), "--minutes", "0.01"]
    command += ["--models", "vqvae"]

    def fail(*_, codebook):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "prior", fail)
        assert main(command) == 130
    checkpoints = tmp_path / "vqvae" / "checkpoints" / "codes"
    names = sorted(path.name for path in checkpoints.iterdir())
    assert names and not (tmp_path / "vqvae" / "model").exists()
    trained = []
    monkeypatch.setattr(
        comparison,
        "encoded",
        lambda model, data: trained.append(model) or encoded(model, data),
    )
    monkeypatch.setattr(comparison.shutil, "rmtree", lambda *_, **__: None)
    assert main(command) == 0
    assert sorted(path.name for path in checkpoints.iterdir()) == names
    model = kg.from_preset(tmp_path / "vqvae" / "model")
    assert model.fingerprint == trained[0].fingerprint


def test_entries_of_the_zoo_in_place_of_training(tmp_path):
    settings = {"dataset": "mnist", "image_size": None, "grayscale": False}
    settings["pretrained"] = True
    model, facts = comparison._trained(tmp_path / "vae", settings)
    assert isinstance(model, kg.models.VAE) and facts["preset"] == "vae_mnist"
    assert facts["epochs"] == 1300
    assert facts["binarized"]
    for other in ({"image_size": 32}, {"dataset": "pictures"}):
        assert comparison._entry("vae", settings | other) is None


def test_what_makes_no_sense(capsys):
    for option in ("--minutes", "--batch-size", "-n"):
        assert main(["compare", option, "0"]) == 2
        assert f"{option} must be above 0" in capsys.readouterr().err
