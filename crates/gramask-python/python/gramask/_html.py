"""Displays for notebooks: entities in their text, masks, traces."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

#: Colours of labels, for light and dark grounds; more labels use them again. They are those of the report's figures.
COLOURS = ("#0072b2", "#c85200", "#009e73", "#cc79a7", "#6b3fa0", "#8a5a00", "#56b4e9", "#6e7177")


def colour(labels: Sequence[str], label: str) -> str:
    """The colour of a label."""
    place = labels.index(label) if label in labels else len(labels)
    return COLOURS[place % len(COLOURS)]


def document(text: str, entities: Iterable, labels: Sequence[str] | None = None) -> str:
    """A text with its entities: each fragment underlined in its label's colour, with the label after its last one.

    Entities may nest or cross; discontinuous ones are numbered.
    """
    entities = list(entities)
    labels = list(labels) if labels is not None else sorted({entity.label for entity in entities})
    marks, numbered = [], 0
    for entity in entities:
        number = ""
        if len(entity.fragments) > 1:
            numbered += 1
            number = f"#{numbered}"
        marks += [(start, end, entity.label, number) for start, end in entity.fragments]
    # Each piece of the text lies in the same fragments from its beginning to its end.
    places = sorted({0, len(text), *(place for start, end, *_ in marks for place in (start, end) if place <= len(text))})
    out = []
    for start, end in zip(places, places[1:]):
        piece = html.escape(text[start:end])
        inside = sorted((mark for mark in marks if mark[0] <= start and end <= mark[1]), key=lambda m: (m[1] - m[0], m[2]))
        for level, (_, last, label, number) in enumerate(inside):
            shade = colour(labels, label)
            piece = (
                f'<span style="border-bottom:2px solid {shade};padding-bottom:{3 * level}px" '
                f'title="{html.escape(label)}">{piece}</span>'
            )
            if last == end:
                piece += f'<sub style="color:{shade};font-family:sans-serif">{html.escape(label + number)}</sub>'
        out.append(piece)
    return f'<div style="line-height:2.2;white-space:pre-wrap;font-family:serif;font-size:1.1em">{"".join(out)}</div>'


def code(text: str) -> str:
    """Text of a token, with what cannot be seen escaped."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return f'<code style="white-space:pre">{html.escape(shown)}</code>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are HTML."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def trace(tokens: Iterable) -> str:
    """The tokens of an output. The bar over a token is how much probability the mask removed, as in the report."""
    parts = []
    for token in tokens:
        removed = token.removed
        height = 0 if removed is None else round(30 * removed)
        note = [f"token {token.id}", token.chosen]
        if token.log_probability is not None:
            note.append(f"log p {token.log_probability:.3f}")
        if removed is not None:
            note.append(f"{100 * removed:.1f} % removed")
        if token.allowed is not None:
            note.append(f"{token.allowed} allowed")
        if token.wanted:
            note.append(f"the model wanted {token.wanted!r}")
        line = {"forced": "2px dotted #8a5a00", "drafted": "3px double #9c3a75"}.get(token.chosen, "2px solid #999")
        bar = f'<span style="display:block;height:{height}px;background:#c85200"></span>'
        parts.append(
            '<span style="display:inline-flex;flex-direction:column;justify-content:flex-end;height:56px;margin-right:1px" '
            f'title="{html.escape(", ".join(note))}">{bar}<span style="border-top:{line}">{code(token.text)}</span></span>'
        )
    return f'<div style="display:flex;flex-wrap:wrap;font-size:.85em">{"".join(parts)}</div>'
