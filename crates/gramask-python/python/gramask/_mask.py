"""Masks and traces to look at."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

from . import _html

#: How many tokens a display shows, as in `gramask mask`.
SHOWN = 20


class Mask:
    """The tokens that may follow a state. `Constraint.mask` makes one. A notebook shows it as `gramask mask` does."""

    def __init__(self, constraint, state, ids):
        self.constraint = constraint
        self.state = state
        #: The ids of the tokens, ascending: a NumPy array of int32.
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self):
        return iter(self.ids.tolist())

    def __contains__(self, token: object) -> bool:
        try:
            token = operator.index(token)
        except TypeError:
            return False
        place = self.ids.searchsorted(token)
        return bool(place < len(self.ids) and self.ids[place] == token)

    def tokens(self) -> list[bytes]:
        """What the tokens write."""
        vocabulary = self.constraint.vocabulary
        return [vocabulary.bytes(token) for token in self]

    def _facts(self) -> list[tuple[str, str]]:
        constraint, state = self.constraint, self.state
        finish = constraint.tokens_to_finish(state)
        return [
            ("forced text", constraint.forced_text(state) or "none: there is a choice"),
            ("complete", "yes: it may end here" if constraint.is_complete(state) else "no"),
            ("tokens to finish", "these tokens can't finish it" if finish is None else str(finish)),
        ]

    def __repr__(self) -> str:
        vocabulary = self.constraint.vocabulary
        lines = [f"{len(self)} of {len(vocabulary)} tokens may follow"]
        lines += [f"{token:>8}  {_shown(vocabulary, token)}" for token in self.ids[:SHOWN].tolist()]
        if len(self) > SHOWN:
            lines.append(f"          and {len(self) - SHOWN} more")
        lines += [f"{name:<18} {value}" for name, value in self._facts()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        vocabulary = self.constraint.vocabulary
        rows = [(str(token), _html.code(_shown(vocabulary, token))) for token in self.ids[:SHOWN].tolist()]
        more = f"<p>and {len(self) - SHOWN} more</p>" if len(self) > SHOWN else ""
        facts = [(name, _html.code(value)) for name, value in self._facts()]
        return (
            f"<p>{len(self)} of {len(vocabulary)} tokens may follow</p>"
            f"{_html.table(['token', 'writes'], rows)}{more}{_html.table(['', ''], facts)}"
        )


def _shown(vocabulary, token: int) -> str:
    """A token for people."""
    return "the end" if token in vocabulary.end else vocabulary.bytes(token).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class TraceToken:
    """One token of an output. What is not known is None."""

    id: int
    text: str
    #: `sampled`, `forced` or `drafted`.
    chosen: str
    #: The natural logarithm of the token's probability under the model.
    log_probability: float | None = None
    #: The probability that the mask removed at this step.
    removed: float | None = None
    #: The text of the model's most likely token, if the mask refused it.
    wanted: str | None = None
    #: The number of tokens that were allowed.
    allowed: int | None = None


class Trace(Sequence):
    """The tokens of an output, as a run with `--trace` records them. A notebook shows them as the report does."""

    def __init__(self, tokens):
        self._tokens = tuple(tokens)

    @classmethod
    def of_record(cls, tokens: list[dict]) -> Trace:
        """The trace of a line of `records.jsonl`."""
        return cls(
            TraceToken(
                id=token["token"],
                text=token["text"],
                chosen=token["chosen"],
                log_probability=token.get("log_probability"),
                removed=token.get("removed"),
                wanted=(token.get("wanted") or {}).get("text"),
                allowed=token.get("allowed"),
            )
            for token in tokens
        )

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, place):
        return self._tokens[place]

    @property
    def text(self) -> str:
        """The text of all tokens."""
        return "".join(token.text for token in self._tokens)

    def __repr__(self) -> str:
        return f"<gramask.Trace of {len(self)} tokens>"

    def _repr_html_(self) -> str:
        return _html.trace(self._tokens)
