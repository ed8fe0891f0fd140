"""What a patient said, and the one signed document that holds all of it.

Rules:
- All that stands for a subject is one document with one version: a denial cannot go missing without the
  signature or the version telling.
- A permit names purposes, recipients and classes; ``*`` is any. A denial may leave them out: it is then of
  everything. Nothing else is ever filled in.
- Class patterns (``patient.*``) are expanded when a statement is made, so that what was consented to does not
  grow with the vocabulary.
- What cannot be read is not known, never "none" and never a permit.

Deliberately absent: FHIR Consent, forms and languages (a later issue); why somebody decided so.

Source: HL7 v3 ActReason (purposes); FHIR R4 Consent.provision (type, period, actor, purpose, class) for the shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import orjson

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose, expand
from oathward.policy.model import ANY, ConsentFact

KIND = "consent"
"""Kind of the signed document; its id is the subject."""

STATEMENTS_MAX = 200
SOURCE_LENGTH_MAX = 100
COMMON_MAX = 64
"""Permits that hold for several people at once; beyond it, it is not known."""

_RECIPIENT = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUBJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Statement:
    """One consent fact with where it comes from (``paper form``, ``portal``); never words about a patient."""

    fact: ConsentFact
    source: str = ""


def statement(
    *,
    permit: bool,
    purposes: Iterable[str],
    recipients: Iterable[str],
    classes: Iterable[str],
    start_us: int | None = None,
    end_us: int | None = None,
    source: str = "",
    id_: str = "",
) -> Statement:
    """Make a checked statement.

    Raises:
        InputError: names the column and what to write instead.
    """
    sets = {"purposes": set(purposes), "recipients": set(recipients), "classes": set(classes)}
    for name, values in sets.items():
        if not values and permit:
            raise InputError(name, "a permit says what it permits; write * for any")
        if not values:
            values.add(ANY)
    known = {str(p) for p in Purpose} | {ANY}
    if sets["purposes"] - known:
        raise InputError("purposes", f"of {', '.join(sorted(known))}")
    if not all(_RECIPIENT.fullmatch(r) for r in sets["recipients"]):
        raise InputError("recipients", "ids of recipients, or *")
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise InputError("until", "must be later than from")
    if len(source) > SOURCE_LENGTH_MAX or not source.isprintable():
        raise InputError("source", f"printable text of at most {SOURCE_LENGTH_MAX} characters")
    fact = ConsentFact(
        id_ or uuid7(),
        permit,
        frozenset(sets["purposes"]),
        frozenset(sets["recipients"]),
        _classes(sets["classes"]),
        start_us,
        end_us,
    )
    return Statement(fact, source)


def canonical(subject: str, statements: Sequence[Statement]) -> bytes:
    """Write all that stands for a subject as the bytes that are signed."""
    rows = [[*s.fact.row(), s.source] for s in statements]
    return orjson.dumps({"statements": rows, "subject": subject}, option=orjson.OPT_SORT_KEYS)


def from_canonical(body: bytes, subject: str) -> tuple[Statement, ...]:
    """Read what ``canonical`` wrote for this subject.

    Raises:
        ValueError: it is something else, or of another subject.
    """
    row = orjson.loads(body)
    if not isinstance(row, dict) or row.get("subject") != subject:
        raise ValueError("not the consents of this subject")
    try:
        return tuple(_statement(s) for s in row["statements"])
    except (KeyError, TypeError) as error:
        raise ValueError("not consents") from error


def check_subject(subject: str) -> None:
    """Check that this is a subject's id.

    Raises:
        InputError: it is not.
    """
    if not _SUBJECT.fullmatch(subject):
        raise InputError("subject", "must be a subject's id")


def common(persons: Sequence[tuple[ConsentFact, ...]]) -> tuple[ConsentFact, ...] | None:
    """Give what holds for several people at once: every denial, and what each of them permits.

    None where it would be more than ``COMMON_MAX`` permits: then it is not known.
    """
    if len(persons) == 1:
        return persons[0]
    denials = [f for facts in persons for f in facts if not f.permit]
    permits = [[f for f in facts if f.permit] for facts in persons]
    count = 1
    for some in permits:
        count *= len(some)
    if count > COMMON_MAX:
        return None
    both = (_both(combination) for combination in product(*permits))
    return (*denials, *(f for f in both if f is not None))


def _both(facts: Sequence[ConsentFact]) -> ConsentFact | None:
    first, *rest = facts
    for other in rest:
        starts = [t for t in (first.start_us, other.start_us) if t is not None]
        ends = [t for t in (first.end_us, other.end_us) if t is not None]
        first = replace(
            first,
            id=f"{first.id}+{other.id}",
            purposes=_meet(first.purposes, other.purposes),
            recipients=_meet(first.recipients, other.recipients),
            classes=_meet(first.classes, other.classes),
            start_us=max(starts, default=None),
            end_us=min(ends, default=None),
        )
    return first if first.purposes and first.recipients and first.classes else None


def _meet(a: frozenset[str], b: frozenset[str]) -> frozenset[str]:
    if ANY in a:
        return b
    return a if ANY in b else a & b


def _classes(patterns: set[str]) -> frozenset[str]:
    if ANY in patterns:
        return frozenset((ANY,))
    try:
        return expand(patterns)
    except KeyError as error:
        raise InputError("classes", "element classes such as observation.value or patient.*, or *") from error


def _statement(row: list[Any]) -> Statement:
    id_, permit, purposes, recipients, classes, start_us, end_us, source = row
    if not isinstance(permit, bool):
        raise TypeError("permit")
    fact = ConsentFact(
        id_, permit, frozenset(purposes), frozenset(recipients), frozenset(classes), start_us, end_us
    )
    return Statement(fact, source)
