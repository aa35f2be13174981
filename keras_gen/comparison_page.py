"""The page that `keras-gen compare` writes, as HTML and as Markdown."""

import base64
import html
import shlex

from keras_gen.files import write_text

_TITLE = "Generative models compared"
# Title, start of the metric's name, number format, what it means.
_QUALITY = (
    ("FD", "fd_", "{:.3g}", "Frechet distance of features: 0 is best."),
    ("KD", "kd_", "{:.2g}", "kernel distance of features: 0 is best."),
    ("precision", "precision_", "{:.2f}", "samples where real images lie."),
    ("recall", "recall_", "{:.2f}", "real images where samples lie."),
    (
        "class",
        "class_accuracy_",
        "{:.3f}",
        "how often a classifier sees the class asked for.",
    ),
    (
        "diversity",
        "diversity_",
        "{:.2f}",
        "spread within a class; real images are 1.",
    ),
    (
        "copies",
        "copies_",
        "{:.3f}",
        "samples nearer to a training image than all but 0.1 % of test images.",
    ),
    (
        "MSE",
        "reconstruction_mse_",
        "{:.3g}",
        "squared error of reconstructed test images in [0, 1].",
    ),
)
# Title, key of a result, number format, factor, what it means.
_COST = (
    (
        "training",
        "seconds",
        "{:.0f} s",
        1,
        "time of all epochs, compilation aside.",
    ),
    (
        "epochs",
        "epochs",
        "{:,}",
        1,
        "passes over the training images, the last perhaps in part.",
    ),
    ("step", "step_seconds", "{:.1f} ms", 1e3, "time of one batch."),
    ("sampling", "sampling_seconds", "{:.2f} ms", 1e3, "time of one sample."),
    ("weights", "parameters", "{:,}", 1, "numbers in the model's file."),
    (
        "memory",
        "peak_mb",
        "{:,.0f} MB",
        1,
        "the most the host had in use while training.",
    ),
)
_FLOORS = {
    "real_test": "real test images",
    "pca_gaussian": "Gaussian, at most 100 components",
}
_PICTURES = (
    ("Samples", "samples.png"),
    ("Reconstructions, right of each original", "reconstructions.png"),
    ("Training", "curves.png"),
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem;
       padding: 1rem; color: #1b1b1b; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
        font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap;
         border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
         background: #fff; }
tr.floor td { color: #666; }
.grid { display: grid; gap: 1rem;
        grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
.wide { display: grid; gap: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; }
img { width: 100%; height: auto; } .wide img { width: auto; max-width: 100%; }
.error { color: #a00; } code { overflow-wrap: anywhere; }
"""


def write_page(folder, results, about):
    """Write `index.html`, which holds its pictures, and `report.md`.

    Args:
        folder: `pathlib.Path` with a folder for each model.
        results: Dict from model to what its `result.json` or, after a failure,
            its `error.json` holds. That of `"real"` holds the floors.
        about: Dict of plain values, how the comparison came about.
    """
    floors = results.get("real", {}).get("floors", {})
    models = {
        name: result
        for name, result in results.items()
        if name != "real" and "error" not in result
    }
    rows = [(_FLOORS[name], {"metrics": floors[name]}) for name in floors]
    rows += models.items()
    names = {key for r in models.values() for key in r["metrics"]}
    quality = _table(rows, _QUALITY, lambda *cell: _measure(*cell, names))
    cost = _table(list(models.items()), _COST, _count)
    errors = {k: v["error"] for k, v in results.items() if "error" in v}
    shown = {*quality[0], *cost[0]}
    notes = _notes(results, models, about, shown)
    for name, text in (
        ("index.html", _html(folder, quality, cost, errors, notes, results)),
        ("report.md", _markdown(folder, quality, cost, errors, notes, results)),
    ):
        write_text(folder / name, text)


def _table(rows, columns, cell):
    """Return rows of text, the titles first, without columns of nothing."""
    texts = [[cell(result, column) for _, result in rows] for column in columns]
    kept = [i for i, column in enumerate(texts) if any(column)]
    table = [["", *(columns[i][0] for i in kept)]]
    for j, (name, _) in enumerate(rows):
        table.append([name, *(texts[i][j] for i in kept)])
    return table


def _measure(result, column, names):
    """Return a metric; of a floor on fewer images, with their number."""
    _, start, form, _ = column
    for key, value in result["metrics"].items():
        rest = key.removeprefix(start)
        if rest != key and not rest.startswith("z_") and value is not None:
            same = key in names or not any(n.startswith(start) for n in names)
            number = "" if same else f" (n={key.rpartition('_')[2]})"
            return form.format(value) + number
    return ""


def _count(result, column):
    _, key, form, factor, _ = column
    value = result.get(key)
    return "" if value is None else form.format(value * factor)


def _notes(results, models, about, shown):
    """Return how to read the tables, a line each."""
    lines = [
        f"{title}: {text}"
        for title, *_, text in (*_QUALITY, *_COST)
        if title in shown
    ]
    if "num_samples" in results["real"]:
        count = results["real"]["num_samples"]
        lines.insert(0, f"Each model drew {count:,} samples once.")
    if "vqvae" in models:
        lines.append(
            "The epochs of a vqvae are those of the codes and of the "
            "prior together, and so is its time; its step is a mean."
        )
    for name, result in models.items():
        if result.get("sampling"):
            lines.append(f"{name} drew with {result['sampling']}.")
        if "preset" in result:
            lines.append(
                f"{name} is {result['preset']} of the zoo, where its training "
                "is told."
            )
        if result.get("binarized"):
            lines.append(
                f"{name} learnt pixels that are black or white, and is "
                "measured beside grey ones."
            )
    skipped = {k: v for m in models.values() for k, v in m["skipped"].items()}
    for name, reason in skipped.items():
        if not any(
            title in shown
            for title, start, *_ in _QUALITY
            if start.startswith(name.split("_")[0])
        ):
            lines.append(f"Not measured, {name}: {reason}.")
    hardware = dict.fromkeys(
        r["hardware"] for r in results.values() if "hardware" in r
    )
    facts = {**about, "hardware": "; ".join(hardware)}
    lines.append("; ".join(f"{key} {value}" for key, value in facts.items()))
    lines.append(f"Made by: {_command(about)}")
    return lines


def _command(about):
    words = ["keras-gen", "compare"]
    for name, value in about.items():
        if name not in ("backend", "keras", "keras_gen"):
            dashes = "-" if name == "n" else "--"
            words.append(dashes + name.replace("_", "-"))
            if name == "models":
                words += value.split()
            elif value is not True:  # a flag
                words.append(str(value))
    return f"KERAS_BACKEND={about['backend']} {shlex.join(words)}"


def _html(folder, quality, cost, errors, notes, results):
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_TITLE}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_TITLE}</h1>",
    ]
    for title, table in (("Quality", quality), ("Cost", cost)):
        parts += [f"<h2>{title}</h2>", _html_table(table)]
    for name, error in errors.items():
        parts.append(f'<p class="error">{name}: {html.escape(error)}</p>')
    for title, file in _PICTURES:
        figures = []
        for name in results:
            path = folder / name / file
            if path.exists():
                data = base64.b64encode(path.read_bytes()).decode()
                figures.append(
                    f"<figure><figcaption>{name}</figcaption>"
                    f'<img src="data:image/png;base64,{data}" '
                    f'alt="{title} of {name}"></figure>'
                )
        if figures:
            kind = "wide" if file == "curves.png" else "grid"
            parts += [f'<h2>{title}</h2><div class="{kind}">', *figures]
            parts.append("</div>")
    parts += ["<h2>How to read this</h2><ul>"]
    parts += [f"<li>{html.escape(line)}</li>" for line in notes]
    return "\n".join([*parts, "</ul></body></html>", ""])


def _html_table(table):
    head, *rows = table
    lines = ['<div class="scroll"><table><thead><tr>']
    lines += [f"<th>{html.escape(cell)}</th>" for cell in head]
    lines.append("</tr></thead><tbody>")
    for row in rows:
        kind = ' class="floor"' if row[0] in _FLOORS.values() else ""
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{kind}>{cells}</tr>")
    return "".join([*lines, "</tbody></table></div>"])


def _markdown(folder, quality, cost, errors, notes, results):
    lines = [f"# {_TITLE}", ""]
    for title, (head, *rows) in (("Quality", quality), ("Cost", cost)):
        lines += [f"## {title}", "", "| " + " | ".join(head) + " |"]
        lines.append("|---" * len(head) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        lines.append("")
    lines += [f"- {name}: {error}" for name, error in errors.items()]
    for title, file in _PICTURES:
        names = [name for name in results if (folder / name / file).exists()]
        if names:
            lines += ["", f"## {title}"]
        for name in names:
            lines += ["", name, "", f"![{name}]({name}/{file})"]
    lines += ["", "## How to read this", "", *(f"- {n}" for n in notes), ""]
    return "\n".join(lines)
