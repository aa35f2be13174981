import json

import pytest

import keras_gen as kg
from keras_gen import comparison
from keras_gen.cli import main
from keras_gen.recipes import RECIPES
from tests.cases import CASES

OPTIONS = ["compare", "--batch-size", "512", "-n", "60"]


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
    assert main([*OPTIONS, "--epochs", "1", "--out", str(out)]) == 0
    for name in comparison.MODELS:
        result = json.loads((out / name / "result.json").read_text())
        expected = 2 if name == "vqvae" else 1  # the codes, then the prior
        assert result["epochs"] == expected
        assert result["seconds"] > 0 and result["sampling_seconds"] > 0
        metrics = result["metrics"]
        assert any(key.startswith("fd_digits") for key in metrics)
        again = kg.from_preset(out / name / "model")
        assert again.generate(1, seed=0, **_labels(again)).shape == (1, 8, 8, 1)
    page, report = (
        (out / name).read_text() for name in ("index.html", "report.md")
    )
    for name in ("real test images", *comparison.MODELS):
        assert f"<td>{name}</td>" in page and f"| {name} |" in report
    # Self-contained, and nothing but the nine grids, ours and the real one.
    assert page.count('alt="Samples of ') == 10
    assert page.count('alt="Reconstructions') == 4
    assert 'src="data:image/png' in page and "http" not in page
    # Done: nothing is trained again.
    capsys.readouterr()
    assert main([*OPTIONS, "--epochs", "1", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"page: {out / 'index.html'}\n"
    assert main([*OPTIONS, "--epochs", "2", "--out", str(out)]) == 2
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


def test_a_process_of_its_own(tmp_path, capsys):
    out = tmp_path / "one"
    command = [*OPTIONS, "--out", str(out), "--models", "autoencoder"]
    assert main([*command, "--epochs", "1"]) == 0
    result = json.loads((out / "autoencoder" / "result.json").read_text())
    assert result["peak_mb"] > 100
    (out / "autoencoder" / "result.json").unlink()
    (out / "autoencoder" / "model" / "model.weights.h5").write_bytes(b"")
    assert main([*command, "--epochs", "1"]) == 2
    assert "autoencoder: The preset" in (out / "report.md").read_text()


def test_a_budget_of_time_is_kept_across_interruptions(tmp_path, digits):
    path = tmp_path / "progress.json"

    def run(seconds):
        model = CASES["vae"]()
        budget = comparison.Budget(path, "training", seconds)
        checkpoint = kg.callbacks.Checkpoint(tmp_path / "checkpoints")
        callbacks = [budget, checkpoint]
        model.fit(digits, epochs=10**6, callbacks=callbacks, verbose=0)
        return budget

    first = run(1.0)
    assert first.is_spent()
    assert sum(epoch["seconds"] for epoch in first.epochs) < 30
    n = len(first.epochs)
    second = run(sum(epoch["seconds"] for epoch in first.epochs) + 0.5)
    assert len(second.epochs) > n
    assert second.epochs[:n] == first.epochs


def test_entries_of_the_zoo_in_place_of_training(tmp_path):
    settings = {"pretrained": True, "dataset": "mnist"}
    model, facts = comparison._trained(tmp_path / "vae", settings)
    assert isinstance(model, kg.models.VAE) and facts["preset"] == "vae_mnist"
    assert facts["epochs"] == 1300


def test_what_makes_no_sense(capsys):
    assert main(["compare", "--minutes", "0"]) == 2
    assert "--minutes must be above 0" in capsys.readouterr().err
