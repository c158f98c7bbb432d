#!/usr/bin/env python3
"""Puts the summary of a run into README.md, or another page, between `<!-- NAME -->` and `<!-- /NAME -->`.

    scripts/readme-table.py NAME runs/NAME/summary.csv [PAGE]
    scripts/readme-table.py --f1 NAME runs/NAME/summary.csv [PAGE]

With --f1 the table is short: a row for each format, and the strict F1 of each model and level. Cells that are not complete
are left out, and the script says so.
"""

import sys
from pathlib import Path

from tables import complete, markdown, percent, put, read

# Those that name a row stand first, aligned to the left; those that are the same in all rows are left out.
NAMES = [
    ("model", lambda row: row["model"]),
    ("corpus", lambda row: row["corpus"]),
    ("format", lambda row: row["format"]),
    ("level", lambda row: row["level"]),
    ("strategy", lambda row: row["strategy"]),
]
# What people ask first; summary.csv has everything.
FIGURES = [
    ("parse %", lambda row: percent(row["parse_rate"])),
    ("F1", lambda row: percent(row["f1"])),
    ("95 %", lambda row: f"{percent(row['f1_low'])}-{percent(row['f1_high'])}"),
    ("P", lambda row: percent(row["precision"])),
    ("R", lambda row: percent(row["recall"])),
    ("not in doc %", lambda row: percent(row["not_in_document_rate"])),
    ("copy failed %", lambda row: percent(row["copy_failure_rate"])),
    ("removed %", lambda row: removed(row)),
    ("tok/s", lambda row: f"{float(row['tokens_per_second']):.0f}"),
    ("docs/s", lambda row: f"{float(row['documents_per_second']):.1f}"),
]


def removed(row):
    """The share of the probability that the masks removed; of masked rows of which it is known."""
    return percent(row["removed_mass"]) if row["level"] != "none" and row["removed_mass"] else "-"


def columns(rows):
    """The names and the cells of the columns, and how many of them name a row."""
    names = [(name, cell) for name, cell in NAMES if len({cell(row) for row in rows}) > 1]
    # The level tells these two apart.
    if all(row["strategy"] in ("unconstrained", "masked") for row in rows):
        names = [(name, cell) for name, cell in names if name != "strategy"]
    return names, names + FIGURES


def table(rows):
    names, shown = columns(rows)
    lines, before = [], None
    for row in rows:
        cells = [cell(row) for _, cell in shown]
        place = cells[: len(names) - 1]
        for i in range(len(names) - 1):
            if before and before[: i + 1] == place[: i + 1]:
                cells[i] = ""
        before = place
        lines.append(cells)
    head = [name for name, _ in shown]
    return markdown(head[: len(names)], head[len(names) :], lines)


def short(rows):
    """A row for each format, with the F1 of each model and level. The first model is the one that is not tuned."""
    cells = {(row["format"], row["model"], row["level"]): percent(row["f1"]) for row in rows}
    formats, models, levels = (list(dict.fromkeys(row[key] for row in rows)) for key in ("format", "model", "level"))
    columns = [(model, level) for model in models for level in levels]
    names = {model: "tuned" if model == "tuned" else "untuned" for model in models}
    head = [f"{names[model]}, {level}" for model, level in columns]
    lines = [[f"`{format}`"] + [cells.get((format, *column), "-") for column in columns] for format in formats]
    return markdown(["strict F1"], head, lines)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--f1"]
    if len(arguments) not in (2, 3):
        sys.exit(__doc__)
    name, summary = arguments[:2]
    page = Path(arguments[2]) if len(arguments) == 3 else Path(__file__).resolve().parent.parent / "README.md"
    rows = read(summary)
    whole = complete(rows)
    if len(whole) < len(rows):
        print(f"{summary}: {len(rows) - len(whole)} of {len(rows)} cells are not complete and left out", file=sys.stderr)
    put(page, name, short(whole) if "--f1" in sys.argv else table(whole))


if __name__ == "__main__":
    main()
