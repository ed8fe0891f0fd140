"""Uploads: what devices send past Oathward, compared with what each patient says now; entered by hand, ended, exported.

Rules:
- A patient stands here as a random id; whose it is can be left open.
- A mistake in the form shows the form again with what was written in it.

Deliberately absent: import of files (``oathward uploads import``), values of any kind.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import uploading
from oathward.core.clock import from_micros, iso, micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.labels import Purpose, expand
from oathward.governance import sheet
from oathward.uploads import actions, views
from oathward.uploads.model import NAME_LENGTH_MAX, Answer, Sighting, Source, UploadFilters
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oathward.uploads.model import UploadRow
    from oathward.web.view import View

ROWS = 100
EXPORTED_MAX = 10_000
ANSWERS = {
    Answer.DENIED.value: "the patient said no",
    Answer.NEVER_ASKED.value: "nobody was asked",
    Answer.ALLOWED.value: "the patient said yes",
    Answer.LAW.value: "the law allows it",
}
LEVELS = {"denied": "bad", "never-asked": "bad", "allowed": "ok", "law": "off"}
SOURCES = {"observed": "staff saw it", "reported": "the patient said so", "imported": "a tool saw it"}
STATES = {"on": "Going on", "ended": "Over"}
DATA = {
    "observation.*": "measured values",
    "patient.*": "who the patient is",
    "device.*": "the device itself",
}
"""Offered in the form; the command line and the API take every class."""

COLUMNS = ("id", "party", "maker", "device", "subject", "classes", "purpose", "first", "last", "source", "evidence", "answer", "ended")  # fmt: skip


def show(view: View) -> Response:
    """List uploads, and the form to enter one."""
    return _listed(view)


def add(view: View) -> Response:
    """Enter one."""
    form, site = view.form, view.site
    try:
        said = Sighting(
            party=_cell(form, "party"),
            maker=_cell(form, "maker"),
            device=_cell(form, "device"),
            subject=_cell(form, "subject"),
            classes=expand([one for one in view.many("data") if one in DATA]),
            purpose=_cell(form, "purpose"),
            since_us=_day(_cell(form, "first")),
            seen_us=_day(_cell(form, "last")),
            source=Source.REPORTED if form.get("source") == "reported" else Source.OBSERVED,
            evidence=_cell(form, "evidence"),
        )
        wrong = uploading.unfit(site, said)
        if wrong is not None:
            raise InputError(wrong.field, wrong.why)
        uploading.kept(site, [said], by=view.who, now_us=view.now_us)
    except InputError as error:
        return _listed(view, wrong=f"{error.where}: {error.why}", status=400)
    return view.go("/uploads")


def end(view: View) -> Response:
    """Say that one is over."""
    by = view.who
    with write(view.site.engine) as db:
        actions.end(db, view.site.site, view.part("upload")[:64], by=by, now_us=view.now_us)
    return view.go("/uploads")


def export(view: View) -> Response:
    """Give all that go on as CSV that no spreadsheet runs."""
    with read(view.site.engine) as db:
        rows = views.listed(db, view.site.site, UploadFilters(), limit=EXPORTED_MAX)
    text = sheet.write(COLUMNS, [_cells(row) for row in rows])
    headers = {"content-disposition": 'attachment; filename="uploads.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _listed(view: View, *, wrong: str = "", status: int = 200) -> Response:
    state, source = view.asked("state", "on", known=STATES), view.asked("source", known=SOURCES)
    answer = view.asked("answer", known=ANSWERS)
    wanted = UploadFilters(answer=answer, source=source, device=view.asked("device"), ended=state == "ended")
    with read(view.site.engine) as db:
        rows = views.listed(db, view.site.site, wanted, before=view.asked("before")[:64], limit=ROWS + 1)
        counts = views.wrong(db, view.site.site)
    active = view.asking.active
    parties = {one.id: one.name for one in active.bundle.recipients.values()} if active else {}
    return view.page(
        "uploads.html",
        status=status,
        answer=answer,
        answers=ANSWERS,
        chosen=view.many("data"),
        counts=sum(counts.values()),
        data=DATA,
        given=view.form or _of_report(view),
        levels=LEVELS,
        more=rows[ROWS - 1].id if len(rows) > ROWS else "",
        name_max=NAME_LENGTH_MAX,
        parties=parties,
        purposes=[one.value for one in Purpose],
        rows=rows[:ROWS],
        source=source,
        sources=SOURCES,
        state=state,
        states=STATES,
        wrong=wrong,
    )


def _of_report(view: View) -> Mapping[str, str]:
    """Fill the form in for what a patient reported: whose it is, that they said so, and which report."""
    report = view.asked("report")[:40]
    told = {"evidence": f"report:{report}", "source": "reported", "subject": view.asked("subject")[:64]}
    return told if report else {}


def _cell(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()[:200]


def _day(text: str) -> int:
    try:
        return micros(datetime.fromisoformat(text[:32]).replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InputError("first, last", "a day and time, in UTC") from error


def _cells(row: UploadRow) -> list[str]:
    said = row.sighting
    times = (iso(from_micros(at)) if at else "" for at in (said.since_us, said.seen_us))
    return [
        *(row.id, said.party, said.maker, said.device, said.subject, ";".join(sorted(said.classes))),
        *(said.purpose, *times, said.source.value, said.evidence, row.answer.value if row.answer else "", ""),
    ]


PAGE = Page(
    "Uploads past us",
    (
        Route("/uploads", show, action="uploads.see"),
        Route("/uploads", add, "POST", action="uploads.change"),
        Route("/uploads.csv", export, action="uploads.see"),
        Route("/uploads/{upload}/end", end, "POST", action="uploads.change", thing=named("area")),
    ),
    group="Protect",
    key="u",
    order=30,
)
