"""Messages: what came in, newest first; and one message with what was decided for each link, and why. Metadata only.

Rules:
- New rows wait behind a count: nothing moves under the pointer.
- One message shows its records as they stand in the ledger: what is not recorded did not happen.
- A delivery that is blocked or dead can be tried again or given up, with the person's words; each is a record.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.consent.notices import actions as notices
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import BY_CODE, Reason
from oathward.courier.again import Again
from oathward.messages import actions, views
from oathward.messages import sql as rows
from oathward.messages.model import Delivery, State
from oathward.messages.views import WITHDRAWN, Counted, Filters
from oathward.web import decided, things
from oathward.web.page import Page, Route
from oathward.web.view import View

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROWS = 50
STATES = {state.value: state.value for state in State}


def show(view: View) -> Response:
    """List messages."""
    filters = things.filters(view, _filters(view))
    with read(view.site.engine) as db:
        devices = things.senders(view, db)
        found = views.messages(
            db, view.site.site, filters, after=view.asked("after"), limit=ROWS, devices=devices
        )
        if devices is None:
            total, held = _total(view, db), rows.held_counts(db)
        else:  # how many others' there are is nobody's to see
            total, held = Counted(len(found.rows), bool(found.after)), {}
    # What is counted as new must be what the list would show: all, or all of one outcome.
    live = not view.asked("after") and filters == Filters(state=filters.state)
    newest = found.rows[0].id if found.rows else ""
    return view.page(
        "messages.html",
        filtered=filters != Filters(),
        filters=filters,
        found=found,
        held=held,
        told=[things.told(view, row) for row in found.rows],
        live=view.link("/messages/new", than=newest, state=filters.state) if live else "",
        reasons=_reasons(held) if devices is None else [("", _OWN)],
        states=STATES,
        total=total,
        until=view.asked("until"),
    )


def new(view: View) -> Response:
    """Count what came since an open page was made."""
    with read(view.site.engine) as db:
        count = views.newer(
            *(db, view.site.site, view.asked("than")),
            state=view.asked("state", known=STATES),
            devices=things.senders(view, db),
        )
    return view.piece("new.html", count=count)


def one(view: View) -> Response:
    """Show one message."""
    id_ = view.part("message")
    with read(view.site.engine) as db:
        message, held = rows.message_row(db, id_), rows.held(db, id_)
        waiting = views.deliveries(db, id_)
        records = list(decided.records(db, view.site.site, id_))
    if message is None and held is None and not records:
        raise InputError(
            "message", "there is no such message, or its row was forgotten", reason=Reason.NOT_FOUND
        )
    links = things.own_links(view)
    decisions = decided.decisions(records, {row.id: row.state for row in waiting})
    stuck = [r for r in waiting if r.state != Delivery.PENDING and r.reason not in WITHDRAWN]
    return view.page(
        "message.html",
        decisions=[one for one in decisions if links is None or one.link in links],
        held=held if links is None or (held and things.own_doing(held.reason)) else None,
        id=id_,
        message=things.told(view, message) if message else None,
        outside=links is not None,
        records=records if links is None else [],
        stuck=stuck if links is None else [],
    )


def deliver(view: View) -> Response:
    """Try a blocked or dead delivery of this message again, or give it up."""
    id_, delivery = view.part("message"), view.form.get("delivery", "")
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    site = view.site
    again = Again(site.engine, site.site, site.authority, site.clock, site.seen)
    retry: Callable[..., object] = partial(actions.retry, refused=again)
    acts = {"retry": retry, "discard": actions.discard}
    act = acts.get(view.form.get("act", ""))
    if act is None:
        raise InputError("act", "is neither retry nor discard", reason=Reason.INPUT_INVALID)
    with write(view.site.engine) as db:
        said = {"by": view.who, "reason": view.reason()}
        if act is actions.discard:
            notices.discarded(db, site.site, delivery, by=view.who, at_us=view.now_us)
        act(db, delivery, **said, now_us=view.now_us, message=id_)
    return view.go(f"/messages/{id_}#deliveries")


def _total(view: View, db: Connection) -> Counted:
    """Count what there is, anew every few seconds: the title says it, no row depends on it."""
    at_s, kept = _totals.get(id(view.site), (0.0, None))
    if kept is None or time.monotonic() - at_s > _TOTAL_S or not kept.more:
        kept = views.received_since(db, view.site.site, 0)
        _totals[id(view.site)] = (time.monotonic(), kept)
    return kept


_TOTAL_S = 60.0
_totals: dict[int, tuple[float, Counted]] = {}


def _reasons(held: dict[str, int]) -> list[tuple[str, list[str]]]:
    """Give the reasons a message can be held for, those of which some are held now first."""
    others = [code for code in sorted(BY_CODE) if code.startswith(_HOLDING) and code not in held]
    return [("Held now", sorted(held)), ("Others", others)]


_OWN = [code for code in sorted(BY_CODE) if things.own_doing(code)]
_HOLDING = (
    "message.",
    "device.",
    "patient.",
    "decision.",
    "deid.",
    "mapping.",
    "guard.",
    "key.unav",
    "internal",
)
"""How the reasons begin that are about a message and not about a connection, a delivery or a command."""


def _filters(view: View) -> Filters:
    return Filters(
        state=view.asked("state", known=STATES),
        type=view.asked("type"),
        device=view.asked("device"),
        reason=view.asked("reason", known=BY_CODE),
        until_us=_until(view.asked("until")),
    )


def _until(text: str) -> int:
    """Read a time of a filter, UTC; 0 where it is none: an old link still opens."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return max(0, micros(at.replace(tzinfo=at.tzinfo or UTC)))


PAGE = Page(
    "Messages",
    (
        Route("/messages", show, action="messages.see"),
        Route("/messages/new", new, quiet=True, action="messages.see"),
        Route("/messages/{message}", one, action="messages.see", thing=things.message),
        Route(
            "/messages/{message}/deliveries", deliver, "POST", action="delivery.change", thing=things.message
        ),
    ),
    group="See",
    key="m",
    order=10,
)
