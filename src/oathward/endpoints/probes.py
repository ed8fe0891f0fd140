"""Probes that people ordered, as rows: one begun, ended, listed; and who else is at an address.

Rules:
- One at a time for a site, and one of an endpoint or an address within ``PAUSE_US``, whatever came of it.
- An order without an end counts as going on for ``LASTS_US``: a probe takes seconds; what was cut short keeps nobody waiting.
- The record of the order is written with its row, in one transaction, before anything is opened; that of its end with the end.

Deliberately absent: whether the endpoint may be probed (``probing``), the connection (``discovery.probing``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.model import MarkKind
from oathward.endpoints.loading import LEASE_COLUMNS, lease_of
from oathward.endpoints.model import Lease, ProbeRow
from oathward.endpoints.picture import MINUTE_US
from oathward.endpoints.tables import endpoint, endpoint_lease, endpoint_mark, endpoint_probe
from oathward.ledger import Record, append, prepare

PAUSE_US = 10 * MINUTE_US
LASTS_US = 2 * MINUTE_US
OTHERS_MAX = 200
LISTED_MAX = 20

_COLUMNS = [column for column in endpoint_probe.c if column.name != "site"]


def begin(db: Connection, site: str, row: ProbeRow) -> None:
    """Note an order, on record; the last call before the commit. Whoever calls holds ``alone(…, "probe")``.

    Raises:
        InputError: ``already-running``: another probe of this site goes on; ``probe.too-soon``: this device was probed just now.
    """
    table = endpoint_probe.c
    last = [
        ProbeRow(*one)
        for one in db.execute(
            select(*_COLUMNS)
            .where(table.site == site, table.at_us > row.at_us - PAUSE_US)
            .order_by(table.at_us.desc())
        )
    ]
    if any(not one.ended_us and one.at_us > row.at_us - LASTS_US for one in last):
        raise InputError("probe", "another one goes on; one at a time", reason=Reason.ALREADY_RUNNING)
    if any(one.endpoint == row.endpoint or one.address == row.address for one in last):
        raise InputError(
            "probe", "the last one of this device was less than ten minutes ago", reason=Reason.PROBE_TOO_SOON
        )
    db.execute(insert(endpoint_probe).values(site=site, **_values(row)))
    body: dict[str, Any] = {name: value for name, value in _values(row).items() if name in _ORDERED}
    append(db, site, [prepare(Record("probe.ordered", body, row.at_us, links=(row.endpoint,)))])


def end(
    db: Connection, site: str, row: ProbeRow, *, outcome: str, detail: str, facts: int, now_us: int
) -> ProbeRow:
    """Note what came of an order, on record; the last call before the commit. ``facts``: how many things it told."""
    ended = replace(row, ended_us=now_us, outcome=outcome, detail=detail)
    table = endpoint_probe.c
    db.execute(
        update(endpoint_probe)
        .where(table.site == site, table.id == row.id)
        .values(ended_us=now_us, outcome=outcome, detail=detail)
    )
    body = {"endpoint": row.endpoint, "facts": facts, "id": row.id, "outcome": outcome}
    append(db, site, [prepare(Record("probe.ended", body, now_us, links=(row.endpoint,)))])
    return ended


def of_endpoint(db: Connection, site: str, ids: list[str], *, limit: int = 10) -> list[ProbeRow]:
    """List probes of an endpoint and of what became part of it, the last first."""
    table = endpoint_probe.c
    query = select(*_COLUMNS).where(table.site == site, table.endpoint.in_(ids))
    return [ProbeRow(*one) for one in db.execute(query.order_by(table.at_us.desc()).limit(limit))]


def leases_at(db: Connection, site: str, address: str) -> list[Lease]:
    """List who had an address, in every realm, the last first; standing endpoints' alone."""
    lease = endpoint_lease.c
    query = (
        select(*LEASE_COLUMNS)
        .join(endpoint, (endpoint.c.site == lease.site) & (endpoint.c.id == lease.endpoint))
        .where(lease.site == site, lease.address == address, endpoint.c.merged == "")
        .order_by(lease.until_us.desc())
        .limit(OTHERS_MAX)
    )
    return [lease_of(one) for one in db.execute(query)]


def listed_at(db: Connection, site: str, realm: str, address: str) -> set[str]:
    """Name the endpoints that lists have at an address of a realm."""
    mark = endpoint_mark.c
    query = (
        select(mark.endpoint)
        .join(endpoint, (endpoint.c.id == mark.endpoint) & (endpoint.c.site == mark.site))
        .where(mark.site == site, mark.kind == MarkKind.ADDRESS.value, mark.value == address)
        .where(mark.scope == realm, mark.ended_us == 0, endpoint.c.merged == "")
        .limit(LISTED_MAX)
    )
    return set(db.execute(query).scalars())


_ORDERED = frozenset(("id", "endpoint", "by", "reason", "kind", "address", "port", "risks"))


def _values(row: ProbeRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ProbeRow.__dataclass_fields__}
