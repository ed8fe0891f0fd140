"""What a patient said, and the one signed document that holds all of it.

Rules:
- All that stands for a subject is one document with one version: a denial cannot go missing without the
  signature or the version telling.
- A permit names purposes, recipients and classes; ``*`` is any. A denial may leave them out: it is then of
  everything. Nothing else is ever filled in.
- Class patterns (``patient.*``) are expanded when a statement is made, so that what was consented to does not
  grow with the vocabulary.
- What cannot be read is not known, never "none" and never a permit.
- A document read from another form names the originals it was read from: SHA-256 -> id of the sealed body (``vault.kept``).
  A version names those of what stands, and those that it came from itself.
- It also says of what time each of them was (``as_of``: origin -> µs), of those that are gone too: an older one that comes
  later is known by that.

Deliberately absent: FHIR's form of it (``fhir/``), paper forms and languages; why somebody decided so.

Source: HL7 v3 ActReason (purposes); FHIR R4 Consent.provision (type, period, actor, purpose, class) for the shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import orjson

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose, expand
from oathward.policy.consents import ANY, Box, ConsentFact, in_order, meet, words_of

KIND = "consent"
"""Kind of the signed document; its id is the subject."""

STATEMENTS_MAX = 200
SOURCE_LENGTH_MAX = 100
COMMON_MAX = 64
"""Permits that hold for several people at once; beyond it, it is not known."""

FHIR_SOURCE = "fhir"
"""First word of the source of what was read from a FHIR Consent; then its SHA-256 and the place."""

ORIGINAL = "consent"
"""Purpose under which the original of a consent is sealed."""

ARRIVED = "consent:arrived"
"""Purpose under which Consents that came as a message are sealed, until a person has looked at them."""

AS_OF_MAX = 400
"""Origins whose time is kept of one patient; beyond it, the newest."""

_NO_ORIGINALS: Mapping[str, str] = {}
_NO_TIMES: Mapping[str, int] = {}
_PLAIN_COLUMNS = 7
_RECIPIENT = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUBJECT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Statement:
    """One consent fact with where it comes from (``paper form``, ``portal``); never words about a patient.

    ``origins``: what the document it was read from is known by, hashed: a later version of that takes its place.
    """

    fact: ConsentFact
    source: str = ""
    origins: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """SHA-256 of the original it was read from, as its source says; empty for none."""
        form, _, rest = self.source.partition(" ")
        return rest.partition(" ")[0] if form == FHIR_SOURCE else ""


@dataclass(frozen=True, slots=True)
class EffectRow:
    """What a narrowing of what a patient allows did on one link in one process.

    ``effective_us``: from when on the process could send nothing of it. ``withdrawn``: rows that waited. ``in_flight``:
    broken off on the wire. ``answered``: on the wire, and answered before that. ``away``: the process began after it.
    """

    site: str
    subject: str
    version: int
    link: str
    process: str
    committed_us: int
    effective_us: int
    withdrawn: int = 0
    in_flight: int = 0
    answered: int = 0
    away: bool = False

    @property
    def ms(self) -> int:
        """Milliseconds from the commit to the effect, rounded up."""
        return -((self.committed_us - self.effective_us) // 1_000)


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


def canonical(
    subject: str,
    statements: Sequence[Statement],
    originals: Mapping[str, str] = _NO_ORIGINALS,
    as_of: Mapping[str, int] = _NO_TIMES,
) -> bytes:
    """Write all that stands for a subject as the bytes that are signed."""
    body: dict[str, Any] = {"statements": [_row(s) for s in statements], "subject": subject}
    if originals:
        body["originals"] = dict(originals)
    if as_of:
        body["as_of"] = dict(sorted(as_of.items(), key=lambda one: -one[1])[:AS_OF_MAX])
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _row(one: Statement) -> list[Any]:
    """Write a statement: what most say in eight columns, the rest by name in a ninth."""
    more = one.fact.more() | ({"origins": in_order(one.origins)} if one.origins else {})
    return [*one.fact.row()[:_PLAIN_COLUMNS], one.source, *([more] if more else ())]


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


def originals_of(body: bytes) -> dict[str, str]:
    """Give the originals that a document names: SHA-256 -> id of the sealed body.

    Raises:
        ValueError: it names something else.
    """
    named = orjson.loads(body).get("originals", {})
    if not isinstance(named, dict) or not all(isinstance(id_, str) for id_ in named.values()):
        raise ValueError("not the originals of consents")
    return named


def as_of_of(body: bytes) -> dict[str, int]:
    """Give of what time the documents were that a version, or one before it, was read from: origin -> microseconds.

    Raises:
        ValueError: it says something else.
    """
    times = orjson.loads(body).get("as_of", {})
    if not isinstance(times, dict) or not all(type(at_us) is int for at_us in times.values()):
        raise ValueError("not the times of consents")
    return times


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
    """Give what each of some permits allows; None where that is nothing."""
    first, *rest = facts
    box: Box | None = first.box
    for other in rest:
        box = box and meet(box, other.box, wide=False)
    if box is None:
        return None
    return replace(
        first,
        id="+".join(fact.id for fact in facts),
        **{name: getattr(box, name) for name in Box.__slots__},
    )


def _classes(patterns: set[str]) -> frozenset[str]:
    if ANY in patterns:
        return frozenset((ANY,))
    try:
        return expand(patterns)
    except KeyError as error:
        raise InputError("classes", "element classes such as observation.value or patient.*, or *") from error


def _statement(row: list[Any]) -> Statement:
    *plain, source = row[: _PLAIN_COLUMNS + 1]
    more = dict(row[_PLAIN_COLUMNS + 1]) if len(row) > _PLAIN_COLUMNS + 1 else {}
    origins = words_of(more.pop("origins", ()))
    if len(row) > _PLAIN_COLUMNS + 2 or not isinstance(source, str) or "pending" in more:
        raise TypeError("not a statement")
    return Statement(ConsentFact.from_row([*plain, *([more] if more else ())]), source, origins)
