"""What a patient allowed or denied, as decisions read it: boxes of purposes, recipients, classes, codes, labels, time.

Rules:
- ``*`` is any. An empty set means nothing in a permit and everything in a denial: what got lost never widens.
- ``recipients``: ids of recipients, and the words by which consents name those behind them (``Organization/54``,
  ``system|value``). One word of a recipient is enough.
- ``codes``: ``LN|8867-4``: the observations that bear such a code; of several that one bears, one is enough. A permit by
  code is of nothing but these observations.
- ``labels``: levels of confidentiality, of which the message's must be one, and sensitivities. A denial meets a message
  that has one of them; a permit only one that has some, and none besides.
- ``unless``: what a denial does not deny. Boxes of it are read as permits are: they apply only where it is sure.
- ``pending``: a denial that arrived and nobody has looked at: it decides nothing, but what it would change is held.

Deliberately absent: whoever said it, and words of it; what a decision makes of it (``granted.py``).

Source: FHIR R4 §6.2 (Consent.provision); HL7 v3 ActReason, Confidentiality, ActInformationSensitivityPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from oathward.core.code_systems import canonical
from oathward.core.labels import CLASSES, Confidentiality, expand

ANY = "*"
EVERY = frozenset((ANY,))
_LEVELS = frozenset(str(level) for level in Confidentiality)
_EXTENDED = ("codes", "labels", "unless", "pending")


@lru_cache(maxsize=4_096)
def in_order(words: frozenset[str]) -> tuple[str, ...]:
    """Sort a set of words; the same few sets come with every message, so remember."""
    return tuple(sorted(words))


@dataclass(frozen=True, slots=True)
class Box:
    """Some of all that may be asked: each field narrows it. Times in microseconds UTC, as in a ``ConsentFact``."""

    purposes: frozenset[str] = EVERY
    recipients: frozenset[str] = EVERY
    classes: frozenset[str] = EVERY
    codes: frozenset[str] = EVERY
    labels: frozenset[str] = EVERY
    start_us: int | None = None
    end_us: int | None = None

    def row(self) -> list[Any]:
        """Its fields in order, sets sorted."""
        sets = (self.purposes, self.recipients, self.classes, self.codes, self.labels)
        return [*map(in_order, sets), self.start_us, self.end_us]

    @classmethod
    def from_row(cls, row: list[Any]) -> Box:
        """Invert ``row``.

        Raises:
            TypeError: it is something else.
            ValueError: the same.
        """
        *sets, start_us, end_us = row
        purposes, recipients, classes, codes, labels = map(words_of, sets)
        return cls(purposes, recipients, classes, codes, labels, start_us, end_us)


@dataclass(frozen=True, slots=True)
class ConsentFact:
    """One thing a patient said: allow or deny classes, to recipients, for purposes, in a time.

    ``*`` is any. An empty set means nothing in a permit and everything in a denial: what got lost
    never widens. Times in microseconds UTC, start inclusive, end exclusive; ``None`` is unbounded.
    ``codes``, ``labels``, ``unless``, ``pending``: as in the module's rules.
    """

    id: str
    permit: bool
    purposes: frozenset[str]
    recipients: frozenset[str]
    classes: frozenset[str]
    start_us: int | None = None
    end_us: int | None = None
    codes: frozenset[str] = EVERY
    labels: frozenset[str] = EVERY
    unless: tuple[Box, ...] = ()
    pending: bool = False

    @property
    def box(self) -> Box:
        """All that it speaks of, exceptions aside."""
        sets = (self.purposes, self.recipients, self.classes, self.codes, self.labels)
        return Box(*sets, self.start_us, self.end_us)

    def row(self) -> list[Any]:
        """Its fields in order, sets sorted: the form it takes in ``Facts.body()``; the last only where there is more."""
        more = self.more()
        return [
            self.id,
            self.permit,
            in_order(self.purposes),
            in_order(self.recipients),
            in_order(self.classes),
            self.start_us,
            self.end_us,
            *([more] if more else ()),
        ]

    def more(self) -> dict[str, Any]:
        """What it says of codes, labels and exceptions, by name; empty for most."""
        found: dict[str, Any] = {}
        if self.codes != EVERY:
            found["codes"] = in_order(self.codes)
        if self.labels != EVERY:
            found["labels"] = in_order(self.labels)
        if self.unless:
            found["unless"] = sorted((box.row() for box in self.unless), key=repr)
        if self.pending:
            found["pending"] = True
        return found

    @classmethod
    def from_row(cls, row: list[Any]) -> ConsentFact:
        """Invert ``row``.

        Raises:
            TypeError: it is something else.
            ValueError: the same.
        """
        id_, permit, purposes, recipients, classes, start_us, end_us, *rest = row
        more = rest[0] if rest else {}
        if not isinstance(permit, bool) or len(rest) > 1 or not set(more) <= set(_EXTENDED):
            raise TypeError("not a consent fact")
        said, whom, what = map(words_of, (purposes, recipients, classes))
        return cls(id_, permit, said, whom, what, start_us, end_us, **_extended(more))


def _extended(more: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: words_of(more[name]) for name in ("codes", "labels") if name in more}
    if "unless" in more:
        found["unless"] = tuple(Box.from_row(row) for row in more["unless"])
    if "pending" in more:
        if more["pending"] is not True:
            raise TypeError("not a consent fact")
        found["pending"] = True
    return found


def words_of(value: Any) -> frozenset[str]:
    """Read a set of words from JSON.

    Raises:
        TypeError: no list of texts; a text alone would fall apart into letters.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise TypeError("not a list of words")
    return frozenset(value)


def codes_asked(consents: Iterable[ConsentFact] | None) -> frozenset[str]:
    """Give the codes that some consent speaks of; without any, nobody need read a message's codes."""
    some = tuple(c for c in consents or () if c.codes is not EVERY or c.unless)
    return _asked(some) if some else frozenset()


def codes_met(consents: Iterable[ConsentFact] | None, codes: frozenset[str]) -> frozenset[str]:
    """Give those of a message's codes that some consent speaks of: what ``Facts.codes_present`` holds.

    Args:
        codes: all of the message's, ``system|code``; a system by any name that ``core/code_systems.py`` knows.
    """
    asked = codes_asked(consents)
    return hits(asked, codes, wide=True) if asked else frozenset()


@lru_cache(maxsize=65_536)
def _asked(consents: tuple[ConsentFact, ...]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for consent in consents:
        found = found.union(consent.codes, *(box.codes for box in consent.unless))
    return found - EVERY


@lru_cache(maxsize=16_384)
def hits(words: frozenset[str], codes: frozenset[str], *, wide: bool) -> frozenset[str]:
    """Give those of some codes that words speak of.

    Args:
        wide: as a denial reads them: a code that came without its system is met by every such code.
    """
    if ANY in words:
        return codes
    named = {form_of(word) for word in words}
    bare = {word.rpartition("|")[2] for word in words} if wide else set()
    return frozenset(
        code for code in codes if form_of(code) in named or (code.startswith("|") and code[1:] in bare)
    )


def form_of(code: str) -> str:
    """Give the one form of ``system|code``: its system by the name that ``core/code_systems.py`` gives it."""
    system, bar, value = code.rpartition("|")
    return f"{canonical(system)}{bar}{value}"


def classes_of(words: frozenset[str], *, permit: bool) -> frozenset[str]:
    """Expand the classes of a consent; a word nobody knows grants nothing and denies everything."""
    return _granted_classes(words) if permit else _denied_classes(words)


@lru_cache(maxsize=4_096)
def _granted_classes(words: frozenset[str]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for word in words:
        with suppress(KeyError):
            found |= expand([word])
    return found


@lru_cache(maxsize=4_096)
def _denied_classes(words: frozenset[str]) -> frozenset[str]:
    try:
        return expand(words) if words else CLASSES
    except KeyError:
        return CLASSES


def labels_meet(labels: frozenset[str], level: str, sensitivity: frozenset[str], *, permit: bool) -> bool:
    """Say whether a consent of these labels speaks of a message that has others."""
    if ANY in labels:
        return True
    if not labels:
        return not permit
    levels, kinds = labels & _LEVELS, labels - _LEVELS
    if levels and level not in levels:
        return False
    if not kinds:
        return True
    return bool(sensitivity) and sensitivity <= kinds if permit else not sensitivity.isdisjoint(kinds)


def meet(a: Box, b: Box, *, wide: bool) -> Box | None:
    """Give a box of what is in both; ``None`` where nothing is.

    Args:
        wide: where no box says exactly that (a thing may bear two codes, a recipient two names), what is in the
            second of it, which is more; else less.
    """
    purposes, classes = _both(a.purposes, b.purposes), _both(a.classes, b.classes)
    recipients, codes = (
        _either(x, y, wide=wide) for x, y in ((a.recipients, b.recipients), (a.codes, b.codes))
    )
    labels = _labels_both(a.labels, b.labels, wide=wide)
    start_us = max((t for t in (a.start_us, b.start_us) if t is not None), default=None)
    end_us = min((t for t in (a.end_us, b.end_us) if t is not None), default=None)
    if start_us is not None and end_us is not None and start_us >= end_us:
        return None
    if not (purposes and recipients and classes and codes and labels):
        return None
    return Box(purposes, recipients, classes, codes, labels, start_us, end_us)


def _both(a: frozenset[str], b: frozenset[str]) -> frozenset[str]:
    """What is one word of each."""
    if ANY in a:
        return b
    return a if ANY in b else a & b


def _either(a: frozenset[str], b: frozenset[str], *, wide: bool) -> frozenset[str]:
    """What has a word of each, though not always the same word."""
    if ANY in a:
        return b
    if ANY in b or (wide and a <= b):
        return a
    return b if wide else a & b


def _labels_both(a: frozenset[str], b: frozenset[str], *, wide: bool) -> frozenset[str]:
    if ANY in a or ANY in b:
        return _both(a, b)
    levels = _both(a & _LEVELS or EVERY, b & _LEVELS or EVERY)
    kinds = _either(a - _LEVELS or EVERY, b - _LEVELS or EVERY, wide=wide)
    if not levels or not kinds:
        return frozenset()
    return (levels | kinds) - EVERY
