"""Arguments of calls: what is accepted, and what is refused with a reason."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from ._gramask import Entity


def labels_of(labels: Iterable[str] | None) -> list[str] | None:
    """A list of labels. A single string is refused: its characters would be the labels."""
    if isinstance(labels, (str, bytes)):
        raise TypeError(f"labels is {labels!r}: give a list of labels, such as [{labels!r}]")
    return None if labels is None else list(labels)


def entity_of(thing: Any) -> Entity:
    """An entity, from anything that stands for one."""
    if isinstance(thing, Entity):
        return thing
    if isinstance(thing, Mapping) and "label" in thing and "fragments" in thing:
        parts = [(part["start"], part["end"]) if isinstance(part, Mapping) else tuple(part) for part in thing["fragments"]]
        return Entity(thing["label"], fragments=parts)
    if isinstance(thing, Mapping) and {"label", "start", "end"} <= thing.keys():
        return Entity(thing["label"], thing["start"], thing["end"])
    if isinstance(thing, tuple) and len(thing) == 3:
        return Entity(*thing)
    if isinstance(thing, tuple) and len(thing) == 2:
        return Entity(thing[0], fragments=thing[1])
    raise TypeError(
        f"{thing!r} is no entity: give gramask.Entity(label, start, end), a tuple (label, start, end) or (label, [(start, end), ...]), "
        "or a dictionary with `label`, and `start` and `end` or `fragments`"
    )


def number_of(value: Any, name: str, least: int | None = None) -> int:
    """A whole number that is large enough."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}: give a whole number") from None
    if least is not None and number < least:
        raise ValueError(f"{name} is {number}: give at least {least}")
    return number
