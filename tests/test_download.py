"""`hf://` against a server of our own that answers as the Hub does."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

import keras_gen as kg
from keras_gen.training.preset_names import forget_download
from tests.cases import CASES
from tests.presets import edit
from tests.presets import refused
from tests.presets import seal

pytest.importorskip("huggingface_hub")

COMMIT = "0" * 40


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves `folder` as the repository me/tiny; notes what it is asked."""

    folder, asked, fetched, protocol_version = None, [], [], "HTTP/1.1"

    def do_HEAD(self):
        self.asked.append(self.path)
        *start, name = self.path.strip("/").split("/")
        path = self.folder / name
        if start[:3] != ["me", "tiny", "resolve"] or not path.exists():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return b""
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return data

    def do_GET(self):
        self.fetched.append(self.path.rsplit("/")[-1])
        self.wfile.write(self.do_HEAD())

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one preset, and an empty cache."""
    Hub.folder, Hub.asked, Hub.fetched = tmp_path / "served", [], []
    CASES["vae"]().save_to_preset(Hub.folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    yield tmp_path / "home" / "keras_gen" / "me" / "tiny"
    server.shutdown()
    server.server_close()


def test_more_than_the_card_says_is_not_fetched(hub):
    (Hub.folder / "model.weights.h5").write_bytes(b"0" * 10**6)
    with pytest.raises(ValueError, match="has 1000000 bytes, more than"):
        kg.from_preset("hf://me/tiny")
    assert "config.json" in Hub.fetched
    assert "model.weights.h5" not in Hub.fetched


def test_a_preset_is_downloaded_once(hub):
    expected = kg.from_preset(Hub.folder).generate(2, seed=0)
    for _ in range(2):
        model = kg.from_preset("hf://me/tiny")
        np.testing.assert_array_equal(model.generate(2, seed=0), expected)
        asked = len(Hub.asked)
    assert len(Hub.asked) == asked
    assert sorted(path.name for path in (hub / "main").iterdir()) == [
        "card.json",
        "config.json",
        "model.weights.h5",
    ]
    kg.from_preset("hf://me/tiny@v1.0")
    assert any("/resolve/v1.0/" in path for path in Hub.asked)


def test_what_does_not_match_its_digest_is_not_kept(hub):
    weights = Hub.folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="'hf://me/tiny' is refused: model.we"):
        kg.from_preset("hf://me/tiny")
    assert not list(hub.iterdir())


def test_missing_repositories_and_wrong_names(hub):
    with pytest.raises(ValueError, match="'hf://me/other' .*could not be"):
        kg.from_preset("hf://me/other")
    wrong = ("", "me", "me/a/b", "../a", "me/..", "me/a@", "me/a@..", "me/.a")
    for url in (f"hf://{name}" for name in wrong):
        with pytest.raises(ValueError, match="Expected 'hf://organisation"):
            kg.from_preset(url)


def test_a_card_without_digests_ends_the_download(hub):
    (Hub.folder / "card.json").write_text("[]")
    with pytest.raises(ValueError, match="'hf://me/tiny' is refused: card.js"):
        kg.from_preset("hf://me/tiny")
    assert not any("weights" in path for path in Hub.asked)


def test_what_is_refused_later_is_downloaded_anew(hub):
    """Its digests are right, but it is no model."""
    good = (Hub.folder / "config.json").read_bytes()
    edit(Hub.folder, lambda d: d.update({"class": "Model"}))
    with pytest.raises(ValueError, match="Unknown model class 'Model'"):
        kg.from_preset("hf://me/tiny")
    (Hub.folder / "config.json").write_bytes(good)
    seal(Hub.folder)
    kg.from_preset("hf://me/tiny")


def test_a_preset_of_ones_own_is_not_deleted(preset):
    edit(preset, lambda d: d.update({"class": "Model"}))
    refused(preset, "Unknown model class 'Model'")
    assert (preset / "card.json").exists()


def test_a_sound_download_of_another_class_stays(hub):
    with pytest.raises(ValueError, match="it holds a VAE, which is no GAN"):
        kg.models.GAN.from_preset("hf://me/tiny")
    asked = len(Hub.asked)
    kg.models.VAE.from_preset("hf://me/tiny")
    assert len(Hub.asked) == asked


def test_only_whole_downloads_are_deleted(hub):
    kg.from_preset("hf://me/tiny")
    for path in (hub, hub.parent, hub / "main" / ".." / ".." / ".."):
        forget_download(path)
    assert (hub / "main" / "card.json").exists()
    forget_download(hub / "main")
    assert hub.exists() and not (hub / "main").exists()
