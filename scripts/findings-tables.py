#!/usr/bin/env python3
"""Puts a run of formats at the levels none, syntax and grounded into a page: a table for each model and corpus, with a row for
each format, between `<!-- MODEL CORPUS -->` and `<!-- /MODEL CORPUS -->`.

    gramask compare runs/NAME --csv > compare.csv
    scripts/findings-tables.py runs/NAME/summary.csv compare.csv docs/findings.md

Strict F1 is in points with its 95 % interval; a difference is that of the masked cell to the unmasked one, with a star where
its p is below 0.05 after Holm's correction over all comparisons of the command. Formats of which a cell is not complete are
left out, and said.
"""

import csv
import re
import sys
from pathlib import Path

LEVELS = ("none", "syntax", "grounded")
HEAD = [
    ("format", False),
    ("parse %", True),
    ("not in doc %", True),
    ("copy failed %", True),
    ("F1 none", True),
    ("F1 syntax", True),
    ("F1 grounded", True),
    ("syntax - none", True),
    ("grounded - none", True),
    ("parse", True),
    ("copy", True),
    ("count", True),
    ("recognition", True),
]
PARTS = ("parse", "copy", "count", "recognition")


def percent(value):
    """A rate as a percentage; 0 and 100 are written without decimals only where they are exact."""
    value = 100 * float(value)
    return f"{value:.0f}" if value in (0.0, 100.0) else f"{value:.1f}"


def points(value):
    """A difference in points, with its sign; what rounds to nothing has none."""
    text = f"{100 * float(value):+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def f1(row):
    return f"{percent(row['f1'])} ({percent(row['f1_low'])}-{percent(row['f1_high'])})"


def difference(pair):
    star = " \\*" if float(pair["p_holm"]) < 0.05 else ""
    low, high = points(pair["difference_low"]), points(pair["difference_high"])
    return f"{points(pair['difference'])} ({low} to {high}){star}"


def line(name, cells, pairs):
    none, grounded = cells["none"], pairs["grounded"]
    shown = [name, percent(none["parse_rate"]), percent(none["not_in_document_rate"]), percent(none["copy_failure_rate"])]
    shown += [f1(cells[level]) for level in LEVELS]
    shown += [difference(pairs[level]) for level in LEVELS[1:]]
    shown += [points(grounded[part]) for part in PARTS]
    return "| " + " | ".join(shown) + " |"


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    summary, comparison, page = read(sys.argv[1]), read(sys.argv[2]), Path(sys.argv[3])
    text = page.read_text()
    whole = {}
    for row in summary:
        whole[row["corpus"]] = max(whole.get(row["corpus"], 1), int(row["documents"]))
    cells = {
        (row["model"], row["corpus"], row["format"], row["level"]): row
        for row in summary
        if int(row["documents"]) == whole[row["corpus"]]
    }
    pairs = {
        (row["model"], row["corpus"], row["format"], row["level"]): row
        for row in comparison
        if row["against_level"] == "none" and row["against_format"] == row["format"] and row["against_model"] == row["model"]
    }
    # In the order of the experiment file, which the summary keeps.
    places = list(dict.fromkeys((row["model"], row["corpus"]) for row in summary))
    for model, corpus in places:
        name = f"{model} {corpus}"
        marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
        if not marks.search(text):
            sys.exit(f"{page} has no place for {name}: write <!-- {name} --> and <!-- /{name} --> where the table is to stand")
        lines = [
            "| " + " | ".join(column for column, _ in HEAD) + " |",
            "|" + "".join("---:|" if number else "---|" for _, number in HEAD),
        ]
        missing = []
        for form in dict.fromkeys(row["format"] for row in summary if (row["model"], row["corpus"]) == (model, corpus)):
            here = {level: cells.get((model, corpus, form, level)) for level in LEVELS}
            against = {level: pairs.get((model, corpus, form, level)) for level in LEVELS[1:]}
            if all(here.values()) and all(against.values()):
                lines.append(line(form, here, against))
            else:
                missing.append(form)
        if missing:
            print(f"{name}: not complete and left out: {', '.join(missing)}", file=sys.stderr)
        table = "\n".join(lines) if len(lines) > 2 else "No format is complete yet."
        text = marks.sub(lambda found: found[1] + "\n" + table + "\n\n" + found[2], text)
    page.write_text(text)


if __name__ == "__main__":
    main()
