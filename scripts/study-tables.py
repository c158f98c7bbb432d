#!/usr/bin/env python3
"""Puts the study's tables into a page: adapters of one format, and adapters of many formats beside them.

    scripts/study-tables.py runs/study/NAME docs/findings.md [--program target/release/gramask]

In the run an adapter of one format has the name of its format. Here all of these are one model, `one`, so that `gramask compare`
can compare formats, and adapters of many formats with them. Three tables stand between the marks `<!-- study CORPUS formats -->`,
`<!-- study CORPUS between -->` and `<!-- study CORPUS many -->`, where the page has them. A star means p < 0.05 after Holm's
correction over the comparisons of a table.
"""

import argparse
import csv
import io
import pathlib
import subprocess
import tempfile

from tables import complete, markdown, percent, put, read

ONE = "one"
LEVELS = ("none", "syntax", "grounded")
PARTS = ("parse", "copy", "count", "recognition")


def points(value):
    text = f"{100 * float(value):+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def difference(row):
    star = " \\*" if float(row["p_holm"]) < 0.05 else ""
    return f"{points(row['difference'])} ({points(row['difference_low'])} to {points(row['difference_high'])}){star}"


def f1(row, side=""):
    shown = lambda name: percent(row[side + name])
    return f"{shown('f1')} ({shown('f1_low')}-{shown('f1_high')})"


def compare(program, scores, against):
    """The rows of `gramask compare`, by model, format and level."""
    command = [program, "compare", scores, "--csv", "--against", against]
    rows = csv.DictReader(io.StringIO(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    return {(row["model"], row["format"], row["level"]): row for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--program", default="target/release/gramask")
    args = parser.parse_args()
    summary = complete(read(args.run / "summary.csv"))
    formats = list(dict.fromkeys(row["format"] for row in summary if row["model"] == row["format"]))
    many = list(dict.fromkeys(row["model"] for row in summary if row["model"] not in formats))
    corpus = summary[0]["corpus"]
    whole = {(row["model"], row["format"], row["level"]) for row in summary}
    text = args.page.read_text()
    has = lambda name: f"<!-- {name} -->" in text
    with tempfile.TemporaryDirectory() as folder:
        scores = pathlib.Path(folder, "scores.csv")
        rows = [row for row in read(args.run / "scores.csv") if (row["model"], row["format"], row["level"]) in whole]
        for row in rows:
            row["model"] = ONE if row["model"] in formats else row["model"]
        with open(scores, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        masked = compare(args.program, scores, "none")
        between = compare(args.program, scores, formats[0])
        beside = compare(args.program, scores, ONE) if many else {}

    cells = {(row["model"], row["format"], row["level"]): row for row in summary}
    if has(f"study {corpus} formats"):
        lines = []
        for name in formats:
            own = [cells[name, name, level] for level in LEVELS]
            pair = masked[ONE, name, "grounded"]
            rates = [percent(own[0][key]) for key in ("parse_rate", "not_in_document_rate", "copy_failure_rate")]
            lines.append([name, *rates, *map(f1, own), difference(pair), *(points(pair[part]) for part in PARTS)])
        columns = ["parse %", "not in doc %", "copy failed %", *(f"F1 {level}" for level in LEVELS), "grounded - none", *PARTS]
        put(args.page, f"study {corpus} formats", markdown(["format"], columns, lines))
    if has(f"study {corpus} between"):
        lines = [
            [name, *(difference(between[ONE, name, level]) for level in ("none", "grounded"))]
            for name in formats[1:]
        ]
        columns = [f"none, to `{formats[0]}`", f"grounded, to `{formats[0]}`"]
        put(args.page, f"study {corpus} between", markdown(["format"], columns, lines))
    if has(f"study {corpus} many"):
        lines = []
        for model in many:
            for name in formats:
                if (model, name, "grounded") not in cells:
                    continue
                shown = [model, name]
                for level in ("none", "grounded"):
                    shown += [f1(cells[model, name, level]), difference(beside[model, name, level])]
                lines.append(shown)
        columns = ["F1 none", "to its own adapter", "F1 grounded", "to its own adapter"]
        put(args.page, f"study {corpus} many", markdown(["adapter", "format"], columns, lines))


if __name__ == "__main__":
    main()
