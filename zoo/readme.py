"""Write the tables of zoo/README.md and README.md from the cards.

python zoo/readme.py
"""

from pathlib import Path

from keras_gen.hub import describe_metric
from keras_gen.hub import headline
from keras_gen.hub import list_presets
from keras_gen.hub import size_of
from keras_gen.metrics import classifiers

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- written by zoo/readme.py -->\n", "<!-- end -->\n"


def entries():
    """Return the table of all entries, each with its headline."""
    rows = [
        "| entry | what it is | parameters | size | figure | training |",
        "|---|---|---|---|---|---|",
    ]
    for name, card in list_presets().items():
        figure = describe_metric(headline(card))
        epochs = " + ".join(f"{n:,}" for n in card["epochs"])
        minutes = (card["seconds"] or 0) / 60
        time = f", {minutes:.0f} min" if minutes else ""
        rows.append(
            f"| [{name}]({name}) | {card['summary']} | "
            f"{card['parameters']:,} | {size_of(card) / 1e6:.1f} MB | "
            f"{figure} | {epochs} epochs{time}, {card['backend']} |"
        )
    return "\n".join(rows) + "\n"


def extractors():
    """Return the table of the classifiers that figures are measured with."""
    rows = [
        "| classifier | parameters | size | test accuracy | trained by |",
        "|---|---|---|---|---|",
    ]
    for name, card in classifiers.available().items():
        size = (classifiers.FOLDER / f"{name}.weights.h5").stat().st_size
        rows.append(
            f"| {name} | {card['parameters']:,} | {size / 1e6:.1f} MB | "
            f"{card['test_accuracy']:.2%} | `{card['command']}` |"
        )
    return "\n".join(rows) + "\n"


def gallery():
    """Return a table with a picture of each entry, three a row."""
    cells = [
        f'<a href="zoo/{name}"><img src="zoo/{name}/samples.png" height="180" '
        f'alt="{card["summary"]}"><br>{name}</a>'
        for name, card in list_presets().items()
    ]
    cells += [""] * (-len(cells) % 3)
    rows = [cells[i : i + 3] for i in range(0, len(cells), 3)]
    lines = ["| | | |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def renewed(text, tables):
    """Return a page with what stands between its marks replaced, in turn."""
    first, *parts = text.split(BEGIN)
    rest = [part.split(END)[1] for part in parts]
    parts = [
        BEGIN + table() + END + after
        for table, after in zip(tables, rest, strict=True)
    ]
    return first + "".join(parts)


PAGES = {
    ROOT / "zoo" / "README.md": (entries, extractors),
    ROOT / "README.md": (gallery,),
}

if __name__ == "__main__":
    for page, tables in PAGES.items():
        page.write_text(renewed(page.read_text(), tables))
