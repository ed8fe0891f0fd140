"""The map by the API: what is declared beside what was observed, as lists and as conduits between zones, with the page's filters.

Rules:
- The conversations with the most bytes are looked at, as on the page; where there are more, ``left`` says so, and nothing is called never observed.
- Each call compares anew: pages of one list belong together only as long as nothing changes between them.

Deliberately absent: the picture (``/map.svg``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.mapping.model import Listed
from oathward.network import views as network
from oathward.web import map_asked
from oathward.web.calls import PAGED, Call, Query, cut
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.mapping.model import Compared, Conduit, Difference
    from oathward.web.view import View

_ID_CHARS = 32


@dataclass(frozen=True, slots=True)
class MapOut:
    """What was compared. `looked`: conversations; `left`: there are more than that; `last`: of the last flow that was seen, null for none; `lists`: list -> how many differences; `zones`, `services`: by which it can be asked."""

    looked: int
    left: bool
    last: datetime | None
    lists: dict[str, int]
    conduits: int
    zones: list[str]
    services: list[str]


@dataclass(frozen=True, slots=True)
class DifferenceOut:
    """One thing in which declared and observed differ. `listed`: in which list; `kind`: of finding; `about`: as in `link:ID`; `words`: what differs; `flows`: ids of conversations that show it, a few."""

    id: str
    listed: Listed
    kind: str
    about: str
    words: str
    details: dict[str, str | int | float]
    flows: list[str]


@dataclass(frozen=True, slots=True)
class ConduitOut:
    """All that went from one zone to another. `services`: service or `transport/port` -> conversations; `clear`: classes of data -> elements seen in clear text; `carried`: classes that declared links may carry; `declared`: ids of what declares it; `undeclared`: conversations that nobody declared."""

    client_zone: str
    server_zone: str
    conversations: int
    flows: int
    bytes: int
    services: dict[str, int]
    clear: dict[str, int]
    carried: list[str]
    declared: list[str]
    undeclared: int


def summary(view: View) -> Response:
    """Say what was compared, and how much differs."""
    found = _compared(view)
    with read(view.site.engine) as db:
        zones, services = network.zone_names(db, view.site.site), network.service_names(db, view.site.site)
        last_us = network.newest_us(db, view.site.site)
    lists = {name.value: len(found.listed(name)) for name in Listed}
    return view.json(
        MapOut(
            looked=found.looked,
            left=found.left,
            last=from_micros(last_us) if last_us else None,
            lists=lists,
            conduits=len(found.conduits),
            zones=zones,
            services=services,
        )
    )


def differences(view: View) -> Response:
    """List what differs between declared and observed."""
    wanted = view.asks.get("list")
    rows = [one for one in _compared(view).differences if wanted in {None, one.listed.value}]
    some, more = cut(rows, _id, view.asks.get("after", ""), view.limit)
    return view.listed([_plain(one) for one in some], more)


def conduits(view: View) -> Response:
    """List conduits between zones."""
    rows = _compared(view).conduits
    some, more = cut(
        rows, lambda one: _digest(one.client_zone, one.server_zone), view.asks.get("after", ""), view.limit
    )
    return view.listed([_conduit(one) for one in some], more)


def _compared(view: View) -> Compared:
    asks = view.asks
    days = asks.get("days", map_asked.DAYS_FIRST)
    return map_asked.living(view, asks.get("zone", ""), asks.get("service", ""), days).compared


def _id(one: Difference) -> str:
    return _digest(one.listed, one.kind, one.key, one.about)


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:_ID_CHARS]


def _plain(one: Difference) -> DifferenceOut:
    return DifferenceOut(
        *(_id(one), one.listed, one.kind, one.about, one.words, dict(one.details), list(one.conversations))
    )


def _conduit(one: Conduit) -> ConduitOut:
    return ConduitOut(
        *(one.client_zone, one.server_zone, one.conversations, one.flows, one.bytes),
        *(dict(one.services), dict(one.classes), sorted(one.carried), list(one.declared), one.undeclared),
    )


_ASKS = {
    "zone": Query("only conversations on one of whose sides this zone is"),
    "service": Query("only conversations of this service"),
    "days": Query(
        f"so many days up to the last flow; {map_asked.DAYS_FIRST} without it", tuple(map_asked.DAYS)
    ),
}
_HERE = "/api/v1/map"

API = (
    Route(_HERE, summary, action="inventory.see", api=True, call=Call(gives=MapOut, asks=_ASKS)),
    Route(
        f"{_HERE}/conduits", conduits, action="inventory.see", api=True,
        call=Call(gives=ConduitOut, listed=True, asks={**PAGED, **_ASKS}),
    ),
    Route(
        f"{_HERE}/differences", differences, action="inventory.see", api=True,
        call=Call(
            gives=DifferenceOut, listed=True,
            asks={**PAGED, **_ASKS, "list": Query("only of this list", tuple(one.value for one in Listed))},
        ),
    ),
)  # fmt: skip
