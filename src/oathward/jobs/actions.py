"""What happens to jobs: begun, further, stopped, ended.

Rules:
- That one began is a record before anything is written (``deid.begun``), that it ended is one (``deid.ended``); how far it is, is none.
- What is told of a file stands in place of what was told of it before: a job that goes on tells again what it had done.

Deliberately absent: who may (``deid.run``), doing it (``deidentifying``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.jobs import sql
from oathward.jobs.model import FileDone, JobRow, JobState, Progress
from oathward.ledger import Record, append, prepare

ROWS_MAX = 1_024
"""Of files, held items and units in one transaction."""


def begin(db: Connection, site: str, row: JobRow) -> JobRow:
    """Note that a job begins, or goes on; gives it as it stands. The last call before commit.

    Args:
        row: ``begun_us`` is now; of one that goes on the first time stays.
    """
    known = sql.one(db, site, row.id)
    standing = row if known is None else replace(row, begun_us=known.begun_us, updated_us=row.begun_us)
    sql.put(db, site, standing)
    told = {"job": row.id, "profile": row.profile, "project": row.project, "by": row.by}
    append(db, site, [prepare(Record("deid.begun", told, row.begun_us))])
    return standing


def advance(
    db: Connection, site: str, id_: str, progress: Progress, done: Sequence[FileDone] = (), *, now_us: int
) -> None:
    """Note how far a job is, and what became of files.

    Raises:
        InputError: ``not-found``; ``message.limit-exceeded``: more than one transaction takes.
    """
    if sum(one.size for one in done) > ROWS_MAX:
        raise InputError("files", f"at most {ROWS_MAX} rows at once", reason=Reason.LIMIT_EXCEEDED)
    sql.put(db, site, replace(_known(db, site, id_), progress=progress, updated_us=now_us))
    if done:
        sql.put_files(db, site, id_, done)


def stop(db: Connection, site: str, id_: str, *, now_us: int) -> None:
    """Note that a job stopped before its end."""
    sql.put(db, site, replace(_known(db, site, id_), state=JobState.STOPPED, updated_us=now_us))


def end(db: Connection, site: str, id_: str, progress: Progress, *, now_us: int) -> None:
    """Note that a job ended, and what it came to. The last call before commit."""
    row = replace(
        _known(db, site, id_), progress=progress, updated_us=now_us, ended_us=now_us, state=JobState.ENDED
    )
    sql.put(db, site, row)
    told = {"job": row.id, "profile": row.profile, "project": row.project, "by": row.by}
    counts = {
        name: getattr(progress, name) for name in ("files", "written", "held", "patients", "known", "bare")
    }
    append(db, site, [prepare(Record("deid.ended", told | counts, now_us))])


def forget(db: Connection, site: str, before_us: int, rows_max: int) -> int:
    """Forget what became of files of jobs that nobody heard of since, then the jobs; gives how many rows went, 0 where none is left."""
    return sql.delete_before(db, site, before_us, rows_max)


def _known(db: Connection, site: str, id_: str) -> JobRow:
    row = sql.one(db, site, id_)
    if row is None:
        raise InputError("job", "there is none of this id", reason=Reason.NOT_FOUND)
    return row
