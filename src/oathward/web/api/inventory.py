"""The living inventory by the API: endpoints as lists show them, counts by facet, and one with everything that is said of it, and by whom.

Rules:
- Filters are those of the console's list, by the same names.
- What is declared and was never seen is listed to who may see declared devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.endpoints import views
from oathward.web import inventory_asked, never_seen
from oathward.web.calls import PAGED, Call, Query
from oathward.web.inventory_asked import FACETS, NEVER_SEEN, SHOWS, SILENT, UNKNOWN
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.endpoints.model import EndpointRow
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class EndpointOut:
    """One endpoint; of each attribute the value that stands first, empty where nobody says anything. `sort`: `network`, or `account` for what is off the network; `device`: the declared device it is; `parent`: the gateway or hub it was heard through; `merged`: the endpoint it became part of; `first`, `last`: when it was heard, null where only lists have it."""

    id: str
    sort: str
    device: str
    parent: str
    merged: str
    lifecycle: str
    conflicts: int
    name: str
    realm: str
    segment: str
    address: str
    mac: str
    make: str
    model: str
    serial: str
    type: str
    unit: str
    location: str
    owner: str
    criticality: str
    os: str
    firmware: str
    tag: str
    care: str
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class SaidOut:
    """What one source says of one attribute; `confidence`: 0 to 1; `shown`: it stands first; `conflict`: another source's word weighs nearly as much."""

    attribute: str
    value: str
    source: str
    confidence: float
    shown: bool
    conflict: bool
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class MarkOut:
    """What tells it from others; `within`: where that means something, empty for everywhere; `fronts`: it speaks for others; `ended`: another took its place then."""

    kind: str
    value: str
    within: str
    fronts: bool
    ended: datetime | None
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class WholeOut:
    """One endpoint with everything that is known of it; `against`: endpoints whose marks contradict its own."""

    endpoint: EndpointOut
    said: list[SaidOut]
    marks: list[MarkOut]
    against: list[str]


@dataclass(frozen=True, slots=True)
class FacetsOut:
    """How many endpoints fit, and of those how many have each value of each facet, its most frequent values; empty: nobody says it."""

    total: int
    facets: dict[str, dict[str, int]]


def listed(view: View) -> Response:
    """List endpoints, last heard first; declared devices that were never seen, by id."""
    asks, after = view.asks, view.asks.get("after", "")
    if asks.get("show") == NEVER_SEEN:
        if not view.may("devices.see"):
            why = f"`{NEVER_SEEN}` lists declared devices, which you may not see"
            raise InputError("show", why, reason=Reason.INPUT_INVALID)
        with read(view.site.engine) as db:
            rows, more = never_seen.listed(view, db, after=after, limit=view.limit)
        return view.listed([_plain(row) for row in rows], more)
    with read(view.site.engine) as db:
        wanted = inventory_asked.wanted(db, view.site.site, asks, view.now_us)
        found = views.page(
            db, view.site.site, wanted, after=after, limit=view.limit, facets=False, total=False
        )
    return view.listed([_plain(row) for row in found.rows], found.after)


def facets(view: View) -> Response:
    """Count endpoints by the values of each facet, with the other filters as they are."""
    with read(view.site.engine) as db:
        wanted = inventory_asked.wanted(db, view.site.site, view.asks, view.now_us)
        found = views.page(db, view.site.site, wanted, limit=1)
    return view.json(FacetsOut(found.total, {name: dict(of) for name, of in found.facets.items()}))


def one(view: View) -> Response:
    """Give one endpoint."""
    with read(view.site.engine) as db:
        found = views.one(db, view.site.site, view.part("endpoint"))
    if found is None:
        raise InputError("endpoint", "there is no such endpoint", reason=Reason.NOT_FOUND)
    said = [
        SaidOut(
            *(row.attribute, row.value, row.source, row.confidence, row.shown, row.conflict),
            *(from_micros(row.first_us), from_micros(row.last_us)),
        )
        for row in found.attributes
    ]
    marks = [
        MarkOut(
            *(mark.kind.value, mark.value, scope, held.fronts),
            from_micros(held.ended_us) if held.ended_us else None,
            *(from_micros(held.first_us), from_micros(held.last_us)),
        )
        for mark, scope, held in found.marks
    ]
    others = {id_ for c in found.conflicts if not c.closed_us for id_ in (c.endpoint, c.other)}
    return view.json(WholeOut(_plain(found.row), said, marks, sorted(others - {found.row.id, ""})))


def _plain(row: EndpointRow) -> EndpointOut:
    return EndpointOut(
        *(row.id, row.sort, row.device, row.parent, row.merged, row.lifecycle, row.conflicts, row.name),
        *(row.realm, row.segment, row.address, row.mac, row.make, row.model, row.serial, row.type, row.unit),
        *(row.location, row.owner, row.criticality, row.os, row.firmware, row.tag, row.care),
        *(from_micros(at_us) if at_us else None for at_us in (row.first_us, row.last_us)),
    )


_FOUND = tuple(name for name in SHOWS if name not in {"", NEVER_SEEN})
_ASKS = {
    "search": Query("part of a name, address, serial, tag, maker or model"),
    "silent": Query("not heard for so many days up to the last flow, or never", tuple(filter(None, SILENT))),
    **{name: Query(f"{words.lower()}; `{UNKNOWN}`: nobody says it") for name, words in FACETS.items()},
    "type": Query(
        f"type of device, as the vocabulary writes it: `infusion-pump`; `{UNKNOWN}`: nobody says it"
    ),
    "make": Query(f"maker, as it stands first; `{UNKNOWN}`: nobody says it"),
    "care": Query(f"care state now; `{UNKNOWN}`: nobody knows", ("in-use", "idle", UNKNOWN)),
    "sort": Query("on the network, or heard of elsewhere", ("network", "account")),
}

API = (
    Route(
        "/api/v1/inventory",
        listed,
        action="inventory.see",
        api=True,
        call=Call(
            gives=EndpointOut,
            listed=True,
            asks={
                **_ASKS,
                "show": Query("which of them", tuple(filter(None, SHOWS))),
                **PAGED,
            },
        ),
    ),
    Route(
        "/api/v1/inventory/facets",
        facets,
        action="inventory.see",
        api=True,
        call=Call(gives=FacetsOut, asks={**_ASKS, "show": Query("which of them", _FOUND)}),
    ),
    Route(
        "/api/v1/inventory/{endpoint}",
        one,
        action="inventory.see",
        thing=named("area"),
        api=True,
        call=Call(gives=WholeOut),
    ),
)
