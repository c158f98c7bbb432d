"""Formats: writers, readers, and the masks of all of them."""

import json
import pickle
import re
import subprocess
import sys

import numpy
import pytest
from conftest import ENTITIES, LABELS, ROOT, TEXT

import gramask

FORMATS = gramask.Format.builtin()


def passes(fmt, labels):
    """The lists of labels that a document is asked for."""
    return fmt.passes(labels)


def test_names_paths_and_texts(tmp_path):
    source = "// One line per entity.\nstart: entity*\nentity: @label \": \" @text \"\\n\"\n"
    path = tmp_path / "mine.gram"
    path.write_text(source)
    text, file, name = gramask.Format(source), gramask.Format(path), gramask.Format(str(path))
    assert (text.name, file.name, name.name) == ("format", "mine", "mine")
    assert text.description == "One line per entity." and text.source == source
    written = file.write(TEXT, ENTITIES)
    assert written == ("Chemical: Naloxone\nChemical: clonidine\n", [])
    assert not file.nests and not file.discontinuous and gramask.Format("json-parts").discontinuous


def test_messages_are_those_of_the_command():
    with pytest.raises(gramask.FormatError, match="2:21: unknown terminal `@txt`"):
        gramask.Format('start: entity*\nentity: @label ": " @txt "\\n"\n')
    with pytest.raises(gramask.FormatError, match="(?s)json-lst.*json-list"):
        gramask.Format("json-lst")
    with pytest.raises(TypeError, match="a format is a name, a path or the text"):
        gramask.Format(3)
    with pytest.raises(TypeError, match="the labels are missing"):
        gramask.Format("json-list").constraint(TEXT, vocabulary=gramask.Vocabulary.from_pretrained("bytes"))
    with pytest.raises(gramask.SchemaError, match="is no name of an XML tag"):
        gramask.Format("inline-xml", labels=["a b"])
    with pytest.raises(gramask.SchemaError, match="a label is empty"):
        gramask.Format("json-list", labels=[" "])
    with pytest.raises(gramask.SchemaError, match="%pass label"):
        gramask.Format("label-list").write(TEXT, ENTITIES, ["Chemical", "Disease"])


def test_constraints_that_cannot_be(vocabulary):
    fmt = gramask.Format("json-list", labels=LABELS)
    with pytest.raises(gramask.ConstraintError, match="unknown level `strict`: give `none`, `syntax` or `grounded`"):
        fmt.constraint(TEXT, level="strict", vocabulary=vocabulary)
    with pytest.raises(gramask.ConstraintError, match="level `none` has no constraint"):
        fmt.constraint(TEXT, level="none", vocabulary=vocabulary)
    few = gramask.Vocabulary([b"a", b"<end>"], end=1)
    with pytest.raises(gramask.ConstraintError, match="no token writes the byte 0x5b"):
        fmt.constraint(TEXT, vocabulary=few)
    with pytest.raises(gramask.ConstraintError, match="character 1 of the document"):
        gramask.Format("inline-xml", labels=LABELS).constraint("a\x00b", vocabulary=vocabulary)


def test_offsets_are_those_of_python_strings():
    text = "α-actin 😀 and Naloxone"
    start = text.index("Naloxone")
    entities = [gramask.Entity("Gene", 0, 7), gramask.Entity("Chemical", start, len(text))]
    for name in ("json-offsets", "inline-xml", "word-index", "bio-lines"):
        fmt = gramask.Format(name, labels=LABELS)
        reading = fmt.read(text, fmt.write(text, entities).text)
        assert reading == (entities, []), name
        assert [text[entity.start : entity.end] for entity in reading.entities] == ["α-actin", "Naloxone"]


def test_entities_in_other_forms():
    fmt = gramask.Format("json-list")
    wanted = fmt.write(TEXT, ENTITIES).text
    forms = [
        [("Chemical", 0, 8), ("Chemical", [(49, 58)])],
        [{"label": "Chemical", "start": 0, "end": 8}, {"label": "Chemical", "fragments": [{"start": 49, "end": 58}]}],
        iter(ENTITIES),
    ]
    assert [fmt.write(TEXT, form).text for form in forms] == [wanted] * 3
    assert repr(ENTITIES[0]) == "Entity('Chemical', 0, 8)" and ENTITIES[0] in {ENTITIES[0]}
    parts = gramask.Entity("Disease", fragments=[(14, 20), (0, 6)])
    assert parts.fragments == ((0, 6), (14, 20)) and eval(repr(parts), {"Entity": gramask.Entity}) == parts
    assert pickle.loads(pickle.dumps(parts)) == parts
    for wrong in ("Chemical", ("Chemical", 0), {"label": "Chemical"}, 3):
        with pytest.raises(TypeError, match="is no entity"):
            fmt.write(TEXT, [wrong])
    with pytest.raises(ValueError, match="8..8 is empty or reversed"):
        gramask.Entity("Chemical", 8, 8)
    with pytest.raises(ValueError, match="lies outside the document"):
        gramask.Entity("Chemical", 0, 100).text(TEXT)


def test_what_is_not_said_comes_back():
    written = gramask.Format("json-list", labels=LABELS).write(TEXT, [("Chemical", 0, 8), ("Chemical", 1, 8)])
    [(entity, reason)] = written.unexpressed
    assert entity == gramask.Entity("Chemical", 1, 8) and "word" in reason


def test_outputs_that_are_wrong():
    fmt = gramask.Format("json-list", labels=LABELS)
    with pytest.raises(gramask.ReadError, match="byte 0: found"):
        fmt.read(TEXT, "none")
    with pytest.raises(gramask.ReadError, match="ends at byte 1"):
        fmt.read(TEXT, "[")
    reading = fmt.read(TEXT, '[{"text":"aspirin","label":"Chemical"},{"text":"rats","label":"Animal"}]')
    assert reading.entities == [] and len(reading.problems) == 2
    assert "`aspirin` is not in the document" in reading.problems and "unknown label `Animal`" in reading.problems
    repaired = fmt.repair(TEXT, "[{'text': 'naloxone', 'label': 'chemical'}, {'text': 'cloni")
    assert repaired.entities == ENTITIES[:1] and repaired.edits["realigned"] == 1
    assert fmt.read(TEXT, repaired.text).entities == repaired.entities


@pytest.mark.parametrize("name", FORMATS)
def test_written_entities_are_read(name, mini):
    fmt = gramask.Format(name)
    assert pickle.loads(pickle.dumps(fmt)) == fmt
    for document in mini.documents[:10]:
        for labels in passes(fmt, mini.labels):
            written = fmt.write(document.text, document.entities, labels)
            left = {entity for entity, _ in written.unexpressed}
            said = [entity for entity in document.entities if entity not in left]
            reading = fmt.read(document.text, written.text, labels)
            assert sorted(reading.entities, key=repr) == sorted(said, key=repr) and not reading.problems
            if "@each" in fmt.source or len(fmt.passes(["A", "B"])) > 1:
                with pytest.raises(TypeError, match="the labels are missing"):
                    fmt.read(document.text, written.text)
            else:
                # The labels are those of the entities and of the output, where none are given.
                assert fmt.write(document.text, document.entities).text == written.text
                assert fmt.read(document.text, written.text) == reading


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("level", ["syntax", "grounded"])
def test_masks_are_those_of_every_token_tried(name, level, vocabulary, mini):
    """Each token is allowed exactly if its bytes may follow; the written output is allowed throughout."""
    fmt, document = gramask.Format(name), mini[0]
    labels = passes(fmt, mini.labels)[0]
    constraint = fmt.constraint(document.text, labels=labels, level=level, vocabulary=vocabulary)
    written = fmt.write(document.text, document.entities, labels).text
    state, tokens = constraint.start(), vocabulary.cut(written)
    for step, token in enumerate(tokens):
        allowed = set(constraint.allowed(state).tolist())
        assert token in allowed
        if step % 7 == 0:
            for other in range(len(vocabulary)):
                fits = other in vocabulary.end and constraint.is_complete(state)
                if other not in vocabulary.end:
                    try:
                        constraint.advance_bytes(state, vocabulary.bytes(other))
                        fits = True
                    except gramask.TokenError:
                        pass
                assert (other in allowed) == fits, (written[:step], vocabulary.bytes(other))
        state = constraint.advance(state, token)
    assert constraint.is_complete(state)


@pytest.mark.parametrize("name", FORMATS)
def test_masks_are_those_of_the_command(name, vocabulary, mini):
    fmt, document = gramask.Format(name), mini[1]
    labels = passes(fmt, mini.labels)[0]
    written = fmt.write(document.text, document.entities, labels).text
    after = written[: len(written) // 2]
    for level in ("syntax", "grounded"):
        constraint = fmt.constraint(document.text, labels=labels, level=level, vocabulary=vocabulary)
        state = constraint.advance_bytes(constraint.start(), after)
        asked = ["mask", "--format", name, "--labels", ",".join(labels), "--text", document.text, f"--after={after}"]
        asked += ["--level", level, "--vocabulary", "bytes", "--all"]
        done = subprocess.run([sys.executable, "-m", "gramask", *asked], capture_output=True, text=True, check=True)
        said = re.findall(r"^ *(\d+)  `", done.stdout, re.M)
        ends = vocabulary.end if "  the end" in done.stdout else []
        assert constraint.allowed(state).tolist() == sorted([*map(int, said), *ends])
        finish = re.search(r"tokens to finish +(\d+)", done.stdout)
        assert int(finish[1]) == constraint.tokens_to_finish(state)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("level", ["syntax", "grounded"])
def test_random_outputs_are_complete_within_any_budget(name, level, vocabulary, mini):
    fmt, document = gramask.Format(name), mini[2]
    numbers = numpy.random.default_rng(7)
    for labels in passes(fmt, mini.labels):
        constraint = fmt.constraint(document.text, labels=labels, level=level, vocabulary=vocabulary)
        least = constraint.tokens_to_finish(constraint.start())
        for budget in (least, least + 3, least + 30):
            state, output = constraint.start(), []
            while not constraint.is_ended(state):
                output.append(int(numbers.choice(constraint.allowed(state, budget=budget - len(output)))))
                state = constraint.advance(state, output[-1])
            assert len(output) <= budget
            reading = fmt.read(document.text, vocabulary.decode(output), labels)
            assert level == "syntax" or not reading.problems


def test_messages_ask_as_the_command_does():
    fmt = gramask.Format("json-list", labels=["Chemical", "Disease"])
    system, user = fmt.messages(TEXT)
    assert system["role"] == "system" and "The labels are: Chemical, Disease." in system["content"]
    assert fmt.description in system["content"] and user == {"role": "user", "content": TEXT}
    turns = fmt.messages(TEXT, examples=[("Aspirin helps.", [("Chemical", 0, 7)])])
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[2]["content"] == '[{"text":"Aspirin","label":"Chemical"}]'


def test_plain_grammars(vocabulary, tmp_path):
    source = 'start: item ("," item)*\nitem: "(" start ")" | /[a-c]+/\n'
    grammar = gramask.Grammar(source)
    constraint = grammar.constraint(vocabulary)
    assert constraint.text is None and constraint.level == "syntax"
    state = constraint.advance_bytes(constraint.start(), "a,(b")
    assert set(constraint.mask(state).tokens()) >= {b"a", b"b", b")", b","}
    assert not constraint.is_complete(state) and constraint.shortest_rest(state) == b")"
    again = pickle.loads(pickle.dumps(state))
    assert again.constraint.grammar == grammar and again.constraint.shortest_rest(again) == b")"
    path = tmp_path / "list.gram"
    path.write_text(source)
    assert gramask.Grammar(path).name == "list"
    with pytest.raises(gramask.FormatError, match="gramask.Format"):
        gramask.Grammar("json-list")
    with pytest.raises(gramask.FormatError, match="1:8"):
        gramask.Grammar("start: nothing\n")


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"\d{4}-\d\d", "2026-11", "2026-1x"),
        (r"a/b\/c", "a/b/c", "a/c"),
        ("(?i)yes|no", "YeS", "yo"),
        ("x\ny", "x\ny", "xy"),
    ],
)
def test_regular_expressions(pattern, good, bad, vocabulary):
    constraint = gramask.Grammar.from_regex(pattern).constraint(vocabulary)
    assert constraint.is_complete(constraint.advance_bytes(constraint.start(), good))
    with pytest.raises(gramask.TokenError):
        constraint.advance_bytes(constraint.start(), bad)


def accepts(grammar, vocabulary, text):
    constraint = grammar.constraint(vocabulary)
    try:
        return constraint.is_complete(constraint.advance_bytes(constraint.start(), text))
    except gramask.TokenError:
        return False


def test_grammars_of_other_syntaxes(vocabulary):
    lark = gramask.Grammar.from_lark('start: "a" NUMBER\nNUMBER: /[0-9]+/\n')
    assert accepts(lark, vocabulary, "a12") and not accepts(lark, vocabulary, "12")
    gbnf = gramask.Grammar.from_gbnf('root ::= root "+" [0-9] | [0-9]\n')
    assert accepts(gbnf, vocabulary, "1+2+3") and not accepts(gbnf, vocabulary, "1+")
    choice = gramask.Grammar.from_choice(["yes", "no"])
    assert accepts(choice, vocabulary, "no") and not accepts(choice, vocabulary, "not")
    for grammar in (lark, gbnf, choice):
        assert pickle.loads(pickle.dumps(grammar)) == grammar


def test_json_schemas(vocabulary, tmp_path):
    schema = {"type": "object", "properties": {"dose": {"type": "integer", "minimum": 1}}, "required": ["dose"]}
    grammar = gramask.Grammar.from_json_schema(schema)
    assert accepts(grammar, vocabulary, '{"dose":5}')
    assert not accepts(grammar, vocabulary, '{"dose":0}') and not accepts(grammar, vocabulary, '{"dose": 5}')
    spaced = gramask.Grammar.from_json_schema(json.dumps(schema), whitespace=2)
    assert accepts(spaced, vocabulary, '{ "dose":  5 }') and spaced != grammar
    assert pickle.loads(pickle.dumps(spaced)) == spaced
    path = tmp_path / "dose.json"
    path.write_text(json.dumps(schema))
    assert accepts(gramask.Grammar(path), vocabulary, '{"dose":5}')
    with pytest.raises(gramask.FormatError, match="/multipleOf"):
        gramask.Grammar.from_json_schema({"type": "integer", "multipleOf": 0})
    with pytest.raises(TypeError):
        gramask.Grammar.from_json_schema({1, 2})


def test_what_the_engine_does_not_read(tmp_path):
    with pytest.raises(gramask.FormatError, match="regex:1"):
        gramask.Grammar.from_regex("a(?=b)")
    with pytest.raises(gramask.FormatError, match="there is no"):
        gramask.Grammar.from_lark("start: A\n")
    with pytest.raises(gramask.FormatError, match="gramask.Format"):
        gramask.Grammar("start: entity*\nentity: @label @text\n")
    with pytest.raises(gramask.FormatError, match=".gbnf"):
        gramask.Grammar(tmp_path / "grammar.txt")


@pytest.mark.skipif(not (ROOT / "grammars").is_dir(), reason="no checkout around the tests")
def test_the_formats_are_those_of_the_checkout():
    files = sorted(path.stem for path in (ROOT / "grammars").glob("*.gram"))
    assert files == FORMATS
    for name in FORMATS:
        assert gramask.Format(name).source == (ROOT / "grammars" / f"{name}.gram").read_text()
