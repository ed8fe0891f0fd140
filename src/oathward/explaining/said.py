"""What one patient said, all of it at once: choices by purpose, statements, contradictions, versions, what waits.

Rules:
- Everybody the patient is known as counts: after a merge what was said under any of them is shown, and under whom.
- Every version is verified; one that does not verify is shown as that, with nothing of it.
- Who entered a version is what its record in the ledger says.

Deliberately absent: who the patient is, whether the viewer may ask (``web``), any change of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from oathward import ledger
from oathward.activation import Active
from oathward.consent import views as consents
from oathward.consent.choices import Choice, choices_of
from oathward.consent.conflicts import Contradiction, contradictions
from oathward.consent.fhir.r5 import Edition
from oathward.consent.fhir.write import Head, write
from oathward.consent.model import Statement
from oathward.consent.telling import box_in_words, fact_in_words, in_words, plain
from oathward.core.clock import from_micros, micros
from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.ledger import Query
from oathward.vault.opened import Opened

VERSIONS_MAX = 200
UUID = "urn:ietf:rfc:3986"
"""System of the identifier that Consents written here name their patient by: the subject's own id as a URI."""


@dataclass(frozen=True, slots=True)
class Stands:
    """One statement that stands, or stood until it ended: ``ended`` says which."""

    subject: str
    id: str
    permit: bool
    words: str
    source: str
    ended: bool
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choosing:
    """One purpose at one recipient, as a patient is shown it. ``kind``: use, care or law."""

    id: str
    kind: str
    purpose: str
    recipient: str
    recipient_name: str
    links: tuple[str, ...]
    state: str
    elsewhere: tuple[str, ...]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Contradicts:
    """A yes and the no that takes all of it, by their ids. ``apart``: said under two subjects that are one patient now."""

    permit: str
    denial: str
    permit_words: str
    denial_words: str
    apart: bool
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """One signed version.

    Args:
        by, record: of its ledger record; empty and None where that is gone. basis: of whoever chose it at the portal (``self``,
            ``parent``); empty where staff entered it.
    """

    subject: str
    version: int
    at: datetime
    valid: bool
    permits: int
    denials: int
    originals: int
    by: str
    record: int | None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Waits:
    """Consents that came as a message and wait for a person. ``says``: what they deny and permit, in words."""

    message: str
    subject: str
    device: str
    consents: int
    denials: int
    at: datetime
    says: list[str]


@dataclass(frozen=True, slots=True)
class Said:
    """All that one patient said. ``sure``: everything verifies; else nothing may be concluded from what is shown."""

    subjects: tuple[str, ...]
    sure: bool
    stands: list[Stands]
    choices: list[Choosing]
    contradicts: list[Contradicts]
    versions: list[Version]
    waits: list[Waits]


def said(site: Opened, active: Active | None, family: Sequence[str]) -> Said:
    """Gather what a patient said.

    Args:
        family: the subject that stands for the patient first (``now.family_of``).
    """
    now_us, sure = micros(site.clock.now()), True
    each: list[tuple[str, Statement]] = []
    versions: list[Version] = []
    with read(site.engine) as db:
        for subject in family:
            try:
                own = consents.facts_of(db, site.site, subject, site.authority, site.seen)[1]
                each += [(subject, one) for one in own]
            except AuthorityError:
                sure = False
            versions += _versions(site, db, subject)
        waiting = [waits(one) for one in consents.arrivals_of(db, site.site, family)]
    statements = [one for _, one in each]
    return Said(
        tuple(family),
        sure,
        [_stands(subject, one, now_us) for subject, one in each],
        _choices(active, statements, now_us) if sure else [],
        [_contradicts(one) for one in contradictions(each, now_us)],
        sorted(versions, key=lambda one: one.at, reverse=True),
        waiting,
    )


def as_fhir(site: Opened, family: Sequence[str], edition: Edition) -> dict[str, Any]:
    """Write what stands of a patient as a Bundle of Consents, whose patient is the subject's id as a URN.

    Raises:
        InputError: ``consent.not-in-fhir``: something of it cannot be said exactly, and then nothing is.
        AuthorityError: something does not verify.
    """
    found: list[dict[str, Any]] = []
    with read(site.engine) as db:
        for subject in family:
            version, statements = consents.facts_of(db, site.site, subject, site.authority, site.seen)
            if version and statements:
                at_us = consents.said_at(db, site.site, subject)
                named = {"system": UUID, "value": f"urn:uuid:{subject}"}
                found += write(statements, Head(subject, named, edition, at_us))
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    return bundle | ({"entry": [{"resource": one} for one in found]} if found else {})


def _versions(site: Opened, db: Connection, subject: str) -> list[Version]:
    query = Query(subject=subject, kind="consent.recorded")
    records = ledger.search(db, site.site, query, limit=VERSIONS_MAX)
    chosen = ledger.search(db, site.site, Query(subject=subject, kind="portal.chose"), limit=VERSIONS_MAX)
    known, bases = (
        {int(one.body.get("version", 0)): one for one in some if one.subject == subject}
        for some in (records, chosen)
    )
    rows = consents.rows(db, site.site, site.authority, site.seen, subject=subject)[:VERSIONS_MAX]
    return [_version(row, known.get(row.version), bases.get(row.version)) for row in rows]


def _version(row: consents.ConsentRow, record: ledger.Entry | None, chosen: ledger.Entry | None) -> Version:
    permits = sum(one.fact.permit for one in row.statements)
    return Version(
        *(
            row.subject,
            row.version,
            from_micros(row.at_us),
            row.valid,
            permits,
            len(row.statements) - permits,
        ),
        *(len(row.originals), str(record.body.get("by", "")) if record else ""),
        record.index if record else None,
        str(chosen.body.get("basis", "")) if chosen else "",
    )


def _stands(subject: str, one: Statement, now_us: int) -> Stands:
    ended = one.fact.end_us is not None and one.fact.end_us <= now_us
    return Stands(subject, one.fact.id, one.fact.permit, in_words(one), one.source, ended, plain(one))


def _choices(active: Active | None, statements: Sequence[Statement], now_us: int) -> list[Choosing]:
    if active is None:
        return []
    recipients = active.bundle.recipients
    return [
        _choosing(one, recipients[one.recipient].name if one.recipient in recipients else one.recipient)
        for one in choices_of(active.bundle, statements, now_us)
    ]


def _choosing(one: Choice, name: str) -> Choosing:
    until = from_micros(one.until_us) if one.until_us is not None else None
    return Choosing(
        *(one.id, one.kind, one.purpose, one.recipient, name, one.links, one.state, one.elsewhere, until)
    )


def _contradicts(one: Contradiction) -> Contradicts:
    until = from_micros(one.until_us) if one.until_us is not None else None
    yes, no = one.permit, one.denial
    return Contradicts(yes.fact.id, no.fact.id, in_words(yes), in_words(no), one.apart, until)


def waits(one: consents.ArrivalRow) -> Waits:
    """Say of Consents that wait what they are, as far as that can be read."""
    says = ["it cannot be read: everything pends"]
    if one.found is not None:
        says = [fact_in_words(fact) for fact in one.found.denials]
        says += [f"permit {box_in_words(box)}" for box in one.found.permits]
    at = from_micros(one.at_us)
    return Waits(one.message, one.subject, one.device, one.consents, one.denials, at, says)
