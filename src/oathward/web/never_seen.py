"""Declared devices that nobody saw yet, as the list of the inventory shows them.

Rules:
- They are read as the page of devices reads them, each signature checked, a bounded number for a page.
- What was revoked or retired is not missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.endpoints import views as endpoints
from oathward.endpoints.model import EndpointRow, Filters
from oathward.inventory import views as inventory
from oathward.inventory.model import Status
from oathward.web import things

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.inventory.views import DeviceView
    from oathward.web.view import View

LOOKED_MAX = 2_000
_AT_ONCE = 250


def listed(view: View, db: Connection, *, after: str, limit: int) -> tuple[list[EndpointRow], str]:
    """List devices that are declared and have no endpoint, by id; gives what the next page begins behind, empty at the end."""
    rows, looked = list[EndpointRow](), 0
    while looked < LOOKED_MAX:
        some = things.devices(view, db, begins="", status=Status.ACTIVE.value, after=after, limit=_AT_ONCE)
        seen = endpoints.of_devices(db, view.site.site, [one.device.id for one in some])
        for one in some:
            after = one.device.id
            if after not in seen:
                rows.append(_row(one))
                if len(rows) == limit:
                    return rows, after
        looked += len(some)
        if len(some) < _AT_ONCE:
            return rows, ""
    return rows, after


def count(view: View, db: Connection) -> int:
    """Count them: devices in force, less endpoints that are one."""
    seen = endpoints.count(db, view.site.site, Filters(declared=True, ended=True))
    active = inventory.counts(db, view.site.site)[0].get(Status.ACTIVE.value, 0)
    return max(active - seen, 0)


def _row(one: DeviceView) -> EndpointRow:
    of = one.device
    return EndpointRow(
        "",
        device=of.id,
        name=of.name or of.id,
        make=of.make,
        model=of.model,
        serial=of.serial,
        location=of.location,
        owner=of.owner,
        address=min(of.addresses, default=""),
    )
