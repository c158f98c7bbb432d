#!/usr/bin/env python3
"""Puts the summary of a run into README.md, between `<!-- NAME -->` and `<!-- /NAME -->`.

    scripts/readme-table.py NAME runs/NAME/summary.csv
"""

import csv
import re
import sys
from pathlib import Path

COLUMNS = [
    ("format", lambda row: row["format"]),
    ("level", lambda row: row["level"]),
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


def percent(value):
    """A rate as a percentage; 0 and 100 are written without decimals only where they are exact."""
    value = 100 * float(value)
    return f"{value:.0f}" if value in (0.0, 100.0) else f"{value:.1f}"


def table(rows):
    lines = ["| " + " | ".join(name for name, _ in COLUMNS) + " |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    before = None
    for row in rows:
        cells = [cell(row) for _, cell in COLUMNS]
        if row["format"] == before:
            cells[0] = ""
        before = row["format"]
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
