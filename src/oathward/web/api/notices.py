"""Notices to recipients by the API. What the page Notices to recipients shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.consent.notices import views
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.web.calls import Call, Query
from oathward.web.page import Route
from oathward.web.withdrawn import sees_whose

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class NoticeOut:
    """One notice; `subject` is empty for those who may not know whose it was. `passes`: `all`, `some` or `none` of the link.

    `answer`: the recipient's, or why there is none; of a discarded one, who gave it up.
    """

    id: str
    link: str
    subject: str
    version: int
    passes: str
    state: str
    answer: str
    missing: bool
    due: datetime
    answered: datetime | None


def listed(view: View) -> Response:
    """List what recipients were told of what patients allow them, newest first, two hundred at most."""
    site, whose = view.site, sees_whose(view)
    missing = view.asks.get("state") == "missing"
    with read(site.engine) as db:
        rows = views.rows(db, site.site, missing=missing, limit=LISTED_MAX)
    return view.listed(
        [
            NoticeOut(
                *(
                    one.id,
                    one.link,
                    one.subject if whose else "",
                    one.version,
                    one.passes,
                    one.state,
                    one.answer,
                ),
                one.is_missing,
                from_micros(one.due_us),
                from_micros(one.settled_us) if one.settled_us else None,
            )
            for one in rows
        ]
    )


API = (
    Route(
        "/api/v1/withdrawals/notices",
        listed,
        action="withdrawals.see",
        api=True,
        call=Call(
            gives=NoticeOut, listed=True, asks={"state": Query("`all` without it", ("all", "missing"))}
        ),
    ),
)
