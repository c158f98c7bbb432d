"""Constraints in `transformers`: a logits processor for `generate()`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy
import torch

from ._errors import TokenError
from ._gramask import Constraint, State
from ._sequences import Sequences, bits, rows_for


class LogitsProcessor:
    """Masks the logits of `generate()` of a decoder-only model, so that every output is of its constraint's language.

    `constraints` has one for each prompt of the batch, or is a single one. With a `budget` (give the `max_new_tokens` of the call),
    every output is complete within it; a budget that is too small is refused here with BudgetError.

    Greedy decoding, sampling, several returned sequences and beam search work: a state follows from the tokens of its row, so
    that beams may be reordered. If a beam search has fewer valid outputs than beams, the superfluous beams have the score minus
    infinity. Make a processor for each call.

        processor = LogitsProcessor(constraint, budget=64)
        model.generate(**inputs, max_new_tokens=64, logits_processor=[processor])

    The vocabulary must be that of the model's tokenizer, and its end tokens those at which `generate` stops.
    """

    def __init__(self, constraints: Constraint | Iterable[Constraint], *, budget: int | Sequence[int] | None = None):
        several = isinstance(constraints, Iterable)
        self._sequences = Sequences(constraints if several else [constraints], budget)
        self._prompt: int | None = None
        self._length = 0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """The logits with minus infinity for each token that may not follow. `[rows, tokens]`, `[rows, size]`."""
        count, length = input_ids.shape
        constraints = self._sequences.constraints
        if self._prompt is None:
            self._prompt = length
        elif length != self._length + 1:
            raise ValueError(
                f"a call with {length} tokens follows one with {self._length}: make a LogitsProcessor for each generate()"
            )
        self._length = length
        if count % len(constraints):
            raise ValueError(f"{count} rows for {len(constraints)} constraints: give one for each prompt of the batch")
        each = count // len(constraints)
        rows = rows_for(constraints, count, scores.shape[-1])
        outputs = numpy.ascontiguousarray(input_ids[:, self._prompt :].cpu().numpy(), numpy.int64)
        self._sequences.step()
        for item in range(len(constraints)):
            states = [self._sequences.state(item, outputs[row]) for row in range(item * each, (item + 1) * each)]
            if all(state is None for state in states):
                raise TokenError(
                    f"prompt {item}: token {outputs[item * each, -1]} may not follow: another processor changed the logits after "
                    "the mask, or this processor is used for a second generate()"
                )
            for row, state in enumerate(states, item * each):
                self._sequences.fill(item, state, outputs.shape[1], rows[row])
        allowed = torch.from_numpy(bits(rows, scores.shape[-1])).to(scores.device)
        return scores.masked_fill(~allowed, -torch.inf)

    def state(self, item: int, tokens: Sequence[int]) -> State | None:
        """The state of prompt `item` after these output tokens; None if they leave the language."""
        return self._sequences.state(item, numpy.asarray(tokens, numpy.int64))
