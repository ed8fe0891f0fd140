"""When a narrowing of what a patient allows came into effect, on each link and in each process: noted once, with a record.

Rules:
- A version narrows a link where a plain message that might leave on it by what was said before may not, or not whole, now;
  what others said who are one person with the subject counts on both sides. Where nothing changes, nothing is noted.
- Time counts from the record of the version (``consent.recorded``), which is just before its commit.
- Each process notes for itself, after the effect, in one transaction for many. What is there is never written again.
- A process that was not there when the version came says so (``away``): it began with it.

Deliberately absent: making it take effect (gateway, courier), merges (they have no version), and the words of pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward import ledger
from oathward.consent import sql
from oathward.consent.model import EffectRow, from_canonical
from oathward.consent.noticed import Version
from oathward.ledger import Query, Record, append, prepare
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ConsentFact
from oathward.policy.model import KEEP, Link
from oathward.policy.plain import narrowed

PROCESSES = ("courier", "gateway")
"""Who notes what a narrowing did: who decides, and who delivers."""

_RECORDS_LOOKED = 20

Family = Callable[[str], tuple[str, ...]]
"""Gives a subject and everyone it stands for."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A version that allows less on some links than what was said before.

    ``family``: whose rows it concerns. ``away``: it came before the process did.
    """

    subject: str
    version: int
    committed_us: int
    links: frozenset[str]
    family: tuple[str, ...]
    away: bool = False


@dataclass(frozen=True, slots=True)
class OnLink:
    """What a narrowing did on one link.

    ``withdrawn``: rows that waited. ``in_flight``: broken off on the wire. ``answered``: on the wire, and answered before
    they were broken off.
    """

    effective_us: int
    withdrawn: int = 0
    in_flight: int = 0
    answered: int = 0


def narrowing(
    db: Connection, site: str, bundle: Bundle, version: Version, family: Family, now_us: int
) -> Narrowing | None:
    """Say which links a version narrows; None where it narrows none."""
    bodies = sql.bodies_until(db, site, version.subject, version.number)
    own = [_facts(body, version.subject) for body in bodies]
    if not own:
        return None
    before = own[1] if len(own) > 1 else ()
    together = family(version.subject)
    others: list[ConsentFact] = []
    for subject in together:
        document = sql.newest(db, site, subject) if subject != version.subject else None
        others += _facts(document.body, subject) if document else ()
    links = frozenset(
        link.id
        for link in sending(bundle)
        if narrowed(bundle, bundle.links[link.id], (*others, *before), (*others, *own[0]), now_us)
    )
    if not links:
        return None
    at_us = _committed_us(db, site, version)
    return Narrowing(version.subject, version.number, at_us, links, together, version.before)


def sending(bundle: Bundle) -> list[Link]:
    """List the links on which something leaves."""
    return [one for one in bundle.links.values() if bundle.recipients[one.recipient].kind != KEEP]


def rows_of(site: str, process: str, found: Sequence[tuple[Narrowing, dict[str, OnLink]]]) -> list[EffectRow]:
    """Make the rows of what narrowings did here, link by link."""
    return [
        EffectRow(
            *(site, one.subject, one.version, link, process),
            *(one.committed_us, max(on.effective_us, one.committed_us), on.withdrawn, on.in_flight),
            on.answered,
            one.away,
        )
        for one, links in found
        for link, on in sorted(links.items())
        if link in one.links
    ]


def write(db: Connection, rows: Sequence[EffectRow], now_us: int) -> None:
    """Store what narrowings did here, each once; the last call before the caller's commit."""
    once = {(row.subject, row.version, row.link, row.process): row for row in rows}
    fresh = [row for row in once.values() if not sql.effect_known(db, row)]
    if not fresh:
        return
    sql.put_effects(db, fresh)
    append(db, fresh[0].site, [prepare(_record(row, now_us)) for row in fresh])


def _record(row: EffectRow, now_us: int) -> Record:
    body: dict[str, object] = {
        "in_flight": row.in_flight,
        "link": row.link,
        "ms": row.ms,
        "process": row.process,
        "version": row.version,
        "withdrawn": row.withdrawn,
    }
    if row.away:
        body["away"] = True
    return Record("consent.effective", body, now_us, row.subject, (row.link,))


def _facts(body: bytes, subject: str) -> tuple[ConsentFact, ...]:
    """Read what a version says; one that cannot be read says nothing: whether it counts, the decision tells."""
    try:
        return tuple(one.fact for one in from_canonical(body, subject))
    except ValueError:
        return ()


def _committed_us(db: Connection, site: str, version: Version) -> int:
    """Give when a version was put on record; when it was signed, where that record is gone."""
    query = Query(subject=version.subject, kind="consent.recorded")
    for entry in ledger.search(db, site, query, limit=_RECORDS_LOOKED):
        if entry.body.get("version") == version.number:
            return entry.at_us
    return sql.signed_us(db, site, version.subject, version.number)
