"""One finding as it is kept, a step of its history, and which findings a list shows.

Deliberately absent: what its states and clock do (``core.finding``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oathward.core.finding import Standing, Step

IDS_MAX = 500
"""Findings that one person decides together."""

WORDS_CHARS_MAX = 500
"""Of a reason or a note."""

NOBODY = "-"
"""As an owner a list is asked for: given to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding.

    Args:
        kind, key: which it is, of all of a site. source: which part raised it, and clears it. about: ``link:ID``.
        details: facts of this case. tellings: how often its source told it, however often it had seen it by then. owner: person id, or empty.
        by, why: of its suppression, while it has one.
    """

    id: str
    kind: str
    key: str
    source: str
    about: str
    standing: Standing
    details: Mapping[str, str | int | float] = field(default_factory=dict)
    tellings: int = 1
    owner: str = ""
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One thing that happened to a finding.

    Args:
        by: person id, or the source. about: to whom it was given; a severity. until_us: the end or the day it was about.
        why: a person's words. id: sorts by time.
    """

    id: str
    finding: str
    at_us: int
    by: str
    step: Step
    about: str = ""
    until_us: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which findings a list shows; empty: any.

    Args:
        owner: a person's id, or ``NOBODY``. about: the whole of what they are about, ``rules:fw1``, or what stands behind its kind, ``fw1``; ``*`` stands for any part, ``fw*``. Case is the same.
    """

    state: str = "open"
    severity: str = ""
    kind: str = ""
    source: str = ""
    owner: str = ""
    overdue: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of deciding several findings together. ``left``: those whose state did not allow it."""

    done: tuple[str, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What came of telling findings: how many are new, were there, are back, and are gone. ``cut``: not all was told, so nothing is gone."""

    opened: int = 0
    again: int = 0
    reopened: int = 0
    cleared: int = 0
    cut: bool = False

    def __add__(self, more: Told) -> Told:
        """Sum two."""
        return Told(
            self.opened + more.opened,
            self.again + more.again,
            self.reopened + more.reopened,
            self.cleared + more.cleared,
            self.cut or more.cut,
        )
