"""The map: what is declared beside what was observed, as three lists, conduits between zones, and a picture of the same.

Rules:
- The table is the page; the picture shows the very conversations that the table's filters leave, and says nothing more.
- Filters stand in the address, so that a view is a link.
- Only the conversations with the most bytes are looked at; where there are more, the page says so.
- Nothing here changes anything; what differs is told as findings by ``oathward map --tell``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from oathward.core.db import read
from oathward.mapping import picture, reading
from oathward.network import views as network
from oathward.web import saved_views
from oathward.web.map_asked import DAYS, DAYS_FIRST, living
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.mapping.model import Difference
    from oathward.mapping.reading import Living
    from oathward.web.view import View

ROWS_MAX = 100
BOXES = {"60": 60, "150": 150, "300": picture.NODES_MAX}
"""How many boxes the picture has at most: what is more is put together by model, unit or zone. The fewest first: a picture is looked at."""

LISTS = {
    "": "All that differs",
    "undeclared": "Observed, undeclared",
    "unseen": "Declared, never observed",
    "otherwise": "Otherwise than declared",
}


def show(view: View) -> Response:
    """Show lists, conduits and the picture."""
    found, zone, service, days = _living(view)
    listed = view.asked("list", known=LISTS)
    said = together(found.compared.differences)
    rows = [one for one in said if listed in {"", one[0].listed}]
    ends, lines = reading.ends_and_lines(found)
    with read(view.site.engine) as db:
        zones, services = network.zone_names(db, view.site.site), network.service_names(db, view.site.site)
        stored = saved_views.of(view, db, "/map")
        last_us = network.newest_us(db, view.site.site)
    boxes = view.asked("boxes", "60", known=BOXES)
    placed = picture.picture(ends, lines, most=BOXES[boxes])
    return view.page(
        "map.html",
        boxes=boxes,
        boxes_known=BOXES,
        called={f"endpoint:{end.id}": end.words for end in ends},
        compared=found.compared,
        days=days,
        days_known=DAYS,
        box=(picture.WIDE, picture.HIGH),
        drawn=picture.drawn(placed),
        link=place_of,
        placed=placed,
        last_us=last_us,
        listed=listed,
        lists={name: sum(name in {"", one[0].listed} for one in said) for name in LISTS},
        rows=[line_of(one) for one in rows[:ROWS_MAX]],
        rows_left=max(len(rows) - ROWS_MAX, 0),
        saved=stored,
        service=service,
        services=services,
        words=LISTS,
        zone=zone,
        zones=zones,
    )


@dataclass(frozen=True, slots=True)
class Line:
    """What differs in the same way of the same thing, as one line. ``flows``: where its conversations are listed, empty where none is known."""

    first: Difference
    times: int
    ports: tuple[int, ...]
    flows: str


def together(found: Sequence[Difference]) -> list[list[Difference]]:
    """Put together what would be said twice in the same words, in the order of the first of each."""
    groups: dict[tuple[str, str, str, str], list[Difference]] = {}
    for one in found:
        groups.setdefault((one.listed, one.kind, one.about, one.words), []).append(one)
    return list(groups.values())


def line_of(rows: Sequence[Difference]) -> Line:
    """Make the line of what is said in the same words."""
    ports = sorted({port for one in rows if isinstance(port := one.details.get("port"), int)})
    ends = [{str(one.details.get(end, "")) for one in rows} - {""} for end in ("client", "server")]
    client, server = (next(iter(some)) if len(some) == 1 else "" for some in ends)
    many = isinstance(asked := rows[0].details.get("clients"), int) and asked > 1
    asks = {"device": "" if many else client, "peer": server, "port": ports[0] if len(ports) == 1 else ""}
    flows = f"/flows?{urlencode({name: value for name, value in asks.items() if value != ''})}"
    return Line(rows[0], len(rows), tuple(ports), flows if client or server else "")


def drawing(view: View) -> Response:
    """Give the picture as a file that stands alone."""
    ends, lines = reading.ends_and_lines(_living(view)[0])
    text = picture.svg(
        picture.picture(ends, lines, most=BOXES[view.asked("boxes", "60", known=BOXES)]),
        f"Map of {view.site.site}",
    )
    headers = {"content-disposition": f'attachment; filename="map-{view.now:%Y-%m-%d}.svg"'}
    return Response(text, media_type="image/svg+xml; charset=utf-8", headers=headers)


def place_of(one: Difference) -> str:
    """Say where what a difference is about has its page; empty where it has none."""
    kind, _, id_ = one.about.partition(":")
    places = {"link": "/links/", "connection": "/connections/", "endpoint": "/inventory/"}
    return places[kind] + id_ if kind in places else ""


def _living(view: View) -> tuple[Living, str, str, str]:
    zone, service = view.asked("zone")[:100], view.asked("service")[:100]
    days = view.asked("days", DAYS_FIRST, known=DAYS)
    return living(view, zone, service, days), zone, service, days


PAGE = Page(
    "Map",
    (
        Route("/map", show, action="inventory.see"),
        Route("/map.svg", drawing, action="inventory.see"),
    ),
    group="See",
    key="7",
    order=30,
)
