"""Vocabularies, constraints, states, batches."""

import copy
import os
import pickle
import threading
import time

import numpy
import pytest
from conftest import ENTITIES, LABELS, TEXT

import gramask


@pytest.fixture
def constraint(vocabulary):
    return gramask.Format("json-list").constraint(TEXT, labels=LABELS, vocabulary=vocabulary)


def follow(constraint, output):
    """The state after an output, token by token."""
    state = constraint.start()
    for token in constraint.vocabulary.cut(output):
        state = constraint.advance(state, token)
    return state


def test_a_vocabulary_of_tokens():
    vocabulary = gramask.Vocabulary([b"a", "é", b"\xff", "", "<end>"], end=4)
    assert len(vocabulary) == 5 and vocabulary.words == 1 and vocabulary.end == [4]
    assert [vocabulary.bytes(token) for token in range(5)] == [b"a", "é".encode(), b"\xff", b"", b"<end>"]
    assert vocabulary.is_special(4) and not vocabulary.is_special(0)
    assert vocabulary.decode([0, 1, 4]) == "aé" and vocabulary.cut("éa") == [1, 0]
    again = pickle.loads(pickle.dumps(vocabulary))
    assert [again.bytes(token) for token in range(5)] == [vocabulary.bytes(token) for token in range(5)]
    assert again.end == [4] and again.is_special(4)
    with pytest.raises(gramask.VocabularyError, match="end token 5 is outside the vocabulary of 5 ids"):
        gramask.Vocabulary([b"a"] * 5, end=5)
    with pytest.raises(gramask.VocabularyError, match="no end token"):
        gramask.Vocabulary([b"a"], end=[])
    with pytest.raises(gramask.VocabularyError, match="no token begins with byte 0x78 at byte 1"):
        vocabulary.cut("ax")
    with pytest.raises(IndexError, match="token 9 is outside"):
        vocabulary.bytes(9)
    with pytest.raises(TypeError, match="a token is bytes or str"):
        gramask.Vocabulary([1.5], end=0)


def test_a_vocabulary_by_name():
    with pytest.raises(gramask.VocabularyError, match="no-such-model.*smollm2-135m-instruct"):
        gramask.Vocabulary.from_pretrained("no-such-model")
    with pytest.raises(gramask.VocabularyError, match="no-such.gguf"):
        gramask.Vocabulary.from_pretrained("./no-such.gguf")


def test_masks_in_three_forms(constraint):
    state = constraint.start()
    assert constraint.forced_text(state) == "["
    state = constraint.advance_bytes(state, "[")
    ids = constraint.allowed(state)
    assert ids.dtype == numpy.int32 and ids.flags.writeable and (numpy.diff(ids) > 0).all()
    row = numpy.zeros(constraint.vocabulary.words, numpy.int32)
    constraint.fill_mask(state, row)
    bits = numpy.unpackbits(row.view(numpy.uint8), bitorder="little")
    assert numpy.flatnonzero(bits).tolist() == ids.tolist()
    mask = constraint.mask(state)
    assert list(mask) == ids.tolist() and len(mask) == len(ids)
    assert all(constraint.allows(state, token) == (token in mask) for token in range(len(constraint.vocabulary)))
    assert set(mask.tokens()) == {b"{", b'{"', b"]"} and numpy.int64(ids[0]) in mask and "[" not in mask
    assert "may follow" in repr(mask) and "<table>" in mask._repr_html_()


def test_longer_rows_are_cleared_beyond_the_vocabulary(constraint):
    words = constraint.vocabulary.words
    for kind in (numpy.int32, numpy.uint32):
        row = numpy.full(words + 3, 7, kind)
        constraint.fill_mask(constraint.start(), row)
        assert not row[words:].any() and row[:words].any()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (lambda words: numpy.zeros(words, numpy.int64), "its type is <i8"),
        (lambda words: numpy.zeros(2 * words, numpy.int32)[::2], "not contiguous"),
        (lambda words: numpy.zeros((1, 1, words), numpy.int32), "3 dimensions"),
        (lambda words: numpy.frombuffer(bytes(4 * words), numpy.int32), "read-only"),
        (lambda words: [0] * words, "it is no array"),
        (lambda words: None, "it is no array"),
    ],
)
def test_rows_that_cannot_be_filled(constraint, row, why):
    with pytest.raises(TypeError, match=why):
        constraint.fill_mask(constraint.start(), row(constraint.vocabulary.words))


def test_rows_that_are_too_short_or_too_many(constraint):
    words = constraint.vocabulary.words
    with pytest.raises(ValueError, match=f"{words - 1} words .* needs {words}"):
        constraint.fill_mask(constraint.start(), numpy.zeros(words - 1, numpy.int32))
    with pytest.raises(TypeError, match="2 rows for one state"):
        constraint.fill_mask(constraint.start(), numpy.zeros((2, words), numpy.int32))


def test_states_are_small_values(constraint):
    start = constraint.start()
    one = constraint.advance_bytes(start, '[{"text":"Nalo')
    other = follow(constraint, '[{"text":"Nalo')
    assert one == other and hash(one) == hash(other) and one != start and one != "state"
    assert {one: 1}[other] == 1
    assert copy.copy(one) is one and copy.deepcopy(one) is one
    assert one.constraint is constraint
    assert repr(one) == """<gramask.State after `[{\\"text\\":\\"Nalo`>"""
    # Going back is keeping the earlier state.
    assert constraint.allowed(start).tolist() == constraint.allowed(constraint.start()).tolist()
    with pytest.raises(AttributeError):
        one.anything = 1


def test_states_of_other_constraints_are_refused(constraint, vocabulary):
    other = gramask.Format("json-list").constraint(TEXT, labels=LABELS, vocabulary=vocabulary)
    assert other.start() != constraint.start()
    with pytest.raises(ValueError, match="belongs to another constraint"):
        constraint.allowed(other.start())


@pytest.mark.parametrize("level", ["syntax", "grounded"])
def test_pickles_hold_the_recipe_and_the_way(level, vocabulary):
    constraint = gramask.Format("json-list").constraint(TEXT, labels=LABELS, level=level, vocabulary=vocabulary)
    state = follow(constraint, '[{"text":"Naloxone","la')
    complete = follow(constraint, "[]")
    ended = constraint.advance(complete, vocabulary.end[0])
    assert len(pickle.dumps(state)) < 40_000
    again = pickle.loads(pickle.dumps([state, complete, ended, constraint.start()]))
    made = again[0].constraint
    assert all(state.constraint is made for state in again) and made.level == level and made.text == TEXT
    assert made.allowed(again[0]).tolist() == constraint.allowed(state).tolist()
    assert made.is_complete(again[1]) and not made.is_ended(again[1]) and made.is_ended(again[2])
    assert again[3] == made.start()


def test_the_end(constraint, vocabulary):
    state = follow(constraint, "[]")
    assert constraint.is_complete(state) and constraint.tokens_to_finish(state) == 1
    assert constraint.allowed(state).tolist() == vocabulary.end
    ended = constraint.advance(state, vocabulary.end[0])
    assert constraint.is_ended(ended) and constraint.is_complete(ended) and constraint.tokens_to_finish(ended) == 0
    assert constraint.allowed(ended).tolist() == []
    with pytest.raises(gramask.TokenError, match="follows an end token"):
        constraint.advance(ended, 0)


def test_tokens_that_may_not_follow_are_named(constraint, vocabulary):
    with pytest.raises(gramask.TokenError, match=r"token 120 may not follow: it writes `x`, and there could be `\[`"):
        constraint.advance(constraint.start(), ord("x"))
    with pytest.raises(gramask.TokenError, match=f"outside the vocabulary of {len(vocabulary)} ids"):
        constraint.advance(constraint.start(), 10**6)
    with pytest.raises(gramask.TokenError, match=r"byte 10, `Z`"):
        constraint.advance_bytes(constraint.start(), '[{"text":"Z')
    with pytest.raises(gramask.TokenError, match="could be nothing"):
        constraint.advance_bytes(constraint.advance(follow(constraint, "[]"), vocabulary.end[0]), "x")


def test_budgets(constraint):
    state = follow(constraint, "[")
    least = constraint.tokens_to_finish(state)
    assert constraint.allowed(state, budget=least - 1).tolist() == []
    tight = constraint.allowed(state, budget=least)
    assert 0 < len(tight) < len(constraint.allowed(state))
    assert constraint.allowed(state, budget=1000).tolist() == constraint.allowed(state).tolist()
    # Whatever is chosen, the output is complete within the budget.
    numbers = numpy.random.default_rng(1)
    for budget in range(constraint.tokens_to_finish(constraint.start()), 40):
        state, output = constraint.start(), []
        while not constraint.is_ended(state):
            output.append(int(numbers.choice(constraint.allowed(state, budget=budget - len(output)))))
            state = constraint.advance(state, output[-1])
        assert len(output) <= budget
        assert not constraint.grammar.read(TEXT, constraint.vocabulary.decode(output), LABELS).problems


def test_forced_bytes_lead_on(constraint):
    state = follow(constraint, '[{"')
    forced, after = constraint.forced_bytes(state)
    assert forced == b'text":"' and constraint.forced_text(state) == 'text":"'
    assert after == follow(constraint, '[{"text":"')
    # Half a character is no text.
    half = gramask.Grammar('start: "é" | "è"\n').constraint(constraint.vocabulary)
    assert half.forced_bytes(half.start())[0] == b"\xc3" and half.forced_text(half.start()) == ""


def test_a_batch_fills_what_single_calls_fill(vocabulary, mini):
    fmt = gramask.Format("json-offsets", labels=mini.labels)
    constraints = [fmt.constraint(document.text, vocabulary=vocabulary) for document in mini.documents[:6]]
    states = []
    for constraint in constraints:
        state = constraint.start()
        for _ in range(12):
            states.append(state)
            state = constraint.advance(state, int(constraint.allowed(state)[-1]))
            if constraint.is_ended(state):
                break
    batch = gramask.Batch(threads=2)
    assert batch.threads == 2
    rows = numpy.full((len(states) + 1, vocabulary.words + 1), -1, numpy.int32)
    for budgets in (None, 60, [40 + place for place in range(len(states))]):
        batch.fill_masks(states, rows, budgets=budgets)
        for place, state in enumerate(states):
            budget = budgets[place] if isinstance(budgets, list) else budgets
            row = numpy.zeros(vocabulary.words + 1, numpy.int32)
            state.constraint.fill_mask(state, row, budget=budget)
            assert rows[place].tolist() == row.tolist()
    assert (rows[-1] == -1).all(), "a row without a state is left alone"
    firsts = [constraint.start() for constraint in constraints]
    tokens = [int(constraint.allowed(state)[0]) for constraint, state in zip(constraints, firsts)]
    after = [constraint.advance(state, token) for constraint, state, token in zip(constraints, firsts, tokens)]
    assert batch.advance(firsts, tokens) == after
    with pytest.raises(ValueError, match="1 rows for 2 states"):
        batch.fill_masks(firsts[:2], rows[:1])
    with pytest.raises(ValueError, match="3 budgets for 2 states"):
        batch.fill_masks(firsts[:2], rows, budgets=[1, 2, 3])
    with pytest.raises(ValueError, match="at least 1"):
        gramask.Batch(threads=0)


def test_threads_share_a_constraint(constraint):
    states = [follow(constraint, '[{"text":"Naloxone"'[:length]) for length in range(1, 18)]
    wanted = [constraint.allowed(state).tolist() for state in states]
    wrong = []

    def work():
        for _ in range(50):
            for state, ids in zip(states, wanted):
                if constraint.allowed(state).tolist() != ids:
                    wrong.append(state)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_constraint_keeps_its_way_to_be_made(constraint):
    assert constraint.labels == LABELS and constraint.level == "grounded" and constraint.grammar.name == "json-list"
    assert "json-list" in repr(constraint) and constraint.visited[0] >= 1
    assert [entity.text(TEXT) for entity in ENTITIES] == ["Naloxone", "clonidine"]


def test_rows_that_overlap_are_refused(constraint, vocabulary):
    strides = numpy.lib.stride_tricks.as_strided
    for stride in (0, 4):
        rows = strides(numpy.zeros(4 * vocabulary.words, numpy.int32), (2, vocabulary.words), (stride, 4))
        with pytest.raises(TypeError, match="its rows overlap"):
            gramask.Batch(threads=1).fill_masks([constraint.start()] * 2, rows)


@pytest.mark.parametrize("end", [-1, "x", [1, -1], 2**40])
def test_what_is_no_id_is_said(end):
    with pytest.raises(TypeError, match="expected a token id, or a list of them"):
        gramask.Vocabulary(["a", "b"], end=end)


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(gramask.VocabularyError, match="special token 9 is outside the vocabulary of 2 ids"):
        gramask.Vocabulary(["a", ""], special=[9], end=1)
    vocabulary = gramask.Vocabulary(["a", ""], end=1)
    assert vocabulary.decode([0, 0, 1]) == "aa"
    with pytest.raises(IndexError, match="token 2 is outside"):
        vocabulary.decode([0, 2])


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(gramask.VocabularyError, match="str is no tokenizers.Tokenizer"):
        gramask.Vocabulary.from_tokenizers("tokenizer.json")


def test_arguments_that_are_neither_text_nor_bytes(constraint):
    for output in (None, 1, "\ud800"):
        with pytest.raises(TypeError, match="expected a str, without lone surrogates, or bytes"):
            constraint.advance_bytes(constraint.start(), output)
    row = numpy.zeros((1, constraint.vocabulary.words), numpy.int32)
    for budgets in ("x", [-1], [None]):
        with pytest.raises(TypeError, match="expected a number of tokens, or a list with one for each state"):
            gramask.Batch(threads=1).fill_masks([constraint.start()], row, budgets=budgets)


def test_empty_names_are_refused():
    with pytest.raises(gramask.FormatError, match="the name of the format is empty"):
        gramask.Format("")
    with pytest.raises(gramask.FormatError, match="the path of the grammar is empty"):
        gramask.Grammar("")
    with pytest.raises(gramask.CorpusError, match="the path of the corpus is empty"):
        gramask.read_corpus("")


def test_columns_go_with_conll_alone(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"id": "1", "text": "a", "entities": []}\n')
    with pytest.raises(gramask.CorpusError, match="is JSON lines, and the option `columns` goes with CoNLL alone"):
        gramask.read_corpus(path, columns="word=1,tag=2")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_batch_works_in_a_forked_process(constraint):
    batch = gramask.Batch(threads=2)
    states, rows = [constraint.start()] * 2, numpy.zeros((2, constraint.vocabulary.words), numpy.int32)
    batch.fill_masks(states, rows)
    child = os.fork()
    if child == 0:
        again = numpy.zeros_like(rows)
        batch.fill_masks(states, again)
        os._exit(0 if (again == rows).all() else 1)
    for _ in range(1000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.02)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child did not end within 20 seconds")
    assert os.waitstatus_to_exitcode(status) == 0
