"""Data classes: what readers, writers and corpora return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from . import _html
from ._arguments import entity_of
from ._gramask import Entity


class Written(NamedTuple):
    """The output for some entities, and the entities that it does not say, each with the reason."""

    text: str
    unexpressed: list[tuple[Entity, str]]


class Reading(NamedTuple):
    """The entities of an output that are true of the document, and what is not true of it, in words."""

    entities: list[Entity]
    problems: list[str]


class Repaired(NamedTuple):
    """A mended output, its entities, and the number of edits by kind."""

    text: str
    entities: list[Entity]
    edits: dict[str, int]


@dataclass(frozen=True)
class Document:
    """A text with its entities. A notebook shows the entities in the text.

    `entities` takes whatever stands for an entity, such as `("Chemical", 0, 8)`.
    """

    id: str
    text: str
    entities: list[Entity] = field(default_factory=list)
    #: Where the text stands in the document that it was cut from, in characters.
    offset: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "entities", [entity_of(entity) for entity in self.entities])

    def _repr_html_(self) -> str:
        return _html.document(self.text, self.entities)


@dataclass(frozen=True)
class Corpus:
    """Documents with the labels of their entities."""

    name: str
    labels: list[str]
    documents: list[Document]
    #: Whether a document is a sentence.
    sentences: bool
    #: What is wrong in the files and was passed over, each with file, line and document.
    problems: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self):
        return iter(self.documents)

    def __getitem__(self, place):
        return self.documents[place]

    def __repr__(self) -> str:
        kind = "sentences" if self.sentences else "documents"
        return f"<gramask.Corpus {self.name}: {len(self.documents)} {kind}, labels {', '.join(self.labels)}>"
