"""The exceptions of the package. Their messages are those of the command."""


class Error(Exception):
    """The base of all exceptions of the package."""


class FormatError(Error, ValueError):
    """A format or a grammar that is unknown or wrong; the message has the place of each fault."""


class SchemaError(Error, ValueError):
    """Labels that do not go with a format."""


class ConstraintError(Error, ValueError):
    """No output is valid for a document, or no token can write it."""


class VocabularyError(Error, ValueError):
    """Tokens that make no vocabulary, or a model that is unknown."""


class TokenError(Error, ValueError):
    """A token or a byte that may not follow a state; the message says what could."""


class BudgetError(Error, ValueError):
    """A budget in which no output can be completed."""


class WriteError(Error, ValueError):
    """Entities that cannot be written in a format."""


class ReadError(Error, ValueError):
    """An output that is not of its format."""


class CorpusError(Error, ValueError):
    """A corpus that is unknown or wrong; the message has file, line and document."""


class MetricError(Error, ValueError):
    """Arguments of a metric that do not go together."""


class RunError(Error, ValueError):
    """A folder that holds no run, or a file of a run that is damaged."""


class InternalError(Error, RuntimeError):
    """A bug of Gramask."""
