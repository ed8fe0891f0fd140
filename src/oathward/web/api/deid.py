"""Jobs of de-identification by the API: how far each is, its figures, what was held and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import BY_CODE, Reason
from oathward.jobs import views
from oathward.jobs.model import JobFilters, JobState
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.jobs.model import JobRow
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class JobOut:
    """One job; `done`, `written`, `held`, `partly_held`: files of `files`; `searched`: of those written; `known`: of `patients`, those the site knew before; `bare`: those of whom little more than a number left; `authorities`: assigning authorities of patient numbers that nobody declared, and patients who may be two for it; `ended`: null before."""

    id: str
    state: str
    profile: str
    project: str
    by: str
    begun: datetime
    updated: datetime
    ended: datetime | None
    files: int
    done: int
    searched: int
    written: int
    held: int
    partly_held: int
    patients: int
    known: int
    bare: int
    bytes_in: int
    bytes_out: int
    formats: dict[str, dict[str, int]]
    removed: dict[str, int]
    changed: dict[str, int]
    reasons: dict[str, int]
    taken_back: dict[str, int]
    authorities: dict[str, int]


@dataclass(frozen=True, slots=True)
class HeldItemOut:
    """Something that does not leave; `file`: its name in the output; `unit`: -1 for the whole file."""

    file: str
    unit: int
    reason: str
    place: str


def listed(view: View) -> Response:
    """List jobs, newest first."""
    asks, site = view.asks, view.site
    state = asks.get("state", "")
    wanted = JobFilters(JobState(state) if state else None, asks.get("profile", ""), asks.get("project", ""))
    with read(site.engine) as db:
        rows = views.listed(
            *(db, site.site, wanted),
            now_us=view.now_us,
            silent=views.silent_us(site.settings.deid.file_time_s_max),
            before=asks.get("after", ""),
            limit=view.limit,
        )
    return view.listed([_plain(row) for row in rows], rows[-1].id if len(rows) == view.limit else "")


def one(view: View) -> Response:
    """Give one job."""
    return view.json(_plain(_job(view)))


def held(view: View) -> Response:
    """List what a job held, by file."""
    asks, row = view.asks, _job(view)
    with read(view.site.engine) as db:
        found, after = views.held(
            *(db, view.site.site, row.id),
            reason=asks.get("reason", ""),
            after=asks.get("after", ""),
            limit=view.limit,
        )
    return view.listed([HeldItemOut(one.file, one.unit, one.reason, one.place) for one in found], after)


def _job(view: View) -> JobRow:
    silent = views.silent_us(view.site.settings.deid.file_time_s_max)
    with read(view.site.engine) as db:
        row = views.one(db, view.site.site, view.part("job")[:64], now_us=view.now_us, silent=silent)
    if row is None:
        raise InputError("job", "there is none of this id", reason=Reason.NOT_FOUND)
    return row


def _plain(row: JobRow) -> JobOut:
    told, figures = row.progress, row.progress.figures
    return JobOut(
        *(row.id, row.state.value, row.profile, row.project, row.by),
        *(from_micros(row.begun_us), from_micros(row.updated_us)),
        from_micros(row.ended_us) if row.ended_us else None,
        *(told.files, told.done, told.searched, told.written, told.held, told.partly_held),
        *(told.patients, told.known, told.bare, told.bytes_in, told.bytes_out),
        {name: dict(counts) for name, counts in figures.formats.items()},
        *(dict(figures.removed), dict(figures.changed), dict(figures.reasons), dict(figures.taken_back)),
        dict(figures.authorities),
    )


API = (
    Route(
        "/api/v1/deid/jobs",
        listed,
        action="deid.see",
        api=True,
        call=Call(
            gives=JobOut,
            listed=True,
            asks={
                **PAGED,
                "state": Query("only in this state", tuple(one.value for one in JobState)),
                "profile": Query("only with this profile"),
                "project": Query("only of this project"),
            },
        ),
    ),
    Route(
        "/api/v1/deid/jobs/{job}",
        one,
        action="deid.see",
        thing=named("area"),
        api=True,
        call=Call(gives=JobOut),
    ),
    Route(
        "/api/v1/deid/jobs/{job}/held",
        held,
        action="deid.see",
        thing=named("area"),
        api=True,
        call=Call(
            gives=HeldItemOut,
            listed=True,
            asks={**PAGED, "reason": Query("a reason code", tuple(sorted(BY_CODE)))},
        ),
    ),
)
