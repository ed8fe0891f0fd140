"""Received messages, by the API: what is known of them and what was decided; never what stands in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.messages import sql as rows
from oathward.messages import views
from oathward.messages.model import MessageRow, State
from oathward.messages.views import Filters
from oathward.web import decided, things
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class MessageOut:
    """A message as it was received; `answer`: the acknowledgement that was given; `reason`: why it is held, empty if not."""

    id: str
    received: datetime
    device: str
    subject: str
    type: str
    size_bytes: int
    state: str
    reason: str
    answer: str


@dataclass(frozen=True, slots=True)
class DecisionOut:
    """What was decided for one link of one part; `removed`: class of data and how many values of it did not pass."""

    part: str
    link: str
    word: str
    reasons: list[str]
    outgoing: str
    removed: dict[str, int]
    at: datetime
    bundle: str
    fate: str


@dataclass(frozen=True, slots=True)
class MessageWhole:
    """A message with what was decided and its records' numbers; `message` is null where its row was forgotten."""

    id: str
    message: MessageOut | None
    decisions: list[DecisionOut]
    records: list[int]


def messages(view: View) -> Response:
    """List received messages, newest first."""
    asks = view.asks
    filters = Filters(
        asks.get("state", ""), asks.get("type", ""), asks.get("device", ""), asks.get("reason", "")
    )
    with read(view.site.engine) as db:
        found = views.messages(
            *(db, view.site.site, things.filters(view, filters)),
            after=asks.get("after", ""),
            limit=view.limit,
            devices=things.senders(view, db),
        )
    return view.listed([_plain(things.told(view, row)) for row in found.rows], found.after)


def message(view: View) -> Response:
    """Give one message with what was decided about it."""
    id_ = view.part("message")
    with read(view.site.engine) as db:
        row, held = rows.message_row(db, id_), rows.held(db, id_)
        waiting = {one.id: one.state for one in views.deliveries(db, id_)}
        records = list(decided.records(db, view.site.site, id_))
    if row is None and held is None and not records:
        raise InputError("message", "there is no such message", reason=Reason.NOT_FOUND)
    links = things.own_links(view)
    decisions = [
        DecisionOut(
            *(one.part, one.link, one.word, list(one.reasons), one.outgoing, dict(one.removed)),
            *(from_micros(one.at_us), one.bundle, one.fate),
        )
        for one in decided.decisions(records, waiting)
        if links is None or one.link in links
    ]
    indexes = [entry.index for entry in records] if links is None else []
    whole = _plain(things.told(view, row)) if row else None
    return view.json(MessageWhole(id_, whole, decisions, indexes))


def _plain(row: MessageRow) -> MessageOut:
    return MessageOut(
        row.id,
        from_micros(row.received_us),
        row.device,
        "" if row.subject.startswith("unattributed") else row.subject,
        row.type,
        row.size_bytes,
        row.state,
        row.reason,
        row.answer,
    )


API = (
    Route(
        "/api/v1/messages",
        messages,
        action="messages.see",
        api=True,
        call=Call(
            gives=MessageOut,
            listed=True,
            asks={
                **PAGED,
                "state": Query("what became of it", tuple(one.value for one in State)),
                "type": Query("as in MSH-9: `ORU^R01`"),
                "device": Query("a device's id"),
                "reason": Query("a reason code"),
            },
        ),
    ),
    Route(
        "/api/v1/messages/{message}",
        message,
        action="messages.see",
        thing=things.message,
        api=True,
        call=Call(gives=MessageWhole),
    ),
)
