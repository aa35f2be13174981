"""From the name of a preset to its folder."""

import difflib
import os
import re
import shutil
import tempfile
from pathlib import Path

from keras_gen.training.preset_files import CARD
from keras_gen.training.preset_files import CONFIG
from keras_gen.training.preset_files import LARGEST_JSON
from keras_gen.training.preset_files import WEIGHTS
from keras_gen.training.preset_files import check_file
from keras_gen.training.preset_files import described
from keras_gen.training.preset_files import read_json

_PACKAGE = Path(__file__).resolve().parents[1]
_HUB = re.compile(r"hf://(\w[\w.-]*/\w[\w.-]*)(?:@(\w[\w.-]*))?")


def built_in():
    """Return name to folder of the presets that come with the package."""
    # Inside an installed package, or beside the package in a checkout.
    for zoo in (_PACKAGE / "zoo", _PACKAGE.parent / "zoo"):
        if zoo.is_dir():
            return {
                path.parent.name: path.parent
                for path in sorted(zoo.glob(f"*/{CARD}"))
            }
    return {}


def find(preset):
    """Return the folder of a preset: built in, local, or downloaded."""
    if not isinstance(preset, (str, Path)) or preset == "":
        raise ValueError(
            "`preset` must be a name, a path or 'hf://organisation/name'. "
            f"Received: {preset!r}"
        )
    if isinstance(preset, str):
        if preset.startswith("hf://"):
            return _download(preset)
        folders = built_in()
        if preset in folders:
            return folders[preset]
        close = difflib.get_close_matches(preset, folders, n=3)
        if not Path(preset).exists() and close:
            raise ValueError(
                f"There is no preset {preset!r}, neither built in nor a "
                f"folder. Did you mean {' or '.join(map(repr, close))}?"
            )
    return Path(preset)


def _download(url):
    """Return the folder of a verified copy; the network is asked once."""
    match = _HUB.fullmatch(url)
    if not match:
        raise ValueError(
            "Expected 'hf://organisation/name' or "
            f"'hf://organisation/name@revision'. Received: {url!r}"
        )
    repository, revision = match[1], match[2] or "main"
    folder = _downloads() / repository / revision
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import get_hf_file_metadata
        from huggingface_hub import hf_hub_download
        from huggingface_hub import hf_hub_url
    except ImportError as error:
        raise ImportError(
            "Downloading presets needs huggingface_hub: "
            "pip install huggingface_hub"
        ) from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
    try:
        card = None
        # The largest comes last: the others may already be refused.
        for name in (CARD, CONFIG, WEIGHTS):
            try:
                address = hf_hub_url(repository, name, revision=revision)
                size = get_hf_file_metadata(address).size
                limit = LARGEST_JSON
                if card is not None:
                    limit = described(card, name).get("size")
                if size is not None and size > limit:
                    raise ValueError(
                        f"{name} has {size} bytes, more than {limit}"
                    )
                hf_hub_download(
                    repository, name, revision=revision, local_dir=temporary
                )
            except Exception as error:  # of several libraries of theirs
                text = " ".join(str(error).split())
                raise ValueError(
                    f"The preset {url!r} could not be downloaded: {text}"
                ) from error
            try:
                card = read_json(temporary, CARD)
                if name != CARD:
                    check_file(temporary, card, name)
            except ValueError as error:
                raise ValueError(
                    f"The preset {url!r} is refused: {error}"
                ) from error
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
        return folder
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _downloads():
    """Return the folder of all downloads."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return home / "keras_gen"


def forget_download(folder):
    """Delete a preset if it was downloaded, so that it is asked for anew."""
    folder = Path(folder).resolve()
    if folder.parents[2:3] == (_downloads().resolve(),):
        shutil.rmtree(folder, ignore_errors=True)


def read_card(preset):
    """Return the card of a preset as a dict."""
    folder = find(preset)
    try:
        return read_json(folder, CARD)
    except FileNotFoundError as error:
        raise ValueError(f"There is no preset in {str(folder)!r}.") from error
