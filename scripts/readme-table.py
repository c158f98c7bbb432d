#!/usr/bin/env python3
"""Puts the summary of a run into README.md, between `<!-- NAME -->` and `<!-- /NAME -->`.

    scripts/readme-table.py NAME runs/NAME/summary.csv
"""

import csv
import re
import sys
from pathlib import Path

# Those that name a row stand first, aligned to the left.
NAMES = [
    ("corpus", lambda row: row["corpus"]),
    ("format", lambda row: row["format"]),
    ("level", lambda row: row["level"]),
    ("strategy", lambda row: row["strategy"]),
]
FIGURES = [
    ("parse %", lambda row: percent(row["parse_rate"])),
    ("F1", lambda row: percent(row["f1"])),
    ("P", lambda row: percent(row["precision"])),
    ("R", lambda row: percent(row["recall"])),
    ("not in doc %", lambda row: percent(row["not_in_document_rate"])),
    ("copy failed %", lambda row: percent(row["copy_failure_rate"])),
    ("cut off %", lambda row: percent(row["truncation_rate"])),
    ("tok/s", lambda row: f"{float(row['tokens_per_second']):.0f}"),
    ("docs/s", lambda row: f"{float(row['documents_per_second']):.2f}"),
    ("mask ms/tok", lambda row: "-" if row["level"] == "none" else f"{float(row['mask_us_per_token']) / 1000:.3f}"),
]
# What strategies did: each has a column where any row has something to say. Summaries of earlier versions have none.
DEEDS = [
    ("forced %", "forced_rate", lambda row, value: percent(value)),
    ("drafted %", "drafted_rate", lambda row, value: percent(value)),
    ("removed %", "removed_mass", lambda row, value: masked(row, percent(value))),
    ("log weight", "log_weight", lambda row, value: masked(row, f"{float(value):.2f}")),
    ("arg-max changed", "changed_best_per_output", lambda row, value: masked(row, f"{float(value):.2f}")),
    ("non-canon. %", "non_canonical_rate", lambda row, value: percent(value)),
    ("docs changed", "changed_documents", lambda row, value: value),
]


def percent(value):
    """A rate as a percentage; 0 and 100 are written without decimals only where they are exact."""
    value = 100 * float(value)
    return f"{value:.0f}" if value in (0.0, 100.0) else f"{value:.1f}"


def masked(row, text):
    return "-" if row["level"] == "none" else text


def deed(column, cell):
    return lambda row: cell(row, row[column]) if row[column] else "-"


def columns(rows):
    """The names and the cells of the columns, and how many of them name a row."""
    names = [NAMES[1], NAMES[2]]
    if len({row["corpus"] for row in rows}) > 1:
        names.insert(0, NAMES[0])
    # The level tells these two apart.
    if any(row["strategy"] not in ("unconstrained", "masked") for row in rows):
        names.append(NAMES[3])
    said = [(name, deed(column, cell)) for name, column, cell in DEEDS if any(float(row.get(column) or 0) for row in rows)]
    return names, names + FIGURES + said


def table(rows):
    names, shown = columns(rows)
    lines = [
        "| " + " | ".join(name for name, _ in shown) + " |",
        "|" + "---|" * len(names) + "---:|" * (len(shown) - len(names)),
    ]
    before = None
    for row in rows:
        cells = [cell(row) for _, cell in shown]
        place = cells[: len(names) - 1]
        for i in range(len(names) - 1):
            if before and before[: i + 1] == place[: i + 1]:
                cells[i] = ""
        before = place
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    name, summary = sys.argv[1:]
    readme = Path(__file__).resolve().parent.parent / "README.md"
    text = readme.read_text()
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(text):
        sys.exit(f"README.md has no place for {name}: write <!-- {name} --> and <!-- /{name} --> where the table is to stand")
    with open(summary, newline="") as file:
        rows = list(csv.DictReader(file))
    unfinished = sorted({row["format"] for row in rows if int(row["documents"]) == 0})
    if unfinished:
        sys.exit(f"{summary}: the run has not finished: no document in {', '.join(unfinished)}")
    readme.write_text(marks.sub(lambda found: found[1] + "\n" + table(rows) + "\n\n" + found[2], text))


if __name__ == "__main__":
    main()
