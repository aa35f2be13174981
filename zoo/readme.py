"""Write the tables of zoo/README.md and README.md from the cards.

python zoo/readme.py
"""

from pathlib import Path

from keras_gen.hub import describe_metric
from keras_gen.hub import headline
from keras_gen.hub import list_presets
from keras_gen.hub import size_of

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


def renewed(text, table):
    """Return a page with what stands between the marks replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table + END + after


PAGES = {ROOT / "zoo" / "README.md": entries, ROOT / "README.md": gallery}

if __name__ == "__main__":
    for page, table in PAGES.items():
        page.write_text(renewed(page.read_text(), table()))
