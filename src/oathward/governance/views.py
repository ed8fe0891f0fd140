"""Read the register: who owns a thing, which agreement covers a link, which assessment stands.

Rules:
- Who is a living person is read from signed documents; one that does not verify is nobody.
- What follows from the bundle and the settings is in the register before anybody wrote it, as a draft of nobody's.

- A page, a command and the cards of Home ask ``register`` once and ``findings`` of what it gave.

Deliberately absent: counters of traffic (``messages`` owns those rows), and names of persons from anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.core.errors import AuthorityError
from oathward.core.finding_kinds import Severity
from oathward.core.reasons import Reason
from oathward.governance import findings as found
from oathward.governance import sql
from oathward.governance.covering import covers, stands
from oathward.governance.findings import Register, newest
from oathward.governance.model import (
    AgreementRow,
    AssessmentRow,
    ChangeRow,
    ConnectionRow,
    EntryRow,
    RegisterFinding,
)
from oathward.policy.bundle import Bundle
from oathward.policy.model import Link, Recipient
from oathward.policy.people import PERSON, Person
from oathward.vault.authority import load, load_all
from oathward.vault.opened import Opened

HISTORY_MAX = 200


def owner_of(db: Connection, site: str, kind: str, id_: str) -> EntryRow | None:
    """Give the entry of a thing, with its owner, steward and state; nothing where nobody wrote one.

    Args:
        kind: of ``model.EntryKind``: ``link``, ``recipient``, ``data-set`` …
    """
    return sql.entry_row(db, site, kind, id_)


def covering_agreement(
    db: Connection, site: str, link: Link, recipient: Recipient, *, now_us: int
) -> AgreementRow | None:
    """Give the agreement a link names, where it covers the link now."""
    row = sql.agreement_row(db, site, link.agreement) if link.agreement else None
    return row if row is not None and not covers(row, link, recipient, now_us) else None


def not_covered(
    db: Connection, site: str, link: Link, recipient: Recipient, *, now_us: int
) -> tuple[str, ...]:
    """Say in words why no agreement covers a link; nothing where one does."""
    if not link.agreement:
        return ("names no agreement",)
    row = sql.agreement_row(db, site, link.agreement)
    if row is None:
        return (f"names {link.agreement}, which is not in the register",)
    return tuple(f"{row.id} {words}" for words in covers(row, link, recipient, now_us))


def assessment(
    db: Connection, site: str, kind: str, id_: str, *, now_us: int, about_digest: str = ""
) -> AssessmentRow | None:
    """Give the assessment that stands for a thing: the newest that was approved, where that one does.

    Args:
        kind: of ``model.AssessedKind``. id_: ``Acme|Vista 3`` of a device model.
        about_digest: of the thing as it is or would be (``derive.digest_of``); another one does not stand.
    """
    row = newest(sql.assessments(db, site, kind=kind, about=id_))
    return row if row is not None and not stands(row, now_us, about_digest) else None


def persons(db: Connection, site: Opened) -> dict[str, Person]:
    """Read every person of this site, by id: who is active and who left.

    Raises:
        AuthorityError: one of the signed documents is not believed.
    """
    documents = load_all(db, site.site, PERSON, site.authority, site.seen)
    return {id_: _person(document.body) for id_, document in documents.items()}


def living(db: Connection, site: Opened, among: Iterable[str] | None = None) -> dict[str, str]:
    """Name who is an active person here: id -> name.

    Args:
        among: only these ids are looked at; a house has more people than owners. Everyone where None.

    Raises:
        AuthorityError: one of the signed documents is not believed.
    """
    found = persons(db, site) if among is None else some(db, site, among)
    return {id_: person.name for id_, person in found.items() if person.state == "active"}


def some(db: Connection, site: Opened, among: Iterable[str]) -> dict[str, Person]:
    """Read the persons of these ids, as signed; those there are.

    Raises:
        AuthorityError: one of the signed documents is not believed.
    """
    found = {}
    for id_ in sorted(set(among) - {""}):
        try:
            document = load(db, site.site, PERSON, id_, site.authority, site.seen)
        except AuthorityError as error:
            if error.reason is Reason.NOT_FOUND:
                continue
            raise
        found[id_] = _person(document.body)
    return found


def _person(body: bytes) -> Person:
    try:
        return Person.from_body(body)
    except (ValueError, TypeError, KeyError) as error:
        raise AuthorityError(PERSON, "not what was signed") from error


def register(
    db: Connection,
    site: Opened,
    bundle: Bundle | None,
    *,
    makes: frozenset[str] = frozenset(),
    everyone: bool = False,
    also: Iterable[str] = (),
) -> Register:
    """Read the whole register once.

    Args:
        bundle: the active one. makes: device models of the inventory, ``Acme|Vista 3``.
        everyone: whether all persons are read, for a choice among them, or those that the register names. also: ids of
            more of them.
    """
    entries, assessed = sql.entries(db, site.site), sql.assessments(db, site.site)
    named = set(also) | {who for row in entries for who in (row.owner, row.steward)}
    named |= {who for one in assessed for who in (one.author, one.approver)}
    try:
        people: dict[str, str] | None = living(db, site, None if everyone else named)
    except AuthorityError:
        people = None
    return Register(
        site.settings,
        bundle,
        people,
        {(row.kind, row.id): row for row in entries},
        {row.id: row for row in sql.agreements(db, site.site)},
        assessed,
        makes,
        {row.id: row for row in sql.connections(db, site.site)},
    )


def findings(
    db: Connection, site: Opened, now_us: int, *, bundle: Bundle | None, makes: frozenset[str] = frozenset()
) -> list[RegisterFinding]:
    """Find what somebody should look at, serious first."""
    return found.findings(register(db, site, bundle, makes=makes), now_us)


@dataclass(frozen=True, slots=True)
class Summary:
    """How the register stands, for a card: how many findings of each severity, and the first of them."""

    serious: int
    attention: int
    first: RegisterFinding | None


def summary(rows: list[RegisterFinding]) -> Summary:
    """Sum findings up."""
    serious = sum(row.severity is Severity.SERIOUS for row in rows)
    return Summary(serious, len(rows) - serious, rows[0] if rows else None)


def agreement(db: Connection, site: str, id_: str) -> AgreementRow | None:
    """Give one agreement."""
    return sql.agreement_row(db, site, id_)


def connections(db: Connection, site: str) -> list[ConnectionRow]:
    """List external connections, by id."""
    return sql.connections(db, site)


def connection(db: Connection, site: str, id_: str) -> ConnectionRow | None:
    """Give one external connection."""
    return sql.connection_row(db, site, id_)


def history(db: Connection, site: str, kind: str, about: str, *, limit: int = HISTORY_MAX) -> list[ChangeRow]:
    """List what changed of one thing, the newest first; ``kind`` as of ``ChangeRow``."""
    return sql.changes(db, site, kind, about, limit)
