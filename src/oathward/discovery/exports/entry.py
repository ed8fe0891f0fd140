"""One endpoint as writers get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oathward.discovery.model import MarkKind


class Word(NamedTuple):
    """What one source says of one attribute, from first to last time."""

    attribute: str
    value: str
    source: str
    first_us: int
    last_us: int
    confidence: float
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One endpoint.

    Args:
        marks: kind -> values, those heard of last at the front. shown: attribute -> the values that stand first. words: everything that was said.
    """

    id: str
    realm: str
    segment: str = ""
    first_us: int = 0
    last_us: int = 0
    marks: Mapping[MarkKind, tuple[str, ...]] = field(default_factory=dict)
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[Word, ...] = ()

    def mark(self, kind: MarkKind) -> str:
        """Give one mark of a kind; empty where there is none."""
        return next(iter(self.marks.get(kind, ())), "")

    def value(self, attribute: str) -> str:
        """Give the value of an attribute that stands first; empty where it is unknown."""
        return next(iter(self.shown.get(attribute, ())), "")

    @property
    def tag(self) -> str:
        """The site's own number of it."""
        return self.mark(MarkKind.TAG) or self.value("tag")

    @property
    def serial(self) -> str:
        """Serial number as written."""
        return self.value("serial") or self.mark(MarkKind.SERIAL).rpartition("|")[2]
