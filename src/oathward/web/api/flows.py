"""Flows by the API: conversations with the filters of the console's list, one of them, and its totals by hour.

Rules:
- Whom a word means is asked of the inventory; where more fit than are asked for, the call says so and gives nothing.
- Names of endpoints stand in the inventory; here are their ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network import views
from oathward.network.model import ConversationFilters
from oathward.web.calls import PAGED, Call, Query, moment_of, number_of
from oathward.web.flows_asked import MATCHES_MAX, PORT_MAX, Who, port, who
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from oathward.network.model import Conversation
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class FlowOut:
    """One conversation: who asked whom for which service. Sums are of all the time it was seen; `client_endpoint`, `server_endpoint`: ids of the inventory, empty where nobody is known; `service`: empty where none was recognised; `tls`: version, empty in clear or not known; `clear`: classes of data seen in clear text, with how many elements."""

    id: str
    realm: str
    client: str
    client_endpoint: str
    client_zone: str
    server: str
    server_endpoint: str
    server_zone: str
    transport: str
    port: int
    service: str
    tls: str
    flows: int
    answered: int
    unanswered: int
    client_bytes: int
    server_bytes: int
    clear: dict[str, int]
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class FlowHourOut:
    """What of one conversation was seen in one hour; `hour`: its beginning."""

    hour: datetime
    flows: int
    answered: int
    unanswered: int
    client_bytes: int
    server_bytes: int


def listed(view: View) -> Response:
    """List conversations, those seen last first."""
    asks, site = view.asks, view.site.site
    since_us, until_us = (moment_of(name, asks.get(name, "")) for name in ("since", "until"))
    asked_port = port(asks.get("port", ""))
    if asks.get("port") and not 0 <= asked_port <= PORT_MAX:
        raise InputError("port", f"must be 0 to {PORT_MAX}", reason=Reason.INPUT_INVALID)
    with read(view.site.engine) as db:
        mine, theirs = (_side(db, site, name, asks.get(name, "")) for name in ("device", "peer"))
        wanted = ConversationFilters(
            endpoints=mine.endpoints,
            address=mine.address,
            peers=theirs.endpoints,
            peer_address=theirs.address,
            zone=asks.get("zone", ""),
            service=asks.get("service", ""),
            port=asked_port,
            clear=asks.get("clear") == "yes",
            since_us=since_us or 0,
            until_us=2**62 if until_us is None else until_us,
        )
        rows, more = views.newest(db, site, wanted, after=asks.get("after", ""), limit=view.limit)
    return view.listed([_plain(one) for one in rows], more)


def one(view: View) -> Response:
    """Give one conversation."""
    with read(view.site.engine) as db:
        return view.json(_plain(_one(db, view)))


def hours(view: View) -> Response:
    """List what of one conversation was seen, by hour, the first first; hours without a flow are left out."""
    after = view.asks.get("after", "")
    since_us = number_of("after", after) + 1 if after else 0
    with read(view.site.engine) as db:
        id_ = _one(db, view).id
        found = views.hours(db, view.site.site, id_, since_us=since_us, limit=view.limit + 1)
    rows = [
        FlowHourOut(
            *(from_micros(at_us), sums.flows, sums.answered, sums.unanswered),
            *(sums.client_bytes, sums.server_bytes),
        )
        for at_us, sums in found[: view.limit]
    ]
    return view.listed(rows, found[view.limit - 1][0] if len(found) > view.limit else "")


def _one(db: Connection, view: View) -> Conversation:
    found = views.one(db, view.site.site, view.part("flow"))
    if found is None:
        raise InputError("flow", "there is no such conversation", reason=Reason.NOT_FOUND)
    return found


def _side(db: Connection, site: str, name: str, text: str) -> Who:
    found = who(db, site, text)
    if found.many:
        why = f"fits more than {MATCHES_MAX} endpoints; say more of it, an address or an id"
        raise InputError(name, why, reason=Reason.INPUT_INVALID)
    return found


def _plain(one: Conversation) -> FlowOut:
    key, sums = one.key, one.sums
    return FlowOut(
        id=one.id,
        realm=key.realm,
        client=key.client,
        client_endpoint=key.client_endpoint,
        client_zone=one.client_zone,
        server=key.server,
        server_endpoint=key.server_endpoint,
        server_zone=one.server_zone,
        transport=key.transport,
        port=key.port,
        service=key.service,
        tls=key.tls,
        flows=sums.flows,
        answered=sums.answered,
        unanswered=sums.unanswered,
        client_bytes=sums.client_bytes,
        server_bytes=sums.server_bytes,
        clear=dict(one.classes),
        first=from_micros(one.first_us),
        last=from_micros(one.last_us),
    )


_WHO = "an endpoint's id, an address, or part of what the inventory knows of it"

API = (
    Route(
        "/api/v1/flows",
        listed,
        action="network.see",
        api=True,
        call=Call(
            gives=FlowOut,
            listed=True,
            asks={
                **PAGED,
                "device": Query(f"who is on one side: {_WHO}"),
                "peer": Query("who is on the other, in the same way"),
                "service": Query("service, as in `hl7`"),
                "zone": Query("zone on either side"),
                "port": Query(f"port that was asked for, 0 to {PORT_MAX}"),
                "since": Query("seen since: a time, UTC where it names no zone"),
                "until": Query("seen before, likewise"),
                "clear": Query("`yes`: only with data in clear text", ("yes",)),
            },
        ),
    ),
    Route(
        "/api/v1/flows/{flow}",
        one,
        action="network.see",
        thing=named("area"),
        api=True,
        call=Call(gives=FlowOut),
    ),
    Route(
        "/api/v1/flows/{flow}/hours",
        hours,
        action="network.see",
        thing=named("area"),
        api=True,
        call=Call(gives=FlowHourOut, listed=True, asks=PAGED),
    ),
)
