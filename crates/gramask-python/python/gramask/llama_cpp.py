"""Constraints in `llama-cpp-python`: a logits processor for `Llama.create_completion` and its kin."""

from __future__ import annotations

import numpy

from ._errors import TokenError
from ._gramask import Constraint
from ._sequences import Sequences, bits, rows_for


class LogitsProcessor:
    """Masks the logits of one completion, so that the output is of its constraint's language.

    With a `budget` (give the `max_tokens` of the call), the output is complete within it. `prompt_tokens` is the length of the
    prompt; without it, the tokens of the first call are the prompt. Make a processor for each completion.

        vocabulary = gramask.Vocabulary.from_pretrained("model.gguf")
        processor = LogitsProcessor(constraint, budget=64)
        llama.create_completion(prompt, max_tokens=64, logits_processor=LogitsProcessorList([processor]))
    """

    def __init__(self, constraint: Constraint, *, budget: int | None = None, prompt_tokens: int | None = None):
        self._sequences = Sequences([constraint], budget)
        self._prompt = prompt_tokens

    def __call__(self, input_ids: numpy.ndarray, scores: numpy.ndarray) -> numpy.ndarray:
        """The logits with minus infinity for each token that may not follow. `[tokens]`, `[size]`."""
        if self._prompt is None:
            self._prompt = len(input_ids)
        output = numpy.ascontiguousarray(input_ids[self._prompt :], numpy.int64)
        rows = rows_for(self._sequences.constraints, 1, scores.shape[-1])
        self._sequences.step()
        state = self._sequences.state(0, output)
        if state is None:
            raise TokenError(
                f"token {output[-1]} may not follow: another processor changed the logits after the mask, or this processor is "
                "used for a second completion"
            )
        self._sequences.fill(0, state, len(output), rows[0])
        return numpy.where(bits(rows, scores.shape[-1])[0], scores, -numpy.inf).astype(scores.dtype, copy=False)
