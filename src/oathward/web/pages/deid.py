"""De-identification: folders that became data that can leave, how far each is, what was held and what to do about it.

Rules:
- Files have the names they have in the output; a path of a folder stands nowhere.
- A job that says nothing any more counts as stopped; whether its process lives cannot be seen from here.

Deliberately absent: running one (``oathward deid``), the files themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.label_words import class_words
from oathward.core.meanings_files import of_file
from oathward.core.reasons import Reason
from oathward.deidentifying.apart import words_of as twice_of
from oathward.jobs import views
from oathward.jobs.model import JobFilters, JobState
from oathward.people import views as people
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

ROWS = 50
HELD_ROWS = 100
STATES = {"running": "running", "stopped": "stopped", "ended": "ended"}
LEVELS = {"running": "note", "stopped": "bad", "ended": "ok"}
COUNTED = {"removed": "Removed", "changed": "Changed", "taken_back": "Taken back"}
"""Figures by class, with what the page calls them."""


def show(view: View) -> Response:
    """List jobs, newest first."""
    site, state = view.site, view.asked("state", known=STATES)
    wanted = JobFilters(
        JobState(state) if state else None, view.asked("profile")[:64], view.asked("project")[:64]
    )
    with read(site.engine) as db:
        rows = views.listed(
            *(db, site.site, wanted),
            now_us=view.now_us,
            silent=views.silent_us(site.settings.deid.file_time_s_max),
            before=view.asked("before")[:64],
            limit=ROWS + 1,
        )
        names = people.names(db, site.site, {row.by for row in rows})
    return view.page(
        "deid_jobs.html",
        levels=LEVELS,
        more=rows[ROWS - 1].id if len(rows) > ROWS else "",
        names=names,
        rows=rows[:ROWS],
        states=STATES,
        wanted=wanted,
    )


def one(view: View) -> Response:
    """Show one job: its figures, and what was held, by reason and by file."""
    site, id_ = view.site, view.part("job")[:64]
    reason = view.asked("reason")[:64]
    with read(site.engine) as db:
        silent = views.silent_us(site.settings.deid.file_time_s_max)
        row = views.one(db, site.site, id_, now_us=view.now_us, silent=silent)
        if row is None:
            raise InputError("job", "there is none of this id", reason=Reason.NOT_FOUND)
        held, after = views.held(
            db, site.site, row.id, reason=reason, after=view.asked("after")[:64], limit=HELD_ROWS
        )
        names = people.names(db, site.site, {row.by})
    figures = row.progress.figures
    return view.page(
        "deid_job.html",
        after=after,
        counted={
            title: sorted(getattr(figures, name).items(), key=lambda one: (-one[1], one[0]))
            for name, title in COUNTED.items()
        },
        held=held,
        meaning=of_file,
        words=class_words,
        levels=LEVELS,
        names=names,
        reason=reason,
        twice=twice_of(figures.authorities),
        reasons=sorted(figures.reasons.items(), key=lambda one: (-one[1], one[0])),
        row=row,
    )


PAGE = Page(
    "De-identification",
    (
        Route("/deid", show, action="deid.see"),
        Route("/deid/{job}", one, action="deid.see", thing=named("area")),
    ),
    group="Protect",
    key="1",
    order=40,
)
