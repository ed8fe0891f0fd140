"""The ledger, by the API: search, one record, its proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oathward import ledger
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.ledger import Query as Wanted
from oathward.web.calls import PAGED, Call, Query, moment_of, number_of
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.ledger import Entry
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class RecordOut:
    """One record as it stands; `leaf`: its hash in the tree; of a removed one `rule` says why and the body is empty."""

    index: int
    kind: str
    at: datetime | None
    subject: str
    message: str
    links: list[str]
    body: dict[str, Any]
    leaf: str
    rule: str | None


def search(view: View) -> Response:
    """Search the records, newest first."""
    asks = view.asks
    wanted = Wanted(
        subject=asks.get("subject", ""),
        link=asks.get("link", ""),
        kind=asks.get("kind", ""),
        message=asks.get("message", ""),
        since_us=moment_of("since", asks.get("since", "")),
        until_us=moment_of("until", asks.get("until", "")),
    )
    after = asks.get("after", "")
    before = number_of("after", after) if after else None
    with read(view.site.engine) as db:
        found = ledger.search(db, view.site.site, wanted, before=before, limit=view.limit + 1)
    rows = found[: view.limit]
    return view.listed([_plain(row) for row in rows], rows[-1].index if len(found) > view.limit else "")


def record(view: View) -> Response:
    """Give one record."""
    index = number_of("record", view.part("index"), Reason.NOT_FOUND)
    with read(view.site.engine) as db:
        return view.json(_plain(ledger.entry(db, view.site.site, index)))


def _plain(entry: Entry) -> RecordOut:
    return RecordOut(
        index=entry.index,
        kind=entry.kind,
        at=from_micros(entry.at_us) if entry.at_us else None,
        subject=entry.subject,
        message=entry.message,
        links=list(entry.links),
        body=dict(entry.body),
        leaf=entry.leaf.hex(),
        rule=entry.rule,
    )


API = (
    Route(
        "/api/v1/ledger",
        search,
        action="ledger.see",
        api=True,
        call=Call(
            gives=RecordOut,
            listed=True,
            asks={
                **PAGED,
                "subject": Query("a subject's id"),
                "link": Query("a link's id"),
                "kind": Query("as in `message.accepted`"),
                "message": Query("a message's id"),
                "since": Query("a time, UTC where it names no zone"),
                "until": Query("likewise"),
            },
        ),
    ),
    Route(
        "/api/v1/ledger/{index}",
        record,
        action="ledger.see",
        thing=named("area"),
        api=True,
        call=Call(gives=RecordOut),
    ),
)
