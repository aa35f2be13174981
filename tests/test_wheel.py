"""What people install: the package with its zoo, and nothing of a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import keras_gen as kg
from tests.conftest import BACKEND

ROOT = Path(__file__).resolve().parents[1]
LOAD = """
import sys
import keras_gen as kg
assert kg.__file__.startswith(sys.argv[1]), kg.__file__
for name in kg.list_presets():
    kg.from_preset(name)
    print(name)
"""


@pytest.mark.skipif(
    BACKEND != "torch", reason="the wheel is the same for every backend"
)
def test_every_entry_loads_from_a_wheel(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    source, site = tmp_path / "source", tmp_path / "site"
    for name in ("keras_gen", "zoo"):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps"]
    command += ["--no-build-isolation", "-w", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 60e6
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name, card in kg.list_presets().items():
        folder = site / "keras_gen" / "zoo" / name
        expected = {"card.json", "train.py", *card["files"]}
        assert expected <= {path.name for path in folder.iterdir()}
    environment = {
        **os.environ,
        "KERAS_BACKEND": BACKEND,
        "PYTHONPATH": str(site),
    }
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", LOAD, str(site)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.split() == list(kg.list_presets())
