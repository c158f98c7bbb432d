#!/usr/bin/env python3
"""Puts a run of formats at the levels none, syntax and grounded into a page: a table for each model and corpus, with a row for
each format, between `<!-- MODEL CORPUS -->` and `<!-- /MODEL CORPUS -->`.

    gramask compare runs/NAME --csv > compare.csv
    scripts/findings-tables.py runs/NAME/summary.csv compare.csv docs/findings.md

Strict F1 is in points with its 95 % interval; a difference is that of the masked cell to the unmasked one, with a star where
its p is below 0.05 after Holm's correction over all comparisons of the command. Formats of which a cell is not complete are
left out, and said.
"""

import sys
from pathlib import Path

from tables import complete, f1, markdown, percent, put, read

LEVELS = ("none", "syntax", "grounded")
PARTS = ("parse", "copy", "count", "recognition")
COLUMNS = ("parse %", "not in doc %", "copy failed %", *(f"F1 {level}" for level in LEVELS), "syntax - none", "grounded - none", *PARTS)


def points(value):
    """A difference in points, with its sign; what rounds to nothing has none."""
    text = f"{100 * float(value):+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


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
    return shown


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    summary, comparison, page = read(sys.argv[1]), read(sys.argv[2]), Path(sys.argv[3])
    place = lambda row: (row["model"], row["corpus"], row["format"])
    cells = {(*place(row), row["level"]): row for row in complete(summary)}
    pairs = {
        (*place(row), row["level"]): row
        for row in comparison
        if row["against_level"] == "none" and row["against_format"] == row["format"] and row["against_model"] == row["model"]
    }
    # In the order of the experiment file, which the summary keeps.
    for model, corpus in dict.fromkeys(place(row)[:2] for row in summary):
        lines, missing = [], []
        for form in dict.fromkeys(row["format"] for row in summary if place(row)[:2] == (model, corpus)):
            here = {level: cells.get((model, corpus, form, level)) for level in LEVELS}
            against = {level: pairs.get((model, corpus, form, level)) for level in LEVELS[1:]}
            if all(here.values()) and all(against.values()):
                lines.append(line(form, here, against))
            else:
                missing.append(form)
        name = f"{model} {corpus}"
        if missing:
            print(f"{name}: not complete and left out: {', '.join(missing)}", file=sys.stderr)
        put(page, name, markdown(["format"], COLUMNS, lines) if lines else "No format is complete yet.")


if __name__ == "__main__":
    main()
