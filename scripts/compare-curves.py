#!/usr/bin/env python3
"""Compares the training curves of two devices, step by step.

    scripts/compare-curves.py runs/ONE/curve.csv runs/OTHER/curve.csv [--tolerance 0.02]

Both trainings have the same file and seed. Rounding makes them drift apart slowly, and an error makes them differ at once.
Exits with 1 where a loss differs by more than the tolerance, as a share of it.
"""

import argparse
import csv
import sys


def losses(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curves", nargs=2)
    parser.add_argument("--tolerance", type=float, default=0.02)
    args = parser.parse_args()
    one, other = map(losses, args.curves)
    steps = sorted(one.keys() & other.keys())
    if not steps:
        sys.exit("the curves have no step in common")
    worst = max(steps, key=lambda step: abs(one[step] - other[step]) / one[step])
    share = abs(one[worst] - other[worst]) / one[worst]
    print(f"{len(steps)} steps; the greatest difference is {share:.2e} of the loss, at step {worst}: "
          f"{one[worst]:.6f} and {other[worst]:.6f}")
    sys.exit(share > args.tolerance)


if __name__ == "__main__":
    main()
