"""Leases as others ask for them: which addresses a host's name stands for, and which leases are past their time.

Rules:
- A name stands for an address only by an answer of the site's name service that a sensor saw. What an endpoint calls itself (DHCP, mDNS, TLS) never
  does: anybody may call itself like a recipient. No name is ever asked for.
- The address is the one that the endpoint had when the answer was seen; an answer that nobody repeated for ``ANSWER_US`` counts no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, Engine, func, select

from oathward.core.db import in_pieces
from oathward.endpoints import sql
from oathward.endpoints.loading import chunks
from oathward.endpoints.picture import DAY_US, HOUR_US, SKEW_US
from oathward.endpoints.tables import endpoint, endpoint_attribute, endpoint_lease

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


def forget(engine: Engine, site: str, before_us: int) -> int:
    """Forget leases that ended before a time, in small transactions; gives how many."""
    return in_pieces(engine, lambda db, rows: sql.forget_leases(db, site, before_us, rows))
