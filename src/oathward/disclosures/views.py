"""Read disclosures, and from the ledger which messages they are of and who got them."""

from __future__ import annotations

from sqlalchemy import Connection

from oathward.disclosures import sql
from oathward.disclosures.model import DisclosureRow, Reached
from oathward.ledger import Query, search

MESSAGES_MAX = 5_000
"""Of one disclosure so many are looked at."""


def listed(db: Connection, site: str, *, settled: bool = False, limit: int = 200) -> list[DisclosureRow]:
    """List those that wait, first due first, or that were settled, newest first."""
    return sql.rows(db, site, settled=settled, limit=limit)


def one(db: Connection, site: str, id_: str) -> DisclosureRow | None:
    """Read one."""
    return sql.one(db, site, id_)


def reached(db: Connection, site: str, row: DisclosureRow) -> Reached:
    """Say which messages of a device went out under a patient in a time, and over which links they were delivered."""
    wanted = Query(subject=row.subject, kind="message.accepted", since_us=row.from_us, until_us=row.until_us)
    taken = search(db, site, wanted, limit=MESSAGES_MAX)
    messages = {one.message for one in taken if one.body.get("device") == row.device}
    after = Query(subject=row.subject, kind="message.delivered", since_us=row.from_us)
    links: dict[str, int] = {}
    for one in search(db, site, after, limit=4 * MESSAGES_MAX) if messages else ():
        if one.message in messages:
            for link in one.links:
                links[link] = links.get(link, 0) + 1
    return Reached(tuple(sorted(messages)), links, len(taken) == MESSAGES_MAX)


def waiting(db: Connection, site: str, now_us: int) -> tuple[int, int]:
    """Count those that wait, and of them those that wait too long."""
    found = sql.rows(db, site, settled=False, limit=1_000)
    return len(found), sum(row.overdue(now_us) for row in found)
