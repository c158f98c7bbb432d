"""States of sequences, found by their tokens. The processors for other libraries share it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy

from ._arguments import number_of
from ._errors import BudgetError, TokenError
from ._gramask import Constraint, State


def check_budget(constraint: Constraint, budget: int | None, name: str) -> None:
    """Raises BudgetError if no output can be completed within the budget."""
    needed = constraint.tokens_to_finish(constraint.start())
    if budget is not None and (needed is None or needed > budget):
        least = "no number of tokens can complete an output" if needed is None else f"the shortest output takes {needed}"
        raise BudgetError(f"{name}: the budget is {budget} tokens, but {least} (end token included)")


class Sequences:
    """The state of a sequence follows from its tokens alone, so that sequences may be reordered, copied and dropped as a beam
    search does. The states of the previous step are kept, so that a step costs one token."""

    def __init__(self, constraints: Iterable[Constraint], budget: int | Sequence[int | None] | None):
        self.constraints = list(constraints)
        if not self.constraints:
            raise ValueError("there is no constraint: give one for each prompt of the batch")
        for number, constraint in enumerate(self.constraints):
            if not isinstance(constraint, Constraint):
                kind = type(constraint).__name__
                raise TypeError(f"constraint {number} is a {kind}: give what `constraint(...)` of a Format or a Grammar made")
        each = isinstance(budget, Iterable)
        budgets = list(budget) if each else [budget] * len(self.constraints)
        budgets = [None if of is None else number_of(of, "the budget") for of in budgets]
        if len(budgets) != len(self.constraints):
            raise ValueError(f"{len(budgets)} budgets for {len(self.constraints)} constraints: give one, or one for each")
        self.budgets = budgets
        for number, (constraint, of) in enumerate(zip(self.constraints, budgets)):
            check_budget(constraint, of, f"constraint {number}")
        self._before: dict[tuple[int, bytes], State | None] = {}
        self._now: dict[tuple[int, bytes], State | None] = {}

    def step(self) -> None:
        """Begins a step: what was kept of the one before the previous step is dropped."""
        self._before, self._now = self._now, {}

    def state(self, item: int, tokens: numpy.ndarray) -> State | None:
        """The state of a sequence of constraint `item` after these tokens (int64). None if they leave the language."""
        key = (item, tokens.tobytes())
        if key in self._now:
            return self._now[key]
        parent = (item, tokens[:-1].tobytes())
        if len(tokens) and parent in self._before:
            state = self._advance(item, self._before[parent], int(tokens[-1]))
        else:
            state = self.constraints[item].start()
            for token in tokens.tolist():
                state = self._advance(item, state, token)
        self._now[key] = state
        return state

    def _advance(self, item: int, state: State | None, token: int) -> State | None:
        constraint = self.constraints[item]
        # After the end come padding tokens.
        if state is None or constraint.is_ended(state):
            return state
        try:
            return constraint.advance(state, token)
        except TokenError:
            return None

    def fill(self, item: int, state: State | None, count: int, row: numpy.ndarray) -> None:
        """Writes the mask of a sequence with `count` tokens into a row. A sequence that is over, or that left the language, may
        only end: libraries expect a token for each row."""
        constraint = self.constraints[item]
        if state is None or constraint.is_ended(state):
            row[:] = 0
            words = row.view(numpy.uint32)
            for end in constraint.vocabulary.end:
                words[end // 32] |= numpy.uint32(1 << (end % 32))
            return
        budget = self.budgets[item]
        constraint.fill_mask(state, row, budget=None if budget is None else budget - count)


def bits(rows: numpy.ndarray, size: int) -> numpy.ndarray:
    """Packed masks as truth values: `[rows, words]` of int32 to `[rows, size]` of bool."""
    return numpy.unpackbits(rows.view(numpy.uint8), axis=-1, bitorder="little", count=size).view(numpy.bool_)


def rows_for(constraints: Sequence[Constraint], count: int, size: int) -> numpy.ndarray:
    """Empty rows for a model of `size` logits."""
    largest = max(len(constraint.vocabulary) for constraint in constraints)
    if size < largest:
        raise ValueError(
            f"the model has {size} logits, and the vocabulary {largest} tokens: make the vocabulary of this model's tokenizer"
        )
    return numpy.zeros((count, (size + 31) // 32), numpy.int32)
