"""Metrics of predicted entities."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from . import _gramask
from ._arguments import labels_of, number_of
from ._errors import MetricError

#: The schemes of SemEval 2013, task 9.1.
SCHEMES = ("strict", "exact", "partial", "type")


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 from 0 to 1, the counts that they follow from, and the interval of F1."""

    precision: float
    recall: float
    f1: float
    correct: int
    incorrect: int
    partial: int
    missed: int
    spurious: int
    #: The lower and the upper end for F1; None for a single label.
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Evaluation:
    """How well predicted entities match the gold ones, over all documents."""

    documents: int
    gold: int
    predicted: int
    strict: Score
    exact: Score
    partial: Score
    type: Score
    #: For each label the scores by scheme.
    labels: dict[str, dict[str, Score]] = field(repr=False)
    #: How often each kind of error occurs.
    errors: dict[str, int] = field(repr=False)
    confidence: float = 0.95

    def to_frame(self):
        """The scores as a pandas DataFrame, a row for each scheme and label. Needs pandas."""
        import pandas

        rows = [{"label": "all", "scheme": scheme, **vars(getattr(self, scheme))} for scheme in SCHEMES]
        for label, scores in self.labels.items():
            rows += [{"label": label, "scheme": scheme, **vars(score)} for scheme, score in scores.items()]
        return pandas.DataFrame(rows).set_index(["label", "scheme"])

    def __repr__(self) -> str:
        low, high = self.strict.interval or (self.strict.f1, self.strict.f1)
        return (
            f"<gramask.Evaluation: strict F1 {100 * self.strict.f1:.1f} ({100 * low:.1f} to {100 * high:.1f}), "
            f"{self.documents} documents, {self.gold} gold, {self.predicted} predicted>"
        )

    def _repr_html_(self) -> str:
        rows = []
        for scheme in SCHEMES:
            score = getattr(self, scheme)
            low, high = score.interval or (score.f1, score.f1)
            cells = [f"{100 * value:.1f}" for value in (score.precision, score.recall, score.f1)]
            rows.append([scheme, *cells, f"{100 * low:.1f} to {100 * high:.1f}"])
        heads = ["scheme", "precision", "recall", "F1", f"{100 * self.confidence:g} %"]
        head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Comparison:
    """The F1 of two systems on the same documents, their difference, and its two-sided p-value."""

    first: float
    second: float
    difference: float
    p: float
    scheme: str


def _entities(documents: Iterable) -> list:
    """The entities of each document: a list of them, or an object with `entities`."""
    return [getattr(document, "entities", document) for document in documents]


def _at_least(value: int, name: str, least: int) -> int:
    try:
        return number_of(value, name, least)
    except ValueError as error:
        raise MetricError(str(error)) from None


def _score(fields: dict, interval: Sequence[float] | None = None) -> Score:
    return Score(**fields, interval=None if interval is None else (interval[0], interval[1]))


def evaluate(
    gold: Iterable,
    predicted: Iterable,
    *,
    labels: Sequence[str] | None = None,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 1,
) -> Evaluation:
    """Compares predicted entities with gold ones, document by document.

    Both arguments have an item for each document: a list of entities, or an object with `entities` (`Document`, `Reading`). The
    figures are micro-averaged, by the four schemes of SemEval 2013, task 9.1: strict (same label and fragments), exact (same
    fragments), partial (an overlap counts half), type (same label, any overlap). `labels` defaults to all that occur; a
    predicted entity of another label is spurious. The intervals of F1 are percentiles of a bootstrap over the documents.

    Raises MetricError if the numbers of documents differ, or a number is out of its range.
    """
    labels, samples, seed = labels_of(labels), _at_least(samples, "samples", 1), _at_least(seed, "seed", 0)
    made = _gramask.evaluate(_entities(gold), _entities(predicted), labels, confidence, samples, seed)
    made = json.loads(made)
    summary, intervals = made["summary"], made["intervals"]
    scores = {scheme: _score(summary["overall"][scheme], intervals[scheme]) for scheme in SCHEMES}
    by_label = {
        line["label"]: {scheme: _score(line[scheme]) for scheme in SCHEMES} for line in summary["labels"]
    }
    return Evaluation(
        documents=summary["documents"],
        gold=summary["gold"],
        predicted=summary["predicted"],
        labels=by_label,
        errors=summary["errors"],
        confidence=made["confidence"],
        **scores,
    )


def compare(
    gold: Iterable,
    first: Iterable,
    second: Iterable,
    *,
    labels: Sequence[str] | None = None,
    scheme: str = "strict",
    shuffles: int = 10_000,
    seed: int = 1,
) -> Comparison:
    """Tests whether two systems differ on the same documents, by paired approximate randomisation (Yeh 2000).

    The arguments are those of `evaluate`. `difference` is the first system's F1 less the second's. `holm` corrects the p-values
    of several comparisons. Raises MetricError as `evaluate` does, and for an unknown scheme.
    """
    labels, shuffles, seed = labels_of(labels), _at_least(shuffles, "shuffles", 1), _at_least(seed, "seed", 0)
    values = _gramask.compare(_entities(gold), _entities(first), _entities(second), labels, scheme, shuffles, seed)
    return Comparison(*values, scheme)
