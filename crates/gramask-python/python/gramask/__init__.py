"""Gramask: exact masks for constrained decoding, formats of named entities, readers, metrics, and the `gramask` command.

    import gramask

    vocabulary = gramask.Vocabulary.from_pretrained("bytes")
    fmt = gramask.Format("json-list")
    c = fmt.constraint("Naloxone reverses clonidine.", labels=["Chemical", "Disease"], vocabulary=vocabulary)
    state = c.start()
    c.allowed(state)

`docs/python.md` of the repository is the reference. The processors for other libraries are modules of their own, so that none of
these libraries is needed here: `gramask.transformers`, `gramask.llama_cpp`, `gramask.vllm`.
"""

from ._corpus import read_corpus
from ._data import Corpus, Document, Reading, Repaired, Written
from ._errors import (
    BudgetError,
    ConstraintError,
    CorpusError,
    Error,
    FormatError,
    InternalError,
    MetricError,
    ReadError,
    RunError,
    SchemaError,
    TokenError,
    VocabularyError,
    WriteError,
)
from ._gramask import Batch, Constraint, Entity, Format, Grammar, State, Vocabulary, __version__, corpus_names, holm
from ._mask import Mask, Trace, TraceToken
from ._metrics import Comparison, Evaluation, Score, compare, evaluate
from ._run import Record, Run, load_run

__all__ = [
    "Batch",
    "BudgetError",
    "Comparison",
    "Constraint",
    "ConstraintError",
    "Corpus",
    "CorpusError",
    "Document",
    "Entity",
    "Error",
    "Evaluation",
    "Format",
    "FormatError",
    "Grammar",
    "InternalError",
    "Mask",
    "MetricError",
    "ReadError",
    "Reading",
    "Record",
    "Repaired",
    "Run",
    "RunError",
    "SchemaError",
    "Score",
    "State",
    "TokenError",
    "Trace",
    "TraceToken",
    "Vocabulary",
    "VocabularyError",
    "WriteError",
    "Written",
    "__version__",
    "compare",
    "corpus_names",
    "evaluate",
    "holm",
    "load_run",
    "read_corpus",
]
