"""Corpora, metrics and runs."""

import json

import pytest
from conftest import ENTITIES, LABELS, TEXT

import gramask


def test_the_corpus_of_the_package(mini):
    assert mini.name == "mini" and mini.labels == LABELS and mini.sentences and not mini.problems
    assert ("mini", ["train", "test"]) in gramask.corpus_names()
    document = next(document for document in mini if document.entities)
    assert all(entity.text(document.text) for entity in document.entities)
    whole = gramask.read_corpus("mini", "test")
    assert not whole.sentences and len(whole) < len(mini)
    assert document.text == whole[0].text[document.offset : document.offset + len(document.text)]
    shown = document._repr_html_()
    assert document.entities[0].label in shown and shown.count("<sub") == len(document.entities)


def test_files(tmp_path):
    path = tmp_path / "mine.jsonl"
    lines = [
        {"id": "1", "text": TEXT, "entities": [{"label": "Drug", "start": 0, "end": 8}]},
        {"id": "2", "text": "No entity.", "entities": []},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    corpus = gramask.read_corpus(path, rename={"Drug": "Chemical"})
    assert corpus.labels == ["Chemical"] and corpus[0].entities == ENTITIES[:1] and corpus.name == "mine"
    path.write_text(json.dumps({**lines[0], "entities": [{"label": "Drug", "start": 0, "end": 800}]}) + "\n")
    with pytest.raises(gramask.CorpusError, match=r"mine\.jsonl:1: document 1"):
        gramask.read_corpus(path)
    assert len(gramask.read_corpus(path, skip_problems=True).problems) == 1


def test_corpora_that_cannot_be_read(tmp_path):
    with pytest.raises(gramask.CorpusError, match="give split, one of train, test"):
        gramask.read_corpus("mini")
    with pytest.raises(gramask.CorpusError, match="no split .dev.; expected one of train, test"):
        gramask.read_corpus("mini", "dev")
    with pytest.raises(gramask.CorpusError, match="unknown corpus"):
        gramask.read_corpus("no-such-corpus", "test")
    with pytest.raises(gramask.CorpusError, match="cannot read .*no-such.jsonl"):
        gramask.read_corpus("no-such.jsonl")
    with pytest.raises(gramask.CorpusError, match="unknown form .xml."):
        gramask.read_corpus(tmp_path, form="xml")
    with pytest.raises(gramask.CorpusError, match="expected word=W,tag=T"):
        gramask.read_corpus(tmp_path, columns="word=0,tag=1")
    with pytest.raises(gramask.CorpusError, match="is a path"):
        gramask.read_corpus(tmp_path, "test")
    with pytest.raises(gramask.CorpusError, match="leave out columns, labels, or leave out the split"):
        gramask.read_corpus("mini", "test", columns="word=1,tag=2", labels=["Gene"])


def test_a_string_is_no_list_of_labels(tmp_path):
    """Its characters would be the labels."""
    with pytest.raises(TypeError, match=r"labels is 'AB': give a list of labels, such as \['AB'\]"):
        gramask.read_corpus(tmp_path, labels="AB")
    with pytest.raises(TypeError, match="give a list of labels"):
        gramask.evaluate([], [], labels="AB")
    with pytest.raises(TypeError, match="give a list of labels"):
        gramask.compare([], [], [], labels="AB")
    with pytest.raises(TypeError):
        gramask.Format("json-list", labels="AB")


def test_documents_take_whatever_stands_for_an_entity():
    shapes = [ENTITIES[0], ("Chemical", 0, 8), ("Chemical", [(0, 8)]), {"label": "Chemical", "start": 0, "end": 8}]
    shapes.append({"label": "Chemical", "fragments": [{"start": 0, "end": 8}]})
    document = gramask.Document("1", TEXT, shapes)
    assert document.entities == [ENTITIES[0]] * len(shapes) and "Chemical" in document._repr_html_()
    for wrong in ("Chemical", ("Chemical",), {"label": "Chemical"}, 5):
        with pytest.raises(TypeError, match="is no entity: give gramask.Entity"):
            gramask.Document("1", TEXT, [wrong])


def test_scores_are_those_of_the_schemes():
    gold = [[("Chemical", 0, 8), ("Disease", 20, 32)], []]
    predicted = [[("Chemical", 0, 8), ("Disease", 14, 32)], [("Gene", 0, 3)]]
    made = gramask.evaluate(gold, predicted, labels=["Chemical", "Disease"])
    assert (made.documents, made.gold, made.predicted) == (2, 2, 3)
    assert made.strict.precision == pytest.approx(1 / 3) and made.strict.recall == 0.5
    assert made.strict.f1 == pytest.approx(0.4) and (made.strict.correct, made.strict.spurious) == (1, 1)
    assert made.partial.recall == 0.75 and made.type.correct == 2 and made.exact.incorrect == 1
    assert made.labels["Chemical"]["strict"].f1 == 1.0 and made.errors["unknown_label"] == 1
    low, high = made.strict.interval
    assert 0 <= low <= made.strict.f1 <= high <= 1
    assert "strict F1 40.0" in repr(made) and "40.0" in made._repr_html_()
    assert gramask.evaluate(gold, gold).strict.f1 == 1.0


def test_readings_and_documents_are_scored_as_they_are(mini):
    fmt = gramask.Format("json-list", labels=mini.labels)
    readings = [fmt.read(document.text, fmt.write(document.text, document.entities).text) for document in mini]
    assert gramask.evaluate(mini, readings).strict.f1 == 1.0


def test_systems_are_compared():
    gold = [[("A", 0, 4), ("B", 5, 9)] for _ in range(40)]
    good = [entities[: 1 + place % 2] for place, entities in enumerate(gold)]
    bad = [entities[:1] if place % 4 == 0 else [] for place, entities in enumerate(gold)]
    made = gramask.compare(gold, good, bad)
    assert made.difference == pytest.approx(made.first - made.second) and made.difference > 0.3 and made.p < 0.001
    assert gramask.compare(gold, bad, good).difference == -made.difference
    assert gramask.compare(gold, good, good).p == 1.0
    assert gramask.holm([0.04, 0.01]) == [0.04, 0.02]


def test_metrics_refuse_what_does_not_go_together():
    with pytest.raises(gramask.MetricError, match="1 documents have gold entities and 2 have predicted ones"):
        gramask.evaluate([[]], [[], []])
    with pytest.raises(gramask.MetricError, match="unknown scheme `loose`"):
        gramask.compare([[]], [[]], [[]], scheme="loose")
    with pytest.raises(gramask.MetricError, match="between 0 and 1"):
        gramask.evaluate([[]], [[]], confidence=95)
    with pytest.raises(gramask.MetricError, match="samples is 0: give at least 1"):
        gramask.evaluate([[]], [[]], samples=0)
    with pytest.raises(gramask.MetricError, match="shuffles is -5: give at least 1"):
        gramask.compare([[]], [[]], [[]], shuffles=-5)
    with pytest.raises(TypeError, match="seed is 'x': give a whole number"):
        gramask.evaluate([[]], [[]], seed="x")
    with pytest.raises(gramask.MetricError, match="1.5 is no p-value"):
        gramask.holm([1.5])


@pytest.fixture
def run(tmp_path):
    """A run's folder with one output."""
    (tmp_path / "run.json").write_text(json.dumps({"name": "small"}))
    (tmp_path / "summary.csv").write_text("model,format,level,f1,f1_low,note,parsed\nm,json-list,none,0.25,,1e3,true\n")
    token = {"token": 58, "text": "[", "chosen": "sampled", "log_probability": -0.5, "removed": 0.25, "allowed": 1}
    token["wanted"] = {"token": 9, "text": "Here", "log_probability": -0.1}
    entity = {"label": "Chemical", "fragments": [{"start": 0, "end": 8}]}
    line = {"model": "m", "corpus": "mini", "format": "json-list", "level": "none", "strategy": "masked", "document": "1"}
    line |= {"output": "[]", "parsed": True, "entities": [], "gold": [entity], "trace": [token]}
    (tmp_path / "records.jsonl").write_text(json.dumps(line) + '\n{"model": "m", "corp')
    return tmp_path


def test_runs(run):
    loaded = gramask.load_run(run)
    assert loaded.name == "small" and "small" in repr(loaded)
    row = {"model": "m", "format": "json-list", "level": "none", "f1": 0.25, "f1_low": None, "note": 1000.0, "parsed": True}
    assert loaded.rows() == [row] and "0.25" in loaded._repr_html_()
    # The last line is incomplete, because the run was stopped.
    [record] = loaded.records()
    assert record.gold == ENTITIES[:1] and record.output == "[]"
    [token] = record.trace
    assert (token.id, token.removed, token.wanted) == (58, 0.25, "Here") and record.trace.text == "["
    assert "25.0 % removed" in record.trace._repr_html_()


def test_runs_as_frames(run):
    pandas = pytest.importorskip("pandas")
    frame = gramask.load_run(run).summary()
    assert isinstance(frame, pandas.DataFrame) and frame.f1.tolist() == [0.25]
    frame = gramask.evaluate([[("A", 0, 1)]], [[("A", 0, 1)]]).to_frame()
    assert frame.loc[("all", "strict"), "f1"] == 1.0 and ("A", "type") in frame.index


def test_folders_that_hold_no_run(run, tmp_path):
    with pytest.raises(gramask.RunError, match="give the folder of a run"):
        gramask.load_run(tmp_path / "nothing")
    (run / "records.jsonl").write_text("{}\n")
    with pytest.raises(gramask.RunError, match=r"records\.jsonl:1: 'entities' is missing"):
        list(gramask.load_run(run).records())
    (run / "records.jsonl").write_text("{\n{}\n")
    with pytest.raises(gramask.RunError, match=r"records\.jsonl:1"):
        list(gramask.load_run(run).records())
    (run / "records.jsonl").write_text("[1]\n")
    with pytest.raises(gramask.RunError, match="a record is a JSON object, not list"):
        list(gramask.load_run(run).records())
    (run / "records.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(gramask.RunError, match="is not UTF-8"):
        list(gramask.load_run(run).records())
    with pytest.raises(gramask.RunError, match="cannot read .*scores.csv"):
        gramask.load_run(run).rows("scores.csv")
    (run / "scores.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(gramask.RunError, match=r"scores\.csv:3: 3 cells under 2 columns"):
        gramask.load_run(run).rows("scores.csv")
    (run / "run.json").write_text("[]")
    with pytest.raises(gramask.RunError, match="not written by gramask"):
        gramask.load_run(run)
