"""What the tests of presets share."""

import hashlib
import json

import pytest

import keras_gen as kg


def edit(preset, change):
    """Change the configuration, as one who can change the card as well."""
    path = preset / "config.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    seal(preset)


def seal(preset):
    """Make the digests of the card those of the files."""
    card = json.loads((preset / "card.json").read_text())
    for name in card["files"]:
        data = (preset / name).read_bytes()
        card["files"][name] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    (preset / "card.json").write_text(json.dumps(card))


def refused(preset, reason):
    with pytest.raises(ValueError, match=reason) as error:
        kg.from_preset(preset)
    assert "\n" not in str(error.value)
    assert "is refused: " in str(error.value)
