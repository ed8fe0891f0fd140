"""Sources by the API: sensors and logs with when each was last heard, and the files of one.

Rules:
- Files that belong together are one source, as on the console's page; its id is made of observer, realm and name.
- Of the ``network.listening.SOURCES_MAX`` files that were read last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network import listening
from oathward.web.calls import PAGED, Call, Query, cut
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.network.listening import Stream
    from oathward.network.model import ObservedSource
    from oathward.web.view import View

SHOWS = ("silent", "refused")
_ID_CHARS = 32


@dataclass(frozen=True, slots=True)
class SourceOut:
    """One sensor or log. `name`: of its files, numbers as `#`; `last`: of the last thing it told of, null for never; `usual_s`: the longest pause before, 0 where too little is known; `silent`: it was not heard for longer than usual; `files`: how many, `unfinished`: of those not read to their end; `sessions`: rows that say more of flows which other sources count (TLS, MQTT); `refused`: reason -> how many, of the last readings; `unsaid`: refused before."""

    id: str
    observer: str
    realm: str
    name: str
    last: datetime | None
    read: datetime
    usual_s: int
    silent: bool
    files: int
    unfinished: int
    flows: int
    sessions: int
    statements: int
    refused: dict[str, int]
    unsaid: int


@dataclass(frozen=True, slots=True)
class SourceFileOut:
    """One file or stream of a source. `bytes`: up to where it was read, unpacked; `sessions`: rows that say more of flows which other sources count; `first`, `last`: of what it tells of, null where it tells of nothing; `finished`: it was read to its end as it was then."""

    id: str
    name: str
    segment: str
    bytes: int
    flows: int
    sessions: int
    statements: int
    refused: int
    first: datetime | None
    last: datetime | None
    read: datetime
    finished: bool


def listed(view: View) -> Response:
    """List sensors and logs, by observer, realm and name."""
    with read(view.site.engine) as db:
        found = listening.streams(db, view.site.site)
    shown, now_us = view.asks.get("show"), view.now_us
    rows = [
        one
        for one in sorted(found, key=lambda one: (one.observer, one.realm, one.name))
        if (shown != "silent" or one.is_silent(now_us)) and (shown != "refused" or one.refused or one.unsaid)
    ]
    some, more = cut(rows, _id, view.asks.get("after", ""), view.limit)
    return view.listed([_plain(one, now_us) for one in some], more)


def files(view: View) -> Response:
    """List the files of one sensor or log, the one read last first."""
    with read(view.site.engine) as db:
        found = listening.streams(db, view.site.site)
    stream = next((one for one in found if _id(one) == view.part("source")), None)
    if stream is None:
        raise InputError("source", "there is no such source", reason=Reason.NOT_FOUND)
    some, more = cut(stream.sources, lambda one: one.id, view.asks.get("after", ""), view.limit)
    return view.listed([_file(one) for one in some], more)


def _id(one: Stream) -> str:
    return sha256(f"{one.observer}\0{one.realm}\0{one.name}".encode()).hexdigest()[:_ID_CHARS]


def _plain(one: Stream, now_us: int) -> SourceOut:
    return SourceOut(
        id=_id(one),
        observer=one.observer,
        realm=one.realm,
        name=one.name,
        last=from_micros(one.last_us) if one.last_us else None,
        read=from_micros(one.read_us),
        usual_s=round(one.usual_us / 1_000_000),
        silent=one.is_silent(now_us),
        files=len(one.sources),
        unfinished=one.left,
        flows=one.flows,
        sessions=one.sessions,
        statements=one.statements,
        refused=dict(one.refused),
        unsaid=one.unsaid,
    )


def _file(one: ObservedSource) -> SourceFileOut:
    return SourceFileOut(
        id=one.id,
        name=one.name,
        segment=one.segment,
        bytes=one.offset,
        flows=one.flows,
        sessions=one.sessions,
        statements=one.statements,
        refused=one.refused,
        first=from_micros(one.first_us) if one.first_us else None,
        last=from_micros(one.last_us) if one.last_us else None,
        read=from_micros(one.updated_us),
        finished=one.finished,
    )


API = (
    Route(
        "/api/v1/sources",
        listed,
        action="network.see",
        api=True,
        call=Call(
            gives=SourceOut,
            listed=True,
            asks={**PAGED, "show": Query("`silent` longer than usual, or with something `refused`", SHOWS)},
        ),
    ),
    Route(
        "/api/v1/sources/{source}/files",
        files,
        action="network.see",
        thing=named("area"),
        api=True,
        call=Call(gives=SourceFileOut, listed=True, asks=PAGED),
    ),
)
