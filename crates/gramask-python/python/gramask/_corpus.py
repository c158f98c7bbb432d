"""Corpora."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from . import _gramask
from ._arguments import labels_of
from ._data import Corpus, Document
from ._errors import CorpusError


def read_corpus(
    path: str | os.PathLike[str],
    split: str | None = None,
    *,
    form: str | None = None,
    columns: str | None = None,
    rename: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    sentences: bool = False,
    skip_problems: bool = False,
) -> Corpus:
    """Reads a corpus.

    `path` is a file or a folder, or the name of a known corpus, which needs a `split`: `read_corpus("mini", "test")`. The form
    (pubtator, brat, bionlp, conll, jsonl, bioc-xml, bioc-json) is told from the file, or given. `columns` are those of a CoNLL
    file, such as "word=1,tag=4". `rename` gives labels other names. `labels` fixes the labels and their order; any other label
    is a problem. With `sentences`, documents are cut into sentences, never through an entity.

    A known corpus has a form and labels of its own: `form`, `columns`, `rename` and `labels` go with a path.

    Raises CorpusError at the first problem, with its file, line and document. With `skip_problems`, reading goes on, and
    `Corpus.problems` has them all.
    """
    given = {"form": form, "columns": columns, "rename": rename, "labels": labels}
    if split is not None and (unused := [name for name, value in given.items() if value is not None]):
        raise CorpusError(
            f"split {split!r} asks for a known corpus, whose form and labels are fixed: leave out {', '.join(unused)}, or leave out the "
            "split and give the path of the files"
        )
    name, labels, are_sentences, rows, problems = _gramask.read_corpus(
        os.fspath(path),
        split=split,
        form=form,
        columns=columns,
        rename=dict(rename or {}),
        labels=labels_of(labels),
        sentences=sentences,
        skip_problems=skip_problems,
    )
    documents = [Document(id, text, entities, offset) for id, text, entities, offset in rows]
    return Corpus(name, labels, documents, are_sentences, problems)
