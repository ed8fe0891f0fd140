"""Leases as others ask for them: which addresses a host's name stands for, which were learned late, and which are past their time.

Rules:
- A name stands for an address only by an answer of the site's name service that a sensor saw. What an endpoint calls itself (DHCP, mDNS, TLS) never
  does: anybody may call itself like a recipient. No name is ever asked for.
- The address is the one that the endpoint had when the answer was seen; an answer that nobody repeated for ``ANSWER_US`` counts no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, literal, select, tuple_

from oathward.core.db import in_pieces
from oathward.endpoints import sql
from oathward.endpoints.loading import chunks, merged_into
from oathward.endpoints.picture import DAY_US, HOLD_US, HOUR_US, SKEW_US
from oathward.endpoints.tables import endpoint, endpoint_attribute, endpoint_lease, endpoint_lease_late

ANSWER_US = 30 * DAY_US
_ANSWERS = ("pcap.dns", "zeek.dns", "suricata.dns")


def addresses_of(db: Connection, site: str, names: Collection[str], now_us: int) -> dict[str, frozenset[str]]:
    """Give the addresses that names stand for, inside the site; a name of which no answer was seen is not there.

    Args:
        names: of hosts, lower case.
    """
    said, lease = endpoint_attribute.c, endpoint_lease.c
    found: dict[str, set[str]] = defaultdict(set)
    for some in chunks(sorted(names)):
        query = (
            select(func.lower(said.value), lease.address)
            .join(endpoint, (endpoint.c.site == said.site) & (endpoint.c.id == said.endpoint))
            .join(endpoint_lease, (lease.site == said.site) & (lease.endpoint == said.endpoint))
            .where(said.site == site, said.attribute == "host", said.source.in_(_ANSWERS))
            .where(
                func.lower(said.value).in_(some), said.last_us >= now_us - ANSWER_US, endpoint.c.merged == ""
            )
            .where(lease.from_us <= said.last_us + SKEW_US, lease.until_us >= said.last_us - HOUR_US)
        )
        for name, address in db.execute(query):
            found[name].add(address)
    return {name: frozenset(addresses) for name, addresses in found.items()}


class Late(NamedTuple):
    """A lease that was learned after flows of its time were kept."""

    realm: str
    address: str
    from_us: int
    id: str


class Span(NamedTuple):
    """A lease as it counts. ``until_us``: when the next holder's begins, or nobody is known to have the address any more. ``parts``: what became part of its endpoint."""

    realm: str
    address: str
    endpoint: str
    from_us: int
    until_us: int
    parts: tuple[str, ...]


def late(db: Connection, site: str, after: Late | None, limit: int) -> list[Late]:
    """List leases that were learned late, by realm, address and time; ``after``: the last of those listed before."""
    table = endpoint_lease_late.c
    order = [table[name] for name in Late._fields]
    query = select(*order).where(table.site == site).order_by(*order).limit(limit)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*(literal(value) for value in after)))
    return [Late(*row) for row in db.execute(query)]


def span(db: Connection, site: str, id_: str) -> Span | None:
    """Say how long a lease counts, and for whom; None where there is none of this id any more."""
    table = endpoint_lease.c
    row = db.execute(
        select(table.realm, table.address, table.endpoint, table.from_us, table.until_us).where(
            table.site == site, table.id == id_
        )
    ).first()
    if row is None:
        return None
    later = (
        table.site == site,
        table.address == row.address,
        table.realm == row.realm,
        table.from_us > row.from_us,
    )
    others = select(func.min(table.from_us)).where(*later, table.endpoint != row.endpoint)
    next_us = db.execute(others).scalar()
    mine = select(func.max(table.until_us)).where(*later, table.endpoint == row.endpoint)
    if next_us is not None:
        mine = mine.where(table.from_us < next_us)
    held_us = max(row.until_us, db.execute(mine).scalar() or 0) + HOLD_US + HOUR_US
    parts = tuple(sorted(merged_into(db, site, row.endpoint)))
    return Span(row.realm, row.address, row.endpoint, row.from_us, min(held_us, next_us or held_us), parts)


def forget(engine: Engine, site: str, before_us: int) -> int:
    """Forget leases that ended before a time, in small transactions; gives how many."""
    return in_pieces(engine, lambda db, rows: sql.forget_leases(db, site, before_us, rows))
