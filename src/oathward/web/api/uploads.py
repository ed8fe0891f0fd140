"""Uploads past Oathward by the API: what is known of them, one more, one that is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward import uploading
from oathward.core.clock import from_micros, micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.labels import expand
from oathward.core.reasons import BY_CODE, Reason
from oathward.uploads import actions, views
from oathward.uploads.model import Answer, Sighting, Source, UploadFilters
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.uploads.model import UploadRow
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class UploadOut:
    """One upload; `party` or `maker`: who gets it; `answer`: the patient's word as last compared; `ended`: null while it goes on."""

    id: str
    party: str
    maker: str
    device: str
    subject: str
    classes: list[str]
    purpose: str
    since: datetime
    seen: datetime
    source: str
    evidence: str
    answer: str
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class UploadIn:
    """A sighting; `classes`: as policy has them, `observation.*` too; `evidence`: a code, no words; times as in ISO 8601."""

    classes: list[str]
    since: str
    seen: str
    source: str
    party: str = ""
    maker: str = ""
    device: str = ""
    subject: str = ""
    purpose: str = ""
    evidence: str = ""


def listed(view: View) -> Response:
    """List uploads that go on, newest first."""
    asks = view.asks
    wanted = UploadFilters(
        asks.get("answer", ""), device=asks.get("device", ""), ended=asks.get("state") == "ended"
    )
    with read(view.site.engine) as db:
        rows = views.listed(db, view.site.site, wanted, before=asks.get("after", ""), limit=view.limit)
    return view.listed([_plain(row) for row in rows], rows[-1].id if len(rows) == view.limit else "")


def add(view: View) -> Response:
    """Enter one; seen again it is the same."""
    body = view.body
    if body.source not in set(Source):
        raise InputError("source", f"one of {', '.join(Source)}", reason=Reason.INPUT_INVALID)
    try:
        classes = expand(body.classes)
    except KeyError as error:
        raise InputError("classes", "a class there is not", reason=Reason.INPUT_INVALID) from error
    said = Sighting(
        *(body.party, body.maker, body.device, body.subject, classes, body.purpose),
        *(_time(body.since, "since"), _time(body.seen, "seen"), Source(body.source), body.evidence),
    )
    wrong = uploading.unfit(view.site, said)
    if wrong is not None:
        raise InputError(wrong.field, wrong.why, reason=BY_CODE[wrong.code])
    by = view.who
    [row] = uploading.kept(view.site, [said], by=by, now_us=view.now_us)
    with read(view.site.engine) as db:
        now = views.one(db, view.site.site, row.id)
    return view.json(_plain(now or row), status=201)


def end(view: View) -> Response:
    """Say that one is over."""
    by = view.who
    with write(view.site.engine) as db:
        row = actions.end(db, view.site.site, view.part("upload")[:64], by=by, now_us=view.now_us)
    return view.json(_plain(row))


def _time(text: str, field: str) -> int:
    try:
        return micros(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(field, "a time as in 2026-05-04T07:00Z", reason=Reason.INPUT_INVALID) from error


def _plain(row: UploadRow) -> UploadOut:
    said = row.sighting
    return UploadOut(
        *(row.id, said.party, said.maker, said.device, said.subject, sorted(said.classes), said.purpose),
        *(from_micros(said.since_us), from_micros(said.seen_us), said.source.value, said.evidence),
        *(row.answer.value if row.answer else "", from_micros(row.ended_us) if row.ended_us else None),
    )


API = (
    Route(
        "/api/v1/uploads",
        listed,
        action="uploads.see",
        api=True,
        call=Call(
            gives=UploadOut,
            listed=True,
            asks={
                **PAGED,
                "answer": Query("only with this answer", tuple(one.value for one in Answer)),
                "device": Query("only of this device"),
                "state": Query("`on` without it", ("on", "ended")),
            },
        ),
    ),
    Route(
        "/api/v1/uploads",
        add,
        "POST",
        action="uploads.change",
        api=True,
        call=Call(gives=UploadOut, takes=UploadIn, status=201),
    ),
    Route(
        "/api/v1/uploads/{upload}/end",
        end,
        "POST",
        action="uploads.change",
        thing=named("area"),
        api=True,
        call=Call(gives=UploadOut),
    ),
)
