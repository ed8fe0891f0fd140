"""Quarantine, by the API: what is held; ordering a release; giving messages up.

Rules:
- A release is an order: the answer names it, and what becomes of it is asked for by that name.
- What is given up is gone: the call takes a fresh proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import BY_CODE, Reason
from oathward.messages import actions, views
from oathward.messages import sql as rows
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named
from oathward.web.view import reason_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.messages.model import HeldRow
    from oathward.vault.keeper.client import Release
    from oathward.web.view import View

MESSAGES_MAX = 200


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One message in quarantine; `place`: where in it; `links`: for which it is held, empty for all."""

    message: str
    received: datetime
    device: str
    peer: str
    reason: str
    place: str
    links: str
    state: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """Messages, and why in words that go into the ledger: no patient data."""

    messages: list[str]
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseOut:
    """An order; `state`: waiting, taken, done or refused; `outcome`: message and the reason it stays held for, empty if released."""

    id: str
    state: str
    messages: list[str]
    outcome: dict[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """What was given up."""

    discarded: list[str]


def held(view: View) -> Response:
    """List what is held, newest first."""
    asks = view.asks
    state = asks.get("state", "held")
    with read(view.site.engine) as db:
        found = views.held(
            *(db, view.site.site),
            reason=asks.get("reason", ""),
            device=asks.get("device", ""),
            state="" if state == "any" else state,
            after=asks.get("after", ""),
            limit=view.limit,
        )
    return view.listed([_plain(row) for row in found.rows], found.after)


def release(view: View) -> Response:
    """Order the release of held messages."""
    why = reason_of(view.body.reason)
    order = view.site.keeper.release_order([row.message for row in _chosen(view)], why, view.proof)
    return view.json(_order(order), status=202)


def released(view: View) -> Response:
    """Say what became of one's order."""
    return view.json(_order(view.site.keeper.release_ordered(view.part("order"), view.proof)))


def discard(view: View) -> Response:
    """Give held messages up for good."""
    why, found = reason_of(view.body.reason), _chosen(view)
    with write(view.site.engine) as db:
        again = [row for one in found for row in (rows.held(db, one.message),) if row is not None]
        actions.discard_held(db, again, by=view.who, reason=why, now_us=view.now_us)
    return view.json(Discarded([row.message for row in found]))


def _chosen(view: View) -> list[HeldRow]:
    ids = list(dict.fromkeys(view.body.messages))
    if not ids:
        raise InputError("body.messages", "names no message", reason=Reason.INPUT_INVALID)
    if len(ids) > MESSAGES_MAX:
        raise InputError("body.messages", f"at most {MESSAGES_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    with read(view.site.engine) as db:
        found = [row for id_ in ids for row in (rows.held(db, id_),) if row and row.state == "held"]
    if not found:
        raise InputError("body.messages", "none of these is held", reason=Reason.NOT_FOUND)
    return found


def _plain(row: HeldRow) -> HeldOut:
    return HeldOut(
        *(row.message, from_micros(row.at_us), row.device, row.peer.split(" ")[0]),
        *(row.reason, row.place, row.links, row.state),
    )


def _order(order: Release) -> ReleaseOut:
    return ReleaseOut(order.id, order.state, list(order.messages), dict(order.outcome), order.why)


API = (
    Route(
        "/api/v1/quarantine",
        held,
        action="quarantine.see",
        api=True,
        call=Call(
            gives=HeldOut,
            listed=True,
            asks={
                **PAGED,
                "state": Query("`held` without it", ("held", "released", "discarded", "any")),
                "reason": Query("a reason code", tuple(sorted(BY_CODE))),
                "device": Query("a device's id"),
            },
        ),
    ),
    Route(
        "/api/v1/quarantine/releases",
        release,
        "POST",
        action="quarantine.release",
        api=True,
        call=Call(gives=ReleaseOut, takes=Chosen, status=202),
    ),
    Route(
        "/api/v1/quarantine/releases/{order}",
        released,
        action="quarantine.release",
        thing=named("message"),
        api=True,
        call=Call(gives=ReleaseOut),
    ),
    Route(
        "/api/v1/quarantine/discards",
        discard,
        "POST",
        action="quarantine.discard",
        api=True,
        call=Call(gives=Discarded, takes=Chosen),
    ),
)
