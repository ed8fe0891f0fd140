"""TLS versions given to conversations whose flows were stored before anybody said their version.

Rules:
- What was said goes to conversations between its ends that are TLS and have no version, by whole hours of the days it is said of; hours in which nothing
  but flows of before went on go with these. One that has a weaker version, or one that nobody said, stays as it is.
- Sums are the same before and after: what is taken from one conversation is added to the other in one transaction. Done again it finds nothing.
- Classes seen in clear text stay where they are: what was clear was not encrypted.

Deliberately absent: who says a version, and of which days (``observing.joining``); single flows (``segments``), which stay as they were written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, or_, select

from oathward.network import sql
from oathward.network.model import ConversationKey, Sums
from oathward.network.moving import carry

ENCRYPTED = ("tls", "quic")
"""What stands in the service of flows that are TLS."""

HOUR_US = 3_600_000_000
_ASKED = 256
_TALK, _TOTAL = sql.flow_conversation.c, sql.flow_total.c


class Ends(NamedTuple):
    """Between whom: what a version is said of."""

    realm: str
    client: str
    server: str
    transport: str
    port: int


class Stored(NamedTuple):
    """A conversation of TLS as it is stored. ``tls``: empty where nobody said it."""

    id: bytes
    ends: Ends
    tls: str
    first_us: int
    last_us: int


def stored(db: Connection, site: str, clients: Collection[str]) -> list[Stored]:
    """List conversations of TLS that have flows, of some clients by address."""
    names, found = sorted(clients), list[Stored]()
    for at in range(0, len(names), _ASKED):
        query = select(_TALK.id, *(_TALK[name] for name in (*Ends._fields, "tls", "first_us", "last_us")))
        query = query.where(
            *(_TALK.site == site, _TALK.client.in_(names[at : at + _ASKED]), _TALK.flows > 0),
            or_(*(_TALK.service.contains(word) for word in ENCRYPTED)),
        )
        found += [
            Stored(bytes(id_), Ends(*rest[:5]), *rest[5:])
            for id_, *rest in db.execute(query.order_by(_TALK.id))
        ]
    return found


def give(db: Connection, site: str, id_: bytes, tls: str, from_us: int, until_us: int) -> int:
    """Give what a conversation has of some time a version; gives how many totals of an hour went. The last call before commit."""
    this = (_TALK.site == site, _TALK.id == id_)
    row = db.execute(select(sql.flow_conversation).where(*this).with_for_update()).first()
    if row is None:
        return 0
    first = from_us // HOUR_US * HOUR_US
    query = select(_TOTAL.hour_us, *(_TOTAL[name] for name in Sums._fields)).where(
        *(_TOTAL.site == site, _TOTAL.conversation == id_, _TOTAL.hour_us >= first - HOUR_US)
    )
    hours = _theirs(db.execute(query.order_by(_TOTAL.hour_us).with_for_update()), first, until_us)
    if hours:
        old = dict(row._mapping)  # noqa: SLF001  its public name
        key = ConversationKey(**{name: old[name] for name in ConversationKey._fields} | {"tls": tls})
        carry(db, site, old, key, hours, clear=None)
    return len(hours)


def _theirs(rows: Iterable[Sequence[int]], from_us: int, until_us: int) -> list[tuple[int, ...]]:
    """Take hours from a time until another, and those right behind in which no flow began; none in which only flows of before that time went on."""
    found, before = list[tuple[int, ...]](), -HOUR_US
    for hour, *rest in rows:
        goes_on = hour == before + HOUR_US and not rest[0]
        if hour < from_us or (goes_on and not found):
            before = hour
            continue
        if hour >= until_us and not (goes_on and found):
            break
        found.append((hour, *rest))
        before = hour
    return found
