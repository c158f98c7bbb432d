#!/usr/bin/env python3
"""Puts the summary of a run into README.md, or another page, between `<!-- NAME -->` and `<!-- /NAME -->`.

    scripts/readme-table.py NAME runs/NAME/summary.csv [PAGE]

Cells that are not complete are left out, and said.
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


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    name, summary = sys.argv[1:3]
    page = Path(sys.argv[3]) if len(sys.argv) == 4 else Path(__file__).resolve().parent.parent / "README.md"
    rows = read(summary)
    whole = complete(rows)
    if len(whole) < len(rows):
        print(f"{summary}: {len(rows) - len(whole)} of {len(rows)} cells are not complete and left out", file=sys.stderr)
    put(page, name, table(whole))


if __name__ == "__main__":
    main()
