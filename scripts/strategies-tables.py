#!/usr/bin/env python3
"""Puts a run of many strategies into a page, with a row for each strategy, between marks `<!-- NAME -->` and `<!-- /NAME -->`:

    scripts/strategies-tables.py runs/NAME/summary.csv PAGE

`f1 CORPUS`: strict F1 of each format, in points with its 95 % interval.
`speed CORPUS`: documents per second of each format, as a multiple of those of `unconstrained`, whose own are in the first row.
`means`: parse rate, speed (a geometric mean) and distortion over all formats and corpora.

Cells that are not complete are shown as `-`, and so is a mean that would be over fewer cells than the others of its column.
"""

import math
import sys
from pathlib import Path

from tables import complete, f1, markdown, percent, put, read

AGAINST = ("none", "unconstrained")


def rate(row):
    return float(row["documents_per_second"])


def mean(rows, figure):
    """The mean over cells, each counting as much as another; None where one of them does not know the figure."""
    values = [row[figure] for row in rows]
    return None if "" in values else sum(map(float, values)) / len(values)


def over_all(rows, against):
    """The cells of the table of means for the cells of one strategy, and of `unconstrained` at the same places."""
    ratios = [rate(row) / rate(other) for row, other in zip(rows, against)]
    whole = lambda figure: sum(int(row[figure]) for row in rows)
    known = lambda value, text: "-" if value is None else text(value)
    masked = rows[0]["level"] != "none"
    asked = masked and rows[0]["strategy"] != "lazy"  # of which lazy knows only those that the mask refused
    weighted = masked and all(row["log_weight_known"] == row["documents"] for row in rows)
    changed = "-" if any(row["changed_documents"] == "" for row in rows) else percent(whole("changed_documents") / whole("documents"))
    return [
        percent(mean(rows, "parse_rate")),
        f"{math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}",
        f"{mean(rows, 'tokens_per_second'):.0f}",
        percent(mean(rows, "forced_rate")),
        percent(mean(rows, "drafted_rate")),
        known(mean(rows, "removed_mass") if asked else None, percent),
        known(mean(rows, "log_weight") if weighted else None, lambda value: f"{value:.1f}"),
        known(mean(rows, "changed_best_per_output") if masked else None, lambda value: f"{value:.1f}"),
        known(mean(rows, "non_canonical_rate"), percent),
        changed,
        known(mean(rows, "attempts_per_document"), lambda value: f"{value:.1f}"),
    ]


MEANS = ["parse %", "docs/s", "tok/s", "forced %", "drafted %", "removed %", "log weight", "arg-max changed", "non-canon. %", "docs changed %", "attempts"]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    summary, page = read(sys.argv[1]), Path(sys.argv[2])
    whole = complete(summary)
    if len(whole) < len(summary):
        print(f"{sys.argv[1]}: {len(summary) - len(whole)} of {len(summary)} cells are not complete", file=sys.stderr)
    if len({row["model"] for row in summary}) > 1:
        sys.exit(f"{sys.argv[1]} has several models: give a run of one")
    cells = {(row["corpus"], row["format"], row["level"], row["strategy"]): row for row in whole}
    # In the order of the experiment file, which the summary keeps.
    each = lambda *columns: list(dict.fromkeys(tuple(row[column] for column in columns) for row in summary))
    strategies = each("level", "strategy")
    formats = [form for (form,) in each("format")]
    corpora = [corpus for (corpus,) in each("corpus")]

    for corpus in corpora:
        accuracies, speeds = [], []
        for strategy in strategies:
            here = [cells.get((corpus, form, *strategy)) for form in formats]
            against = [cells.get((corpus, form, *AGAINST)) for form in formats]
            accuracies.append([*strategy] + [f1(row) if row else "-" for row in here])
            if strategy == AGAINST:
                shown = [f"{rate(row):.2f} docs/s" if row else "-" for row in here]
            else:
                shown = [f"{rate(row) / rate(other):.2f}" if row and other else "-" for row, other in zip(here, against)]
            speeds.append([*strategy] + shown)
        put(page, f"f1 {corpus}", markdown(["level", "strategy"], formats, accuracies))
        put(page, f"speed {corpus}", markdown(["level", "strategy"], formats, speeds))

    lines = []
    for strategy in strategies:
        places = [(corpus, form) for corpus in corpora for form in formats]
        rows = [cells.get((*place, *strategy)) for place in places]
        against = [cells.get((*place, *AGAINST)) for place in places]
        lines.append([*strategy] + (over_all(rows, against) if all(rows) and all(against) else ["-"] * len(MEANS)))
    put(page, "means", markdown(["level", "strategy"], MEANS, lines))


if __name__ == "__main__":
    main()
