"""A bundle's own tests: facts → the expected answer, beside the policies (``policies/*.test.toml``).

A case states what matters to it; what it leaves out is the plain message: a known patient, a device
with a certificate, normal confidentiality, no consents, a sure clock, and every class of the link
present. ``unknown`` lists facts that are not known. ``codes`` are those that things in the message bear; the facts
hold those that some consent speaks of, as they do of a real message.

Deliberately absent: running them (``trial``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from oathward.core.labels import Assurance, Confidentiality
from oathward.core.reasons import BY_CODE, Reason
from oathward.policy.consents import ANY, Box, codes_met
from oathward.policy.model import ConsentFact, Facts, Link, SubjectKind
from oathward.policy.parts import classes
from oathward.policy.reading import Section, near

ANSWERS = ("permit", "deny", "indeterminate")
_NOON_2026_US = 1_782_907_200_000_000
"""2026-07-01T12:00:00Z: when a case happens that names no time."""

_UNKNOWABLE = tuple(
    f.name for f in fields(Facts) if not f.name.startswith("_") and f.name != "bundle_version"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One test: ``reasons`` must all be given; ``classes``, ``withheld`` and ``only`` must be exactly these where stated."""

    name: str
    where: str
    link: str
    facts: Facts
    now_us: int
    expect: str
    reasons: tuple[Reason, ...] = ()
    classes: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    withheld: frozenset[str] | None = None
    only: frozenset[str] | None = None


def read_cases(section: Section, links: Mapping[str, Link]) -> list[Case]:
    """Read one test file, noting mistakes."""
    return [_case(row, links) for row in section.sections("case")]


def _case(row: Section, links: Mapping[str, Link]) -> Case:
    where = row.document.at(row.path)
    name = row.text("name", example="research needs consent")
    link = row.text("link", example="ehr")
    now_us = row.moment("now")
    reasons = row.words("reasons", ())
    for code in reasons:
        if code not in BY_CODE:
            row.note("reasons", f"`{code}` is no reason; {near(code, BY_CODE)}", code)
    found = Case(
        name=name,
        where=where,
        link=link,
        facts=_facts(row, links.get(link)),
        now_us=_NOON_2026_US if now_us is None else now_us,
        expect=row.choice("expect", ANSWERS),
        reasons=tuple(BY_CODE[code] for code in reasons if code in BY_CODE),
        classes=classes(row, "classes", row.words("classes")) if row.has("classes") else None,
        without=classes(row, "without", row.words("without", ())),
        withheld=_codes(row, "withheld") if row.has("withheld") else None,
        only=_codes(row, "only") if row.has("only") else None,
    )
    row.done()
    return found


def _facts(row: Section, link: Link | None) -> Facts:
    every = link.classes if link else frozenset()
    consents = tuple(_consent(consent) for consent in row.sections("consents"))
    facts = Facts(
        site="test",
        device=row.text("device", "test-device"),
        device_kind=row.text("device_kind", "monitor"),
        device_tags=frozenset(row.words("device_tags", ())),
        assurance=row.member("assurance", Assurance, Assurance.CERTIFICATE),
        subject_kind=cast("SubjectKind", row.choice("subject", ("known", "holding", "none"), "known")),
        message_type=row.text("message_type", "ORU^R01"),
        confidentiality=row.member("confidentiality", Confidentiality, Confidentiality.N),
        sensitivity=frozenset(row.words("sensitivity", ())),
        classes_present=classes(row, "present", row.words("present")) if row.has("present") else every,
        consent_version=1,
        consents=consents,
        clock_sure=row.flag("clock_sure", default=True),
        bundle_version=0,
        codes_present=codes_met(consents, _codes(row, "codes")),
    )
    unknown = row.words("unknown", ())
    for word in unknown:
        if word not in _UNKNOWABLE:
            row.note("unknown", f"`{word}` is no fact; {near(word, _UNKNOWABLE)}", word)
    lost: dict[str, Any] = {word: None for word in unknown if word in _UNKNOWABLE}
    return replace(facts, **lost)


def _consent(row: Section) -> ConsentFact:
    found = ConsentFact(
        id=row.text("id", example="c1"),
        permit=row.flag("permit", default=True),
        purposes=frozenset(row.words("purposes")),
        recipients=frozenset(row.words("recipients")),
        classes=classes(row, "classes", row.words("classes")),
        start_us=row.moment("start"),
        end_us=row.moment("end"),
        codes=_codes(row, "codes", ANY),
        labels=_labels(row),
        unless=tuple(_box(one) for one in row.sections("unless")),
    )
    if found.permit and found.unless:
        row.note("unless", "is what a denial does not deny; a permit has none")
    row.done()
    return found


def _box(row: Section) -> Box:
    """Read what a denial excepts; what it leaves out is any."""
    found = Box(
        purposes=frozenset(row.words("purposes", (ANY,))),
        recipients=frozenset(row.words("recipients", (ANY,))),
        classes=classes(row, "classes", row.words("classes", (ANY,))),
        codes=_codes(row, "codes", ANY),
        labels=_labels(row),
        start_us=row.moment("start"),
        end_us=row.moment("end"),
    )
    row.done()
    return found


def _codes(row: Section, name: str, *default: str) -> frozenset[str]:
    """Read codes as consents and messages have them."""
    found = frozenset(row.words(name, default))
    for code in sorted(found - {ANY}):
        if "|" not in code or code.endswith("|"):
            row.note(name, f"`{code}` is no code; write its system too, as in LN|8867-4", code)
    return found


def _labels(row: Section) -> frozenset[str]:
    return frozenset(row.words("labels", (ANY,)))
