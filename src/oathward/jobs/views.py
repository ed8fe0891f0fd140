"""Read jobs: for staff's pages, the API, the command line, and for tracing what left.

Rules:
- A job that says nothing any more has stopped: whoever was killed can tell nobody. Nothing here can see whether its process lives.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.jobs import sql
from oathward.jobs.model import HeldItem, JobFilters, JobRow, JobState, UnitRow

SILENT_S = 300
"""So long a job that runs may say nothing, besides the time that one file may take."""

PART_LENGTH_MIN = 4
"""Of an id that is not written out."""

_TURNS = 2
"""A file is asked about twice, each time under its limit."""


def silent_us(file_time_s_max: float) -> int:
    """Give how long a job that runs may say nothing, in microseconds."""
    return int((SILENT_S + _TURNS * file_time_s_max) * 1_000_000)


def listed(
    db: Connection,
    site: str,
    wanted: JobFilters,
    *,
    now_us: int,
    silent: int,
    before: str = "",
    limit: int = 200,
) -> list[JobRow]:
    """List jobs, newest first. ``silent``: as ``silent_us`` gives it."""
    rows = sql.rows(db, site, wanted, heard_us=now_us - silent, before=before, limit=limit)
    return [_now(row, now_us, silent) for row in rows]


def one(db: Connection, site: str, id_: str, *, now_us: int, silent: int) -> JobRow | None:
    """Read one job.

    Args:
        id_: of one, or what it alone begins or ends with. silent: as ``silent_us`` gives it.

    Raises:
        InputError: several begin or end so.
    """
    row = sql.one(db, site, id_)
    if row is None and len(id_) >= PART_LENGTH_MIN:
        meant = sql.ids_of(db, site, id_)
        if len(meant) > 1:
            raise InputError("job", "several begin or end so: say more of it", reason=Reason.INPUT_INVALID)
        row = sql.one(db, site, meant[0]) if meant else None
    return None if row is None else _now(row, now_us, silent)


def held(
    db: Connection, site: str, job: str, *, reason: str = "", after: str = "", limit: int = 200
) -> tuple[list[HeldItem], str]:
    """List what a job held, by file, and say after what the next page begins; empty: there is none."""
    file, _, number = after.partition(".")
    key = (file, int(number)) if number.isdecimal() and number.isascii() and len(number) < 10 else ("", -1)
    found = sql.held(db, site, job, reason=reason, after=key, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], f"{last.file}.{last.number}" if last else ""


def units_of_patient(db: Connection, site: str, subjects: Collection[str]) -> list[UnitRow]:
    """List what left of one patient in jobs, newest first."""
    return sql.units_of_subjects(db, site, subjects)


def units_in_project(db: Connection, site: str, project: str, subjects: Collection[str]) -> list[UnitRow]:
    """List what left of one patient under a project's names in jobs, newest first."""
    found = units_of_patient(db, site, subjects)
    rows = {id_: sql.one(db, site, id_) for id_ in {one.job for one in found}}
    mine = {id_ for id_, row in rows.items() if row is not None and row.project == project}
    return [one for one in found if one.job in mine]


def units_of_file(db: Connection, site: str, name: str) -> list[UnitRow]:
    """List whose the units of a file are, by its name in the output without its suffix; newest job first."""
    return sql.units_of_file(db, site, name)


def held_of_file(db: Connection, site: str, name: str) -> list[HeldItem]:
    """List what of a file did not leave, by the name it has or would have in the output; newest job first."""
    return sql.held_of_file(db, site, name)


def _now(row: JobRow, now_us: int, silent: int) -> JobRow:
    if row.state is JobState.RUNNING and now_us - row.updated_us > silent:
        return replace(row, state=JobState.STOPPED)
    return row
