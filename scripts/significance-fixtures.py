#!/usr/bin/env python3
"""Writes the intervals and p-values that the statistics of `gramask-ner` are tested against.

The counts are drawn by a seeded generator; the values come from `scipy.stats.bootstrap` (percentile method) and
`scipy.stats.permutation_test` (paired samples). Beside single outputs there are outputs with several seeds, whose F1 is averaged,
and the parts of a gap:

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


def percentiles(documents, statistic, rng):
    """The value of a statistic of documents, given by their numbers, and its percentile interval."""
    numbers = np.arange(documents)
    interval = stats.bootstrap((numbers,), statistic, n_resamples=RESAMPLES, method="percentile", vectorized=True,
                               confidence_level=0.95, batch=1000, rng=rng).confidence_interval
    return {"value": float(statistic(numbers)), "low": float(interval.low), "high": float(interval.high)}


def outputs(rng, gold, found):
    """Counts of one output of each document."""
    correct = rng.binomial(gold, found)
    return np.stack([correct, gold - correct, rng.poisson(0.4, len(gold))], axis=1)


def seeds_case(rng, documents, skill, seeds):
    """Two systems with several seeds each, or one: the means of the seeds' F1."""
    gold = rng.poisson(1.5, documents)
    first, second = ([outputs(rng, gold, found) for _ in range(count)] for found, count in zip(skill, seeds))

    def mean(numbers, axis=-1):
        return np.mean([f1(seed[numbers.astype(int)], axis=numbers.ndim - 1) for seed in first], axis=0)

    # A system with one output of each document has it for each seed of the other.
    count = max(seeds)
    pairs = [np.stack([first[i % seeds[0]], second[i % seeds[1]]], axis=1).reshape(-1, 3) for i in range(count)]

    def gap(left, right, axis=-1):
        left, right = left.astype(int), right.astype(int)
        return np.mean([f1(table[left], axis=left.ndim - 1) - f1(table[right], axis=right.ndim - 1) for table in pairs],
                       axis=0)

    numbers = np.arange(documents)
    test = stats.permutation_test((2 * numbers, 2 * numbers + 1), gap, permutation_type="samples", vectorized=True,
                                  n_resamples=RESAMPLES, batch=1000, rng=rng)
    return {
        "first": [seed.tolist() for seed in first], "second": [seed.tolist() for seed in second],
        "interval": percentiles(documents, mean, rng), "difference": float(test.statistic), "p": float(test.pvalue),
    }


def harmonic(counts, axis):
    """F1 of documents' (gold, predicted, found, right) along an axis; the last axis is the four."""
    gold, predicted, found, right = np.moveaxis(counts.sum(axis=axis).astype(float), -1, 0)
    precision, recall = right / np.maximum(predicted, 1), found / np.maximum(gold, 1)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-300)


def lenient(rng, gold, broken, skill):
    """A system's documents at four leniencies: some do not parse, and more is right at each step."""
    predicted = gold + rng.poisson(0.4, len(gold))
    parsed = rng.random(len(gold)) > broken
    most = np.minimum(gold, predicted)
    right = [rng.binomial(most, skill)]
    for _ in range(2):
        right.append(right[-1] + rng.binomial(most - right[-1], 0.3))
    found = right[2] + rng.binomial(gold - right[2], 0.1)
    exact = [np.stack([gold, predicted, hits, hits], axis=1) for hits in right[:2]]
    strict = np.where(parsed[:, None], exact[0], np.stack([gold, 0 * gold, 0 * gold, 0 * gold], axis=1))
    return [strict, *exact, np.stack([gold, predicted, found, right[2]], axis=1)]


def gap_case(rng, documents, systems):
    """The parts of the gap between two systems, each with (broken, skill)."""
    gold = rng.poisson(1.5, documents)
    first, second = (lenient(rng, gold, *system) for system in systems)

    def losses(system, numbers):
        parse, copy, count = (
            harmonic(system[i + 1][numbers], numbers.ndim - 1) - harmonic(system[i][numbers], numbers.ndim - 1)
            for i in range(3)
        )
        return [parse, copy, count, 1 - harmonic(system[3][numbers], numbers.ndim - 1)]

    def part(at):
        def statistic(numbers, axis=-1):
            numbers = numbers.astype(int)
            return losses(second, numbers)[at] - losses(first, numbers)[at]
        return statistic

    names = ["parse", "copy", "count", "recognition"]
    return {
        "first": [level.tolist() for level in first], "second": [level.tolist() for level in second],
        "parts": {name: percentiles(documents, part(at), rng) for at, name in enumerate(names)},
    }


def main():
    rng = np.random.default_rng(20)
    cases = [case(rng, documents, skill) for documents, skill in
             [(40, (0.6, 0.6)), (60, (0.7, 0.6)), (120, (0.5, 0.6)), (200, (0.8, 0.7)), (25, (0.3, 0.6))]]
    seeds = [seeds_case(rng, documents, skill, seeds) for documents, skill, seeds in
             [(50, (0.6, 0.5), (3, 3)), (40, (0.7, 0.5), (3, 1)), (60, (0.5, 0.5), (1, 2))]]
    gaps = [gap_case(rng, documents, systems) for documents, systems in
            [(60, ((0.0, 0.5), (0.4, 0.5))), (80, ((0.1, 0.6), (0.1, 0.4)))]]
    fixture = {"scipy": scipy.__version__, "resamples": RESAMPLES, "confidence": 0.95, "cases": cases, "seeds": seeds,
               "gaps": gaps}
    TARGET.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
