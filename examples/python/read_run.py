#!/usr/bin/env python3
"""Reads a run and draws its figure: strict F1 of each format, by level, with intervals.

    python examples/python/read_run.py [RUN_FOLDER] [--figure f1.svg] [--quick]

Without a folder, the run of docs/findings.md in experiments/results/formats is taken. The figure needs matplotlib; the table does
not. `summary.csv` and `scores.csv` hold no text of a corpus, so that they can be published and read anywhere.
"""

import argparse
from pathlib import Path

import gramask

RESULTS = Path(__file__).resolve().parents[2] / "experiments/results/formats"


def draw(rows, path):
    """Points with intervals, a row for each format, a colour for each level."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as pyplot
    except ImportError:
        print("matplotlib is not installed: no figure is drawn")
        return
    colours = {"none": "#6e7177", "syntax": "#0072b2", "grounded": "#c85200"}
    formats = sorted({row["format"] for row in rows}, key=lambda name: best(rows, name))
    figure, axes = pyplot.subplots(figsize=(7, 0.5 + 0.45 * len(formats)), layout="constrained")
    for place, name in enumerate(formats):
        for row in (row for row in rows if row["format"] == name):
            ends = [[100 * (row["f1"] - row["f1_low"])], [100 * (row["f1_high"] - row["f1"])]]
            shift = {"none": -0.2, "syntax": 0.0, "grounded": 0.2}[row["level"]]
            axes.errorbar(100 * row["f1"], place + shift, xerr=ends, fmt="o", color=colours[row["level"]], markersize=4)
    axes.set_yticks(range(len(formats)), formats)
    axes.set_xlabel("strict F1, with 95 % intervals")
    for level, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=level)
    axes.legend(loc="lower right")
    figure.savefig(path)
    print(f"drew {path}")


def best(rows, name):
    """The best F1 of a format."""
    return max(row["f1"] for row in rows if row["format"] == name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, default=Path("f1.svg"))
    parser.add_argument("--quick", action="store_true", help="only the first model and corpus")
    options = parser.parse_args()
    run = gramask.load_run(options.run)
    rows = run.rows("summary.csv")
    first = rows[0]
    rows = [row for row in rows if (row["model"], row["corpus"]) == (first["model"], first["corpus"])]
    print(f"{run.name}: {first['model']} on {first['corpus']}, {first['documents']} documents in each cell")
    print(f"{'format':<20} {'level':<9} {'strategy':<14} {'parse':>6} {'strict F1':>22}")
    for row in rows:
        f1 = f"{100 * row['f1']:.1f} ({100 * row['f1_low']:.1f} to {100 * row['f1_high']:.1f})"
        print(f"{row['format']:<20} {row['level']:<9} {row['strategy']:<14} {100 * row['parse_rate']:>5.0f}% {f1:>22}")
    # What the level `grounded` adds is counted from documents, not from means: each document is a pair.
    scores = run.rows("scores.csv")
    of = {}
    for score in scores:
        if (score["model"], score["corpus"]) == (first["model"], first["corpus"]):
            of.setdefault(score["format"], {}).setdefault(score["level"], {})[score["document"]] = score
    for name, levels in of.items():
        if {"none", "grounded"} <= levels.keys():
            common = levels["none"].keys() & levels["grounded"].keys()
            better = sum(levels["grounded"][key]["strict"] > levels["none"][key]["strict"] for key in common)
            worse = sum(levels["grounded"][key]["strict"] < levels["none"][key]["strict"] for key in common)
            print(f"{name:<20} grounded finds more entities in {better} documents, fewer in {worse}, of {len(common)}")
        if options.quick:
            break
    if all(row.get("f1_low") is not None for row in rows):
        draw([row for row in rows if row["strategy"] in ("unconstrained", "masked")], options.figure)


if __name__ == "__main__":
    main()
