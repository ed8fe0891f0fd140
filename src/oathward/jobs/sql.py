"""The tables of jobs and the only SQL on them: ``deid_job``, ``deid_held``, ``deid_unit``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Row,
    Table,
    Text,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from oathward.core.db import METADATA
from oathward.jobs.model import (
    Figures,
    FileDone,
    HeldItem,
    JobFilters,
    JobRow,
    JobState,
    Progress,
    UnitRow,
)

_COUNTS = tuple(one.name for one in fields(Progress) if one.name != "figures")
_OF_SUBJECTS_MAX = _OF_FILE_MAX = 5_000

deid_job = Table(
    "deid_job",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("profile", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in _COUNTS),
    Column("figures", Text, nullable=False),
)
deid_held = Table(
    "deid_held",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("job", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("unit", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("place", Text, nullable=False),
    Index("deid_held_reason", "site", "job", "reason", "file", "number"),
    Index("deid_held_file", "site", "file"),
)
deid_unit = Table(
    "deid_unit",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("job", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("unit", BigInteger, primary_key=True),
    Column("subject", Text, nullable=False),
    Index("deid_unit_subject", "site", "subject"),
    Index("deid_unit_file", "site", "file"),
)


def put(db: Connection, site: str, row: JobRow) -> None:
    """Write a job as it stands now, a new one or one that is there."""
    values, mine = _values(row), (deid_job.c.site == site) & (deid_job.c.id == row.id)
    if db.execute(update(deid_job).where(mine).values(**values)).rowcount == 0:
        db.execute(insert(deid_job).values(site=site, **values))


def put_files(db: Connection, site: str, job: str, done: Sequence[FileDone]) -> None:
    """Write what became of files, the first part of each in place of what was written of it before."""
    names = [one.name for one in done if not one.start]
    for table in (deid_held, deid_unit):
        mine = (table.c.site == site) & (table.c.job == job) & table.c.file.in_(names)
        db.execute(delete(table).where(mine))
    held = [
        {"site": site, "job": job, "file": one.name, "number": n, "unit": unit, "reason": code, "place": where}
        for one in done
        for n, (unit, code, where) in enumerate(one.held, one.start)
    ]  # fmt: skip
    units = [
        {"site": site, "job": job, "file": one.name, "unit": unit, "subject": subject}
        for one in done
        for unit, subject in one.units
    ]
    if held:
        db.execute(insert(deid_held), held)
    if units:
        db.execute(insert(deid_unit), units)


def delete_before(db: Connection, site: str, before_us: int, limit: int) -> int:
    """Forget jobs that nobody heard of since, a bounded number of rows at a time: what became of files first; gives how many went."""
    table = deid_job.c
    old = select(table.id).where(table.site == site, table.updated_us < before_us).order_by(table.id)
    job = db.execute(old.limit(1)).scalar()
    if job is None:
        return 0
    for rows, number in ((deid_held, deid_held.c.number), (deid_unit, deid_unit.c.unit)):
        mine = (rows.c.site == site) & (rows.c.job == job)
        some = [tuple(row) for row in db.execute(select(rows.c.file, number).where(mine).limit(limit))]
        if some:
            return db.execute(delete(rows).where(mine, tuple_(rows.c.file, number).in_(some))).rowcount
    return db.execute(delete(deid_job).where(table.site == site, table.id == job)).rowcount


def one(db: Connection, site: str, id_: str) -> JobRow | None:
    """Read one job."""
    row = db.execute(select(deid_job).where(deid_job.c.site == site, deid_job.c.id == id_)).first()
    return None if row is None else _row(row)


def ids_of(db: Connection, site: str, part: str) -> list[str]:
    """Find jobs whose id begins or ends so; two are enough to know that it is not one."""
    table = deid_job.c
    meant = table.id.startswith(part, autoescape=True) | table.id.endswith(part, autoescape=True)
    return list(db.execute(select(table.id).where(table.site == site, meant).limit(2)).scalars())


def rows(
    db: Connection, site: str, wanted: JobFilters, *, heard_us: int, before: str = "", limit: int = 200
) -> list[JobRow]:
    """List jobs, newest first; ``heard_us``: one that runs and was not heard of since then counts as stopped."""
    table = deid_job.c
    query = select(deid_job).where(table.site == site)
    silent = (table.state == JobState.RUNNING.value) & (table.updated_us < heard_us)
    match wanted.state:
        case JobState.RUNNING | JobState.ENDED:
            query = query.where(table.state == wanted.state.value, ~silent)
        case JobState.STOPPED:
            query = query.where((table.state == JobState.STOPPED.value) | silent)
        case None:
            pass
    for column, value in ((table.profile, wanted.profile), (table.project, wanted.project)):
        if value:
            query = query.where(column == value)
    if before:
        query = query.where(table.id < before)
    return [_row(row) for row in db.execute(query.order_by(table.id.desc()).limit(limit))]


def held(
    db: Connection,
    site: str,
    job: str,
    *,
    reason: str = "",
    after: tuple[str, int] = ("", -1),
    limit: int = 200,
) -> list[HeldItem]:
    """List what a job held, by file; ``after``: file and number of the last one seen."""
    table = deid_held.c
    query = select(deid_held).where(table.site == site, table.job == job)
    if reason:
        query = query.where(table.reason == reason)
    if after[0]:
        query = query.where(tuple_(table.file, table.number) > tuple_(*after))
    return _held(db, query.order_by(table.file, table.number).limit(limit))


def held_of_file(db: Connection, site: str, name: str) -> list[HeldItem]:
    """List what of a file did not leave, newest job first."""
    table = deid_held.c
    query = select(deid_held).where(table.site == site, table.file == name)
    return _held(db, query.order_by(table.job.desc(), table.number).limit(_OF_FILE_MAX))


def units_of_subjects(db: Connection, site: str, subjects: Collection[str]) -> list[UnitRow]:
    """List the units of patients that left, newest job first."""
    table = deid_unit.c
    query = select(deid_unit).where(table.site == site, table.subject.in_(sorted(subjects)))
    return _units(db, query.order_by(table.job.desc(), table.file, table.unit).limit(_OF_SUBJECTS_MAX))


def units_of_file(db: Connection, site: str, name: str) -> list[UnitRow]:
    """List the units of a file that left, newest job first: the same file has the same name in every job of a project."""
    table = deid_unit.c
    query = select(deid_unit).where(table.site == site, table.file == name)
    return _units(db, query.order_by(table.job.desc(), table.unit).limit(_OF_FILE_MAX))


def _held(db: Connection, query: Any) -> list[HeldItem]:
    found = db.execute(query)
    return [HeldItem(row.job, row.file, row.number, row.unit, row.reason, row.place) for row in found]


def _units(db: Connection, query: Any) -> list[UnitRow]:
    return [UnitRow(row.job, row.file, row.unit, row.subject) for row in db.execute(query)]


def _values(row: JobRow) -> dict[str, Any]:
    own: Mapping[str, Any] = {
        name: getattr(row, name) for name in ("id", "profile", "project", "by", "begun_us", "updated_us", "ended_us")
    }  # fmt: skip
    counts = {name: getattr(row.progress, name) for name in _COUNTS}
    figures = orjson.dumps(asdict(row.progress.figures), option=orjson.OPT_SORT_KEYS).decode()
    return {**own, **counts, "state": row.state.value, "figures": figures}


def _row(row: Row[Any]) -> JobRow:
    counts = {name: getattr(row, name) for name in _COUNTS}
    return JobRow(
        *(row.id, row.profile, row.project, row.by, row.begun_us, row.updated_us, row.ended_us),
        JobState(row.state),
        Progress(**counts, figures=Figures(**orjson.loads(row.figures))),
    )
