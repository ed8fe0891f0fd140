"""Deliveries that have not happened, by the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.messages import views
from oathward.messages.model import Delivery
from oathward.web.calls import PAGED, Call, Query, number_of
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class DeliveryOut:
    """A delivery that waits, is blocked or was set aside; `id`: what the recipient would see; `next`: the next try."""

    id: str
    message: str
    link: str
    device: str
    subject: str
    state: str
    reason: str
    attempts: int
    created: datetime
    next: datetime | None


def deliveries(view: View) -> Response:
    """List deliveries that have not happened, newest first."""
    asks, after = view.asks, view.asks.get("after", "")
    with read(view.site.engine) as db:
        found = views.outbox_page(
            *(db, view.site.site),
            link=asks.get("link", ""),
            state=asks.get("state", ""),
            after=number_of("after", after) if after else 0,
            limit=view.limit + 1,
        )
    rows = found[: view.limit]
    items = [
        DeliveryOut(
            *(row.id, row.message, row.link, row.sender, row.subject, row.state, row.reason, row.attempts),
            from_micros(row.created_us),
            from_micros(row.next_us) if row.next_us else None,
        )
        for row in rows
    ]
    return view.listed(items, rows[-1].seq if len(found) > view.limit else "")


API = (
    Route(
        "/api/v1/deliveries",
        deliveries,
        action="deliveries.see",
        api=True,
        call=Call(
            gives=DeliveryOut,
            listed=True,
            asks={
                **PAGED,
                "link": Query("a link's id"),
                "state": Query("how it stands", tuple(one.value for one in Delivery)),
            },
        ),
    ),
)
