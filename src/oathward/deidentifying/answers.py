"""What a worker answered, read as a stranger's word: it parsed a stranger's file.

Rules:
- Formats, classes and reasons are ours or they are nothing; a place is a path of names that stand in our tables, and of
  small numbers; a count is a count.
- No name or suffix of a file comes from a worker.

Deliberately absent: what the file that it wrote holds. That is searched, and it is what a worker was there to make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from oathward.core.errors import DeidentificationError
from oathward.core.labels import CLASSES
from oathward.core.reasons import BY_CODE, Reason
from oathward.deidentifying.format import Format, formats
from oathward.protocols.fhir.elements import PRIMITIVES
from oathward.protocols.fhir.tables import data_types, element_names, resource_types
from oathward.protocols.hl7v2.tables import segments

_PLACE = re.compile(r"[A-Za-z0-9.,:()\[\]^~ -]{0,120}")
_TAG = re.compile(r"\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)")
_WORD, _LONG = re.compile(r"[A-Za-z][A-Za-z0-9]*"), re.compile(r"\d{8}")
_OWN = re.compile(r"Z[A-Z0-9]{2}")
"""Segments of a site's own."""
_PLAIN = frozenset(("attachment", "batch", "body", "byte", "data", "file", "frame", "memory", "message", "ocr", "patient", "pixels",
    "request", "seeds", "segment", "set", "text", "token", "worker"))  # fmt: skip
"""What errors of readers name that is no element: ``data set``, ``body, byte 12``."""
_REFERENCE = re.compile(r"(?:[A-Z][A-Za-z]{2,63}/[A-Za-z0-9.-]{1,64})?")
_COUNT_MAX = 1 << 40
"""More is no count: sums of them are still numbers of the database."""
IDENTIFIERS_MAX = 512
"""Of one unit: whose it is, is one question to the database."""
_HASH = re.compile(r"[0-9a-f]{16}")


def format_named(answer: Mapping[str, Any]) -> tuple[Format, list[list[list[Any]]]]:
    """Read what a file is, and for each unit its identifiers: value, authority, type, whether it is local.

    Raises:
        DeidentificationError: ``WORKER_LOST``; it is no such answer. ``LIMIT_EXCEEDED``: too many identifiers of one unit.
    """
    kind, who = formats().get(str(answer.get("format"))), answer.get("who")
    if kind is None or not isinstance(who, list) or not all(map(_is_unit, who)):
        raise _not_one()
    if any(len(unit) > IDENTIFIERS_MAX for unit in who):
        raise DeidentificationError(
            "patient", f"at most {IDENTIFIERS_MAX} identifiers", reason=Reason.LIMIT_EXCEEDED
        )
    return kind, who


def told_of(answer: Mapping[str, Any], units: int) -> list[list[list[str]]]:
    """Read what each unit says of its patient: class, part, value.

    Raises:
        DeidentificationError: ``WORKER_LOST``.
    """
    found = answer.get("known")
    if not isinstance(found, list) or len(found) != units or not all(map(_is_told, found)):
        raise _not_one()
    return found


def held_of(answer: Mapping[str, Any], units: int = 0) -> list[list[Any]]:
    """Read what is held: (unit, or -1 for the file; reason; place); each of ``units`` once.

    Raises:
        DeidentificationError: ``WORKER_LOST``.
    """
    found = answer.get("held")
    if not isinstance(found, list):
        raise _not_one()
    rows = [_held(one) for one in found]
    held = {unit for unit, *_ in rows}
    if len(held) != len(rows) or max(held, default=-1) >= units:
        raise _not_one()
    return rows


def counts_of(answer: Mapping[str, Any], name: str) -> dict[str, int]:
    """Read counts by element class.

    Raises:
        DeidentificationError: ``WORKER_LOST``.
    """
    found = answer.get(name, {})
    if not isinstance(found, dict) or not all(
        cls in CLASSES and type(count) is int and 0 <= count < _COUNT_MAX for cls, count in found.items()
    ):
        raise _not_one()
    return found


def found_of(answer: Mapping[str, Any]) -> dict[str, int]:
    """Read what a search found: counts by element class; what does not say so was not searched.

    Raises:
        DeidentificationError: ``WORKER_LOST``.
    """
    if "found" not in answer:
        raise _not_one()
    return counts_of(answer, "found")


def reference_of(answer: Mapping[str, Any]) -> str:
    """Read what a resource that leaves is called: ``Observation/abc-0``; empty where it says itself how it was made.

    Raises:
        DeidentificationError: ``WORKER_LOST``.
    """
    found = answer.get("named")
    if not isinstance(found, str) or not _REFERENCE.fullmatch(found):
        raise _not_one()
    return found


def words_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Read what is searched for: hash in hexadecimal -> class.

    Raises:
        DeidentificationError: ``WORKER_LOST``.
    """
    found = answer.get("words", {})
    if not isinstance(found, dict) or not all(
        _HASH.fullmatch(word) and type(cls) is str and cls in CLASSES for word, cls in found.items()
    ):
        raise _not_one()
    return found


def _is_unit(unit: object) -> bool:
    return isinstance(unit, list) and all(
        isinstance(one, list) and list(map(type, one)) == [str, str, str, bool] for one in unit
    )


def _is_told(unit: object) -> bool:
    return isinstance(unit, list) and all(
        isinstance(one, list) and list(map(type, one)) == [str, str, str] and one[0] in CLASSES
        for one in unit
    )


def _held(one: object) -> list[Any]:
    if not isinstance(one, Sequence) or len(one) != 3:
        raise _not_one()
    unit, code, where = one
    if type(unit) is not int or not -1 <= unit < _COUNT_MAX or type(code) is not str or code not in BY_CODE:
        raise _not_one()
    return [unit, code, where if isinstance(where, str) and _is_place(where) else ""]


def _is_place(where: str) -> bool:
    """Say whether a text is a path in our words: who reads a stranger's file may put the stranger's into it."""
    rest = _TAG.sub("", where)
    return (
        _PLACE.fullmatch(where) is not None
        and _LONG.search(rest) is None
        and all(map(_is_ours, _WORD.findall(rest)))
    )


def _is_ours(word: str) -> bool:
    """Say whether a word stands in our tables, as an element that is a choice with its type (``valueString``) too."""
    if word in _names() or _OWN.fullmatch(word):
        return True
    return any(word[:at] in _names() and word[at:] in _types() for at in range(1, len(word)))


@cache
def _types() -> frozenset[str]:
    return frozenset(kind[:1].upper() + kind[1:] for kind in data_types() | PRIMITIVES)


@cache
def _names() -> frozenset[str]:
    return _PLAIN | segments().keys() | element_names() | resource_types()


def _not_one() -> DeidentificationError:
    return DeidentificationError("worker", "an answer of its form", reason=Reason.WORKER_LOST)
