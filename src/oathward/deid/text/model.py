"""What is looked for in a text, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oathward.protocols.shaping import Decide


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the persons and things a text may name, from the structured part of the same message or subject.

    ``values``: (element class, part, value as text), as ``Decide`` is asked for; no order, repetitions do not matter.
    """

    values: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)


NOTHING = Known()


class Span(NamedTuple):
    """A run of a text that names somebody or something.

    Args:
        start, end: in code points of the text.
        cls: element class of what stands there (``core.labels``), e.g. ``patient.name``, ``staff.name``, ``patient.time``.
        how: how it was found: ``known``, or a recogniser's name.
        sure: 0 to 1.
    """

    start: int
    end: int
    cls: str
    how: str
    sure: float = 1.0


Ask = Callable[[str, str], Iterable[Span]]
"""(text, its language or nothing) -> what a model of the site's own finds besides."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a text is cleaned with.

    ``known``: looked for first. ``decide``: what happens to a span of a class, as to an element of it; where that is removal a
    mark stands in its place. ``language``: ``en``, ``es`` …; empty where nobody said it. ``lines``: lines of the message's texts
    that were cleaned together -> what may leave of each, None for nothing. ``ask``: asked too; None where the site has no model.
    """

    known: Known
    decide: Decide
    language: str = ""
    lines: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    ask: Ask | None = field(default=None, repr=False)
