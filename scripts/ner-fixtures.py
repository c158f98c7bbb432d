#!/usr/bin/env python3
"""Writes the expected values that the metrics of `gramask-ner` are tested against.

The entities are drawn by a seeded generator; the values come from the Python package nervaluate:

    python3 -m venv VENV && VENV/bin/pip install nervaluate==1.2.1
    VENV/bin/python scripts/ner-fixtures.py

Writes crates/gramask-ner/tests/fixtures/{nervaluate,sets}.json.
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

from nervaluate.evaluator import Evaluator

FIXTURES = Path(__file__).resolve().parent.parent / "crates/gramask-ner/tests/fixtures"
LABELS = ["Chemical", "Disease", "Gene"]
SCHEMES = {"strict": "strict", "exact": "exact", "partial": "partial", "ent_type": "type"}


def flat(rng, length, density):
    """Entities (label, start, end), half-open, in order, without overlap; some touch each other."""
    found, at = [], 0
    while True:
        at += rng.choice([0, 1, 2, 5, 9])
        size = rng.choice([1, 2, 3, 5, 8, 130] if rng.random() < 0.05 else [1, 2, 3, 5, 8])
        if at + size > length:
            return found
        if rng.random() < density:
            found.append((rng.choice(LABELS), at, at + size))
        at += size


def disturbed(rng, gold, length):
    """Gold entities with every kind of error, again without overlap."""
    drawn = []
    for label, start, end in gold:
        fate = rng.random()
        if fate < 0.15:
            continue
        if fate < 0.35:
            start = max(0, start + rng.choice([-3, -1, 1]))
        if 0.25 < fate < 0.45:
            end = min(length, end + rng.choice([-1, 1, 4]))
        if 0.40 < fate < 0.60:
            label = rng.choice(LABELS)
        if fate > 0.95 and end - start > 2:
            drawn.append((label, start, start + 1))
            start += 1
        drawn.append((label, start, end))
    drawn += flat(rng, length, 0.08)
    drawn.sort(key=lambda e: (e[1], e[2]))
    kept, at = [], 0
    for label, start, end in drawn:
        if start >= at and start < end:
            kept.append((label, start, end))
            at = end
    return kept


def numbers(result):
    keys = ["correct", "incorrect", "partial", "missed", "spurious", "precision", "recall", "f1"]
    return {key: getattr(result, key) for key in keys}


def nervaluate_case(rng, documents, length, density):
    gold = [flat(rng, length, density) for _ in range(documents)]
    predicted = [disturbed(rng, doc, length) for doc in gold]
    # nervaluate's ends are inclusive.
    def dicts(docs):
        return [[{"label": lab, "start": s, "end": e - 1} for lab, s, e in doc] for doc in docs]

    result = Evaluator(dicts(gold), dicts(predicted), tags=LABELS, loader="dict").evaluate()
    schemes = lambda scores: {ours: numbers(scores[theirs]) for theirs, ours in SCHEMES.items()}
    return {
        "documents": [{"gold": g, "predicted": p} for g, p in zip(gold, predicted)],
        "overall": schemes(result["overall"]),
        "labels": {label: schemes(scores) for label, scores in sorted(result["entities"].items())},
    }


def sets_case(rng, documents):
    """Nested and discontinuous entities: strict scores by set arithmetic, no package needed."""
    def draw():
        fragments = [[s := rng.randrange(40), s + rng.randrange(1, 9)]]
        while rng.random() < 0.3:
            start = fragments[-1][1] + rng.randrange(1, 5)
            fragments.append([start, start + rng.randrange(1, 6)])
        return [rng.choice(LABELS), fragments]

    def unique(entities):
        return [json.loads(text) for text in dict.fromkeys(map(json.dumps, entities))]

    docs, hits, gold_count, predicted_count = [], 0, 0, 0
    for _ in range(documents):
        gold = unique(draw() for _ in range(rng.randrange(6)))
        predicted = unique([e for e in gold if rng.random() < 0.6] + [draw() for _ in range(rng.randrange(4))])
        rng.shuffle(predicted)
        docs.append({"gold": gold, "predicted": predicted})
        hits += len(set(map(json.dumps, gold)) & set(map(json.dumps, predicted)))
        gold_count += len(gold)
        predicted_count += len(predicted)
    precision = hits / predicted_count if predicted_count else 0.0
    recall = hits / gold_count if gold_count else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"documents": docs, "correct": hits, "precision": precision, "recall": recall, "f1": f1}


def write(name, packages, cases):
    FIXTURES.mkdir(parents=True, exist_ok=True)
    path = FIXTURES / f"{name}.json"
    made_with = {package: version(package) for package in packages}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f'{{"made_with":{json.dumps(made_with)},"cases":[\n{lines}\n]}}\n')
    print(path.name, len(cases), "cases", path.stat().st_size, "bytes")


def main():
    rng = random.Random(20130615)
    grid = [(1, 20, 0.5), (3, 60, 0.3), (5, 60, 0.9), (4, 400, 0.2)]
    write("nervaluate", ["nervaluate"], [nervaluate_case(rng, *shape) for shape in grid for _ in range(12)])
    rng = random.Random(20130616)
    write("sets", [], [sets_case(rng, n) for n in [1, 3, 8] for _ in range(10)])


if __name__ == "__main__":
    main()
