"""Constraints in vLLM: a logits processor for the interface `vllm.v1.sample.logits_processor.LogitsProcessor`.

    llm = LLM(model, logits_processors=["gramask.vllm:LogitsProcessor"])
    ask = {"format": "json-list", "text": text, "labels": ["Chemical", "Disease"], "level": "grounded"}
    llm.generate(prompt, SamplingParams(max_tokens=64, extra_args={"gramask": ask}))

A request without `extra_args["gramask"]` is not constrained. `{"json_schema": SCHEMA}`, `{"regex": PATTERN}`, `{"choice": TEXTS}`,
`{"lark": TEXT}`, `{"gbnf": TEXT}` and `{"grammar": TEXT}` ask for a plain grammar. `max_tokens` is the budget, within which the output
is complete; a budget that is too small is refused before decoding begins.

The processor is tested with stand-ins for vLLM's batches, not with vLLM itself. It needs output tokens as soon as they are
sampled, so that asynchronous scheduling and speculative decoding have to be off.
"""

from __future__ import annotations

from typing import Any

import numpy

from ._errors import Error
from ._gramask import Batch, Constraint, Format, Grammar, State, Vocabulary
from ._sequences import bits, check_budget

try:
    from vllm.v1.sample.logits_processor import LogitsProcessor as _Base
except ImportError:  # vLLM is not installed: the class can be made and tested all the same.
    _Base = object

_FORMAT_KEYS = {"format", "text", "labels", "level"}

#: What a plain grammar is asked for with, and what makes it.
_GRAMMARS = {
    "grammar": Grammar,
    "lark": Grammar.from_lark,
    "gbnf": Grammar.from_gbnf,
    "regex": Grammar.from_regex,
    "choice": Grammar.from_choice,
    "json_schema": Grammar.from_json_schema,
}


def _arguments(params: Any) -> dict | None:
    """What a request asks for. Raises ValueError for what is not understood."""
    asked = (getattr(params, "extra_args", None) or {}).get("gramask")
    if asked is None:
        return None
    if not isinstance(asked, dict):
        raise ValueError(f'extra_args["gramask"] is {type(asked).__name__}: give a dictionary')
    keys = set(asked)
    if len(keys) == 1 and keys <= _GRAMMARS.keys():
        return asked
    if {"format", "text", "labels"} <= keys <= _FORMAT_KEYS:
        if isinstance(asked["labels"], str):
            raise ValueError(f'extra_args["gramask"]: `labels` is {asked["labels"]!r}: give a list of labels')
        if asked.get("level", "grounded") not in ("syntax", "grounded"):
            raise ValueError(f'extra_args["gramask"]: `level` is {asked["level"]!r}: give `syntax` or `grounded`')
        return asked
    raise ValueError(
        f'extra_args["gramask"] has {", ".join(sorted(keys)) or "nothing"}: give one of {", ".join(_GRAMMARS)}, or `format`, `text`, '
        "`labels` and perhaps `level`"
    )


def _maker(asked: dict) -> Format | Grammar:
    """The format or the grammar of a request."""
    if "format" in asked:
        return Format(asked["format"], labels=list(asked["labels"]))
    [(kind, source)] = asked.items()
    return _GRAMMARS[kind](source)


class _Request:
    """A constrained request: its state, and how many of its tokens have been followed."""

    def __init__(self, constraint: Constraint, budget: int | None, output: list[int]):
        self.constraint = constraint
        self.state: State = constraint.start()
        self.budget = budget
        #: vLLM's own list, which grows.
        self.output = output
        self.followed = 0

    def follow(self) -> None:
        """Goes on to the latest token."""
        for token in self.output[self.followed :]:
            if not self.constraint.is_ended(self.state):
                self.state = self.constraint.advance(self.state, token)
            self.followed += 1

    def remaining(self) -> int | None:
        """How many tokens may still come."""
        return None if self.budget is None else self.budget - self.followed


class LogitsProcessor(_Base):
    """Masks the rows of constrained requests."""

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Raises ValueError for arguments that are not understood, and for formats and grammars that are wrong."""
        asked = _arguments(sampling_params)
        if asked is not None:
            _maker(asked)

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool):
        self._device = device
        self._vocabulary = _vocabulary(vllm_config)
        self._batch = Batch()
        self._makers: dict[str, Format | Grammar] = {}
        self._requests: dict[int, _Request] = {}

    def is_argmax_invariant(self) -> bool:
        """A mask changes the most likely token."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follows requests that were removed, added and moved, in this order, as vLLM prescribes."""
        if batch_update is None:
            return
        for place in batch_update.removed:
            self._requests.pop(place, None)
        for place, params, _prompt, output in batch_update.added:
            # A request may take the place of another one.
            self._requests.pop(place, None)
            asked = _arguments(params)
            if asked is not None:
                constraint = self._constraint(asked)
                check_budget(constraint, params.max_tokens, "the request")
                self._requests[place] = _Request(constraint, params.max_tokens, output)
        for first, second, direction in batch_update.moved:
            here, there = self._requests.pop(first, None), self._requests.pop(second, None)
            if here is not None:
                self._requests[second] = here
            if there is not None and direction.name == "SWAP":
                self._requests[first] = there

    def apply(self, logits):
        """The logits with minus infinity for each token that may not follow. `[requests, size]`."""
        if not self._requests:
            return logits
        import torch

        places = sorted(self._requests)
        requests = [self._requests[place] for place in places]
        size = logits.shape[-1]
        rows = numpy.zeros((len(places), (size + 31) // 32), numpy.int32)
        for request in requests:
            request.follow()
        live = [number for number, request in enumerate(requests) if not request.constraint.is_ended(request.state)]
        states = [requests[number].state for number in live]
        budgets = [requests[number].remaining() for number in live]
        masks = numpy.zeros((max(len(live), 1), rows.shape[1]), numpy.int32)
        if all(budget is None for budget in budgets):
            self._batch.fill_masks(states, masks)
        else:
            most = numpy.iinfo(numpy.int32).max
            self._batch.fill_masks(states, masks, budgets=[most if budget is None else budget for budget in budgets])
        rows[live] = masks[: len(live)]
        words = rows.view(numpy.uint32)
        for number in set(range(len(places))) - set(live):
            for end in self._vocabulary.end:
                words[number, end // 32] |= numpy.uint32(1 << (end % 32))
        allowed = torch.from_numpy(bits(rows, size)).to(logits.device)
        logits[places] = logits[places].masked_fill(~allowed, -torch.inf)
        return logits

    def _constraint(self, asked: dict) -> Constraint:
        """The constraint of a request. Formats are kept, so that their documents share what they can."""
        key = repr([(name, asked[name]) for name in sorted(asked) if name not in ("text", "level")])
        if key not in self._makers:
            self._makers[key] = _maker(asked)
        maker = self._makers[key]
        if isinstance(maker, Grammar):
            return maker.constraint(self._vocabulary)
        return maker.constraint(asked["text"], level=asked.get("level", "grounded"), vocabulary=self._vocabulary)


def _vocabulary(vllm_config: Any) -> Vocabulary:
    """The vocabulary of the model that vLLM serves."""
    from transformers import AutoTokenizer

    model = vllm_config.model_config
    tokenizer = AutoTokenizer.from_pretrained(model.tokenizer, trust_remote_code=getattr(model, "trust_remote_code", False))
    try:
        return Vocabulary.from_transformers(tokenizer, size=model.get_vocab_size())
    except Error as error:
        raise ValueError(f"the tokenizer {model.tokenizer}: {error}") from error
