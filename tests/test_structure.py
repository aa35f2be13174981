"""Rules of the layout that a reader can rely on."""

import ast
import configparser
from pathlib import Path

import keras_gen as kg
from tests.cases import CASES

PACKAGE = Path(kg.__file__).parent


def imports(path):
    """Yield the names of all modules a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def test_backends_are_imported_in_their_own_files_only():
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "training" and path.stem in (
            "_tensorflow",
            "_jax",
            "_torch",
        ):
            continue
        for name in imports(path):
            assert name.split(".")[0] not in ("tensorflow", "jax", "torch"), (
                f"{path} imports {name}"
            )
            assert not name.startswith(("keras.src", "keras.backend.")), path


def test_imports_point_one_way():
    forbidden = {
        "layers": ("nets", "training", "models", "callbacks", "data", "hub"),
        "losses": ("nets", "training", "models", "callbacks", "data", "hub"),
        "diffusion": ("nets", "training", "models", "callbacks", "data", "hub"),
        "nets": ("training", "models", "callbacks", "data", "hub", "losses"),
        "training": (
            "nets",
            "models",
            "callbacks",
            "data",
            "hub",
            "metrics",
        ),
        "models": ("nets", "callbacks", "data", "hub", "models", "metrics"),
        "callbacks": ("nets", "models", "data", "hub", "losses"),
        "data": ("nets", "models", "callbacks", "hub", "losses", "metrics"),
        "metrics": ("nets", "models", "callbacks", "hub", "losses"),
    }
    for folder, others in forbidden.items():
        for path in (PACKAGE / folder).glob("*.py"):
            if path.name == "__init__.py":
                continue
            for name in imports(path):
                for other in others:
                    assert not name.startswith(f"keras_gen.{other}"), (
                        f"{path} imports {name}"
                    )


def test_every_model_is_in_the_test_list():
    tested = {type(make()).__name__ for make in CASES.values()}
    assert tested == set(kg.models.__all__)


def test_all_packages_are_installed():
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg")
    listed = setup["options"]["packages"].split()
    found = {path.parent for path in PACKAGE.rglob("__init__.py")}
    names = {".".join(p.relative_to(PACKAGE.parent).parts) for p in found}
    assert set(listed) == {*names, "keras_gen.zoo"}


def test_files_stay_readable():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 500, path
