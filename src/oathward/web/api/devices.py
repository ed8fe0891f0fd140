"""Devices, by the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.inventory import views
from oathward.inventory.model import SETS, TEXTS, Status
from oathward.web import things
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.inventory.views import DeviceView
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class DeviceOut:
    """A device as it is declared; `signed`: `yes`, or why its document is not believed; `status`: in force."""

    id: str
    name: str
    kind: str
    make: str
    model: str
    udi: str
    serial: str
    location: str
    owner: str
    default_authority: str
    default_identifier_type: str
    status: str
    version: int
    changed: datetime
    signed: str
    certificates: list[str]
    certificate_names: list[str]
    keys: list[str]
    senders: list[str]
    addresses: list[str]
    equipment: list[str]
    tags: list[str]
    message_types: list[str]
    vouches_for: list[str]
    authoritative_adt: bool


def devices(view: View) -> Response:
    """List devices by id."""
    asks = view.asks
    with read(view.site.engine) as db:
        found = things.devices(
            *(view, db),
            begins=asks.get("begins", ""),
            status=asks.get("status", ""),
            after=asks.get("after", ""),
            limit=view.limit + 1,
        )
    rows = found[: view.limit]
    return view.listed(
        [_plain(view, one) for one in rows], rows[-1].device.id if len(found) > view.limit else ""
    )


def device(view: View) -> Response:
    """Give one device."""
    site = view.site
    with read(site.engine) as db:
        found = views.one(db, site.site, view.part("device"), site.authority, site.seen)
    if found is None:
        raise InputError("device", "there is no such device", reason=Reason.NOT_FOUND)
    return view.json(_plain(view, found))


def _plain(view: View, found: DeviceView) -> DeviceOut:
    one = found.device
    row = {name: getattr(one, name) for name in TEXTS} | {name: sorted(getattr(one, name)) for name in SETS}
    if view.makes("devices.see") is not None:
        row["vouches_for"] = []  # may be others' products
    return DeviceOut(
        **row,
        status=found.status,
        version=found.version,
        changed=from_micros(found.at_us),
        signed=found.signed,
        authoritative_adt=one.authoritative_adt,
    )


API = (
    Route(
        "/api/v1/devices",
        devices,
        action="devices.see",
        api=True,
        call=Call(
            gives=DeviceOut,
            listed=True,
            asks={
                **PAGED,
                "begins": Query("what ids begin with"),
                "status": Query("in force", tuple(one.value for one in Status)),
            },
        ),
    ),
    Route(
        "/api/v1/devices/{device}",
        device,
        action="devices.see",
        thing=things.device,
        api=True,
        call=Call(gives=DeviceOut),
    ),
)
