#!/usr/bin/env python3
"""Plots of the benches' CSV files, as SVG, with nothing but Python.

    scripts/plot-benches.py [--results benches/results] [--out docs/plots]

Of `kernels-*.csv` two plots for each device, by batch: each kernel's share of the device's copy bandwidth, and how many
times it is as fast as the same in single operations. Of `decode-*.csv`
a plot for each device and model: tokens per second by batch, with a mask and without.
"""

import argparse
import csv
import math
import pathlib
from collections import defaultdict
from html import escape

WIDTH, HEIGHT = 800, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 310, 40, 50
COLOURS = ["#1b6ca8", "#c8553d", "#588157", "#8d6a9f", "#d4a017", "#3a3a3a", "#2a9d8f", "#b56576", "#7f5539", "#00a1de"]


def ticks(low, high):
    """Powers of ten and their doubles and fivefolds within a range."""
    found = []
    power = math.floor(math.log10(low))
    while 10**power <= high:
        found += [factor * 10**power for factor in (1, 2, 5) if low <= factor * 10**power <= high]
        power += 1
    return found[:: max(1, len(found) // 8)] if len(found) > 10 else found


def short(number):
    return f"{number:,.0f}" if number >= 1 else f"{number:g}"


def plot(title, across, up, series):
    """Lines over two logarithmic axes; `series` has lists of points by name. Points that have no logarithm are left out."""
    series = {name: [point for point in line if min(point) > 0] for name, line in series.items()}
    series = {name: line for name, line in series.items() if line}
    points = [point for line in series.values() for point in line]
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y, high_y = min(y for _, y in points) / 1.3, max(y for _, y in points) * 1.3
    if low_x == high_x:
        low_x, high_x = low_x / 1.5, high_x * 1.5

    def place(x, y):
        right = (math.log(x) - math.log(low_x)) / (math.log(high_x) - math.log(low_x))
        above = (math.log(y) - math.log(low_y)) / (math.log(high_y) - math.log(low_y))
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - above * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>']
    for y in ticks(low_y, high_y):
        height = place(low_x, y)[1]
        out.append(f'<line x1="{LEFT}" y1="{height:.1f}" x2="{WIDTH - RIGHT}" y2="{height:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{short(y)}</text>')
    for x in sorted({x for x, _ in points}):
        right = place(x, low_y)[0]
        out.append(f'<line x1="{right:.1f}" y1="{HEIGHT - BOTTOM}" x2="{right:.1f}" y2="{HEIGHT - BOTTOM + 5}" stroke="#555"/>')
        out.append(f'<text x="{right:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(x)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>')
    out.append(f'<text transform="translate(16 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(up)}</text>')
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        dash = ' stroke-dasharray="6 3"' if number >= len(COLOURS) else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in sorted(line)))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (place(*point) for point in line)]
        height = TOP + 10 + 17 * number
        out.append(f'<line x1="{WIDTH - RIGHT + 15}" y1="{height}" x2="{WIDTH - RIGHT + 35}" y2="{height}" stroke="{colour}" '
                   f'stroke-width="2"{dash}/>')
        out.append(f'<text x="{WIDTH - RIGHT + 41}" y="{height + 4}" font-size="11">{escape(name)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("benches/results"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/plots"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.results.glob("kernels-*.csv")):
        share, speedup, last = defaultdict(list), defaultdict(list), {}
        for row in rows(path):
            name, batch = f"{row['kernel']} {row['shape']}"[:50], float(row["batch"])
            share[name].append((batch, float(row["share"])))
            if row["speedup"]:
                speedup[name].append((batch, float(row["speedup"])))
            last = row
        if share:
            title = f"Kernels on {last['adapter']}: share of {last['copy_gb_per_s']} GB/s"
            (options.out / f"{path.stem}.svg").write_text(plot(title, "batch", "share of the copy bandwidth", share))
        if speedup:
            title = f"Kernels on {last['adapter']}: times as fast as single operations"
            (options.out / f"{path.stem}-speedup.svg").write_text(plot(title, "batch", "times as fast", speedup))
    for path in sorted(options.results.glob("decode-*.csv")):
        series, last = defaultdict(list), {}
        for row in rows(path):
            if row["what"] != "prefill":
                name = f"{row['what']}, {row['weights']}, context {row['context']}"
                series[name].append((float(row["batch"]), float(row["tokens_per_s"])))
                last = row
        if series:
            title = f"Decoding {last['model']} on {last['adapter']}"
            (options.out / f"{path.stem}.svg").write_text(plot(title, "batch", "tokens per second", series))


if __name__ == "__main__":
    main()
