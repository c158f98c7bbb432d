"""The logits processors for llama-cpp-python and vLLM, with stand-ins for both libraries."""

import enum
from types import SimpleNamespace

import numpy
import pytest
from conftest import LABELS, TEXT

import gramask
from gramask.llama_cpp import LogitsProcessor as LlamaProcessor


@pytest.fixture
def fmt():
    return gramask.Format("json-list", labels=LABELS)


def test_a_completion_of_llama_cpp(fmt, vocabulary):
    """Draws the most likely token of random logits until the end, as a completion does."""
    numbers = numpy.random.default_rng(2)
    constraint = fmt.constraint(TEXT, vocabulary=vocabulary)
    size = len(vocabulary) + 5
    for budget in range(constraint.tokens_to_finish(constraint.start()), 30):
        processor = LlamaProcessor(constraint, budget=budget)
        tokens = numpy.array([5, 6, 7], numpy.intc)
        while len(tokens) < 3 + budget:
            masked = processor(tokens, numbers.standard_normal(size).astype(numpy.float32))
            assert masked.dtype == numpy.float32 and masked.shape == (size,)
            tokens = numpy.append(tokens, masked.argmax()).astype(numpy.intc)
            if tokens[-1] in vocabulary.end:
                break
        assert tokens[-1] in vocabulary.end
        assert not fmt.read(TEXT, vocabulary.decode(tokens[3:].tolist())).problems


def test_misuse_of_the_processor_for_llama_cpp(fmt, vocabulary):
    constraint = fmt.constraint(TEXT, vocabulary=vocabulary)
    with pytest.raises(gramask.BudgetError):
        LlamaProcessor(constraint, budget=1)
    with pytest.raises(TypeError, match="constraint 0 is a Format"):
        LlamaProcessor(fmt)
    with pytest.raises(TypeError, match="the budget is 2.5: give a whole number"):
        LlamaProcessor(constraint, budget=2.5)
    LlamaProcessor(constraint, budget=numpy.int64(40))
    scores = numpy.zeros(len(vocabulary), numpy.float32)
    processor = LlamaProcessor(constraint, prompt_tokens=2)
    with pytest.raises(gramask.TokenError, match="token 120 may not follow"):
        processor(numpy.array([1, 2, 120]), scores)
    with pytest.raises(ValueError, match="make the vocabulary"):
        processor(numpy.array([1, 2]), scores[:100])


class Direction(enum.Enum):
    """vLLM's `MoveDirectionality`."""

    UNIDIRECTIONAL = 0
    SWAP = 1


def update(removed=(), added=(), moved=()):
    """vLLM's `BatchUpdate`."""
    return SimpleNamespace(removed=removed, added=added, moved=moved, batch_size=0)


def params(max_tokens=None, **asked):
    return SimpleNamespace(max_tokens=max_tokens, extra_args={"gramask": asked} if asked else None)


@pytest.fixture
def processor(vocabulary, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed: the processor for vLLM is not tested")
    from gramask import vllm

    monkeypatch.setattr(vllm, "_vocabulary", lambda config: vocabulary)
    return vllm.LogitsProcessor(None, "cpu", False)


def allowed(row):
    import torch

    return torch.isfinite(row).nonzero().flatten().tolist()


def test_requests_of_vllm_are_followed(processor, fmt, vocabulary):
    import torch

    size = len(vocabulary) + 7
    ask = {"format": "json-list", "text": TEXT, "labels": LABELS}
    one, two, three = [], [], []
    processor.update_state(
        update(added=[(0, params(12, **ask), None, one), (1, params(), None, two), (2, params(grammar='start: "7"+\n'), [], three)])
    )
    processor.update_state(None)
    assert not processor.is_argmax_invariant()
    constraint = fmt.constraint(TEXT, vocabulary=vocabulary)
    state = constraint.start()
    logits = processor.apply(torch.zeros((3, size)))
    assert allowed(logits[0]) == constraint.allowed(state, budget=12).tolist()
    assert len(allowed(logits[1])) == size, "a request that asks for nothing is left alone"
    assert allowed(logits[2]) == [ord("7")]
    # vLLM appends to its own lists; then the first and the third change places, and the second moves to the end.
    one.append(ord("["))
    three += [ord("7"), ord("7")]
    state = constraint.advance(state, ord("["))
    processor.update_state(update(moved=[(0, 2, Direction.SWAP)]))
    logits = processor.apply(torch.zeros((3, size)))
    assert allowed(logits[2]) == constraint.allowed(state, budget=11).tolist()
    assert allowed(logits[0]) == [ord("7"), *vocabulary.end]
    processor.update_state(update(removed=[1], moved=[(2, 1, Direction.UNIDIRECTIONAL)]))
    logits = processor.apply(torch.zeros((2, size)))
    assert allowed(logits[1]) == constraint.allowed(state, budget=11).tolist()
    # What is added takes the place of what was there; an ended request may only end.
    three.append(vocabulary.end[0])
    logits = processor.apply(torch.zeros((2, size)))
    assert allowed(logits[0]) == vocabulary.end
    processor.update_state(update(removed=[0, 1], added=[(0, params(), None, [])]))
    assert len(allowed(processor.apply(torch.zeros((1, size)))[0])) == size


def test_a_batch_of_vllm_ends_within_its_budgets(processor, fmt, vocabulary, mini):
    import torch

    numbers = torch.Generator().manual_seed(4)
    documents, outputs = mini[:5], [[] for _ in range(5)]
    budgets = [20 + 7 * place for place in range(5)]
    added = [
        (place, params(budgets[place], format="json-list", text=document.text, labels=mini.labels), None, outputs[place])
        for place, document in enumerate(documents)
    ]
    processor.update_state(update(added=added))
    for _ in range(max(budgets)):
        logits = processor.apply(torch.randn((5, len(vocabulary)), generator=numbers))
        for output, token in zip(outputs, logits.argmax(-1).tolist()):
            if not output or output[-1] not in vocabulary.end:
                output.append(token)
    for document, output, budget in zip(documents, outputs, budgets):
        assert len(output) <= budget and output[-1] in vocabulary.end
        assert not fmt.read(document.text, vocabulary.decode(output), mini.labels).problems


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"format": "json-list"}, "has format: give one of grammar, lark, gbnf, regex, choice, json_schema, or `format`"),
        ({"format": "json-list", "text": "", "labels": "AB"}, "`labels` is 'AB': give a list"),
        ({"format": "json-list", "text": "", "labels": ["A"], "level": "none"}, "`level` is 'none': give `syntax` or `grounded`"),
        ({"regex": "("}, "not a regex"),
        ({"json_schema": {"type": "text"}}, "/type"),
        ({"format": "json-lst", "text": "", "labels": ["A"]}, "json-lst"),
        ({"format": "inline-xml", "text": "", "labels": ["A b"]}, "XML tag"),
        ({"grammar": "start: nothing\n"}, "1:8"),
        ({"grammar": "x", "text": "y"}, "has grammar, text"),
    ],
)
def test_requests_that_are_not_understood(processor, asked, why):
    with pytest.raises(ValueError, match=why):
        processor.validate_params(params(**asked))
    processor.validate_params(params())


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ({"grammar": 'start: "a"\n'}, "a"),
        ({"lark": 'start: "b" | "c"'}, "bc"),
        ({"gbnf": 'root ::= "d"'}, "d"),
        ({"regex": "[e-g]+"}, "efg"),
        ({"choice": ["x1", "y1"]}, "xy"),
        ({"json_schema": {"type": "array"}}, "["),
    ],
)
def test_plain_grammars_of_vllm(processor, vocabulary, asked, first):
    import torch

    processor.validate_params(params(**asked))
    processor.update_state(update(added=[(0, params(**asked), None, []), (1, params(**asked), None, [])]))
    logits = processor.apply(torch.zeros((2, len(vocabulary))))
    begins = {vocabulary.bytes(token)[:1].decode() for token in allowed(logits[0])}
    assert begins == set(first) and allowed(logits[0]) == allowed(logits[1])


def test_a_budget_that_is_too_small_is_refused(processor):
    ask = {"format": "json-list", "text": TEXT, "labels": LABELS}
    with pytest.raises(gramask.BudgetError, match="the request: the budget is 1 tokens"):
        processor.update_state(update(added=[(0, params(1, **ask), None, [])]))
