#!/usr/bin/env python3
"""Writes the intervals and p-values that the statistics of `gramask-ner` are tested against.

The counts are drawn by a seeded generator; the values come from `scipy.stats.bootstrap` (percentile method) and
`scipy.stats.permutation_test` (paired samples):

    python3 -m venv VENV && VENV/bin/pip install scipy
    VENV/bin/python scripts/significance-fixtures.py

Writes crates/gramask-ner/tests/fixtures/significance.json.
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

TARGET = Path(__file__).resolve().parent.parent / "crates/gramask-ner/tests/fixtures/significance.json"
RESAMPLES = 50_000


def f1(counts, axis):
    """Micro-averaged F1 of documents' (correct, missed, spurious) along an axis; the last axis is the three."""
    correct, missed, spurious = np.moveaxis(counts.sum(axis=axis), -1, 0)
    return 2 * correct / np.maximum(2 * correct + missed + spurious, 1)


def case(rng, documents, skill):
    """Two systems on the same documents; the second one finds each entity with another probability."""
    gold = rng.poisson(1.5, documents)
    both = []
    for found in skill:
        correct = rng.binomial(gold, found)
        both.append(np.stack([correct, gold - correct, rng.poisson(0.4, documents)], axis=1))
    first, second = both

    def of_numbers(numbers, axis=-1):
        return f1(first[numbers.astype(int)], axis=numbers.ndim - 1)

    numbers = np.arange(documents)
    interval = stats.bootstrap((numbers,), of_numbers, n_resamples=RESAMPLES, method="percentile", vectorized=True,
                               confidence_level=0.95, batch=1000, rng=rng).confidence_interval

    # A shuffle exchanges the numbers of a document in the two systems; the first system's are the even ones.
    table = np.stack([first, second], axis=1).reshape(2 * documents, 3)

    def gap(left, right, axis=-1):
        left, right = table[left.astype(int)], table[right.astype(int)]
        return f1(left, axis=left.ndim - 2) - f1(right, axis=right.ndim - 2)

    test = stats.permutation_test((2 * numbers, 2 * numbers + 1), gap, permutation_type="samples", vectorized=True,
                                  n_resamples=RESAMPLES, batch=1000, rng=rng)
    return {
        "first": first.tolist(), "second": second.tolist(), "difference": float(test.statistic),
        "p": float(test.pvalue), "value": float(f1(first, axis=0)), "low": float(interval.low),
        "high": float(interval.high),
    }


def main():
    rng = np.random.default_rng(20)
    cases = [case(rng, documents, skill) for documents, skill in
             [(40, (0.6, 0.6)), (60, (0.7, 0.6)), (120, (0.5, 0.6)), (200, (0.8, 0.7)), (25, (0.3, 0.6))]]
    fixture = {"scipy": scipy.__version__, "resamples": RESAMPLES, "confidence": 0.95, "cases": cases}
    TARGET.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
