"""The table of uploads and the only SQL on it: ``upload``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from oathward.core.db import METADATA
from oathward.uploads.model import Answer, Sighting, Source, UploadFilters, UploadRow

upload = Table(
    "upload",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("party", Text, nullable=False),
    Column("maker", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("classes", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Column("compared_us", BigInteger, nullable=False),
    Index("upload_subject", "site", "subject"),
    Index("upload_open", "site", "ended_us", "answer"),
)


def put(db: Connection, site: str, row: UploadRow) -> None:
    """Write a new upload."""
    db.execute(insert(upload).values(site=site, **_values(row)))


def change(db: Connection, site: str, row: UploadRow) -> None:
    """Write an upload as it stands now."""
    db.execute(update(upload).where(upload.c.site == site, upload.c.id == row.id).values(**_values(row)))


def one(db: Connection, site: str, id_: str) -> UploadRow | None:
    """Read one upload."""
    row = db.execute(select(upload).where(upload.c.site == site, upload.c.id == id_)).first()
    return None if row is None else _row(row)


def going_on(db: Connection, site: str, sighting: Sighting) -> UploadRow | None:
    """Find the upload that goes on and that a sighting is of."""
    query = select(upload).where(
        upload.c.site == site,
        upload.c.subject == sighting.subject,
        upload.c.device == sighting.device,
        upload.c.party == sighting.party,
        upload.c.purpose == sighting.purpose,
        upload.c.ended_us == 0,
    )
    rows = [_row(row) for row in db.execute(query.order_by(upload.c.id))]
    return next((row for row in rows if row.sighting.key == sighting.key), None)


def rows(
    db: Connection, site: str, wanted: UploadFilters, *, before: str = "", limit: int = 1_000
) -> list[UploadRow]:
    """List uploads, newest first."""
    table = upload.c
    query = select(upload).where(table.site == site, (table.ended_us > 0) == wanted.ended)
    for column, value in (
        (table.answer, wanted.answer),
        (table.source, wanted.source),
        (table.device, wanted.device),
    ):
        if value:
            query = query.where(column == value)
    if before:
        query = query.where(table.id < before)
    return [_row(row) for row in db.execute(query.order_by(table.id.desc()).limit(limit))]


def of_subjects(db: Connection, site: str, subjects: Collection[str]) -> list[UploadRow]:
    """List the uploads of one patient's subjects, newest first."""
    query = select(upload).where(upload.c.site == site, upload.c.subject.in_(sorted(subjects)))
    return [_row(row) for row in db.execute(query.order_by(upload.c.seen_us.desc()).limit(_OF_PATIENT_MAX))]


def counts(db: Connection, site: str) -> dict[str, int]:
    """Count the uploads that go on, by answer."""
    query = select(upload.c.answer, func.count()).where(upload.c.site == site, upload.c.ended_us == 0)
    return {row[0]: row[1] for row in db.execute(query.group_by(upload.c.answer))}


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects that were erased."""
    db.execute(delete(upload).where(upload.c.site == site, upload.c.subject.in_(sorted(subjects))))


_OF_PATIENT_MAX = 200


def _values(row: UploadRow) -> dict[str, Any]:
    said = row.sighting
    return {
        **{name: getattr(said, name) for name in ("party", "maker", "device", "subject", "purpose")},
        **{name: getattr(said, name) for name in ("since_us", "seen_us", "source", "evidence")},
        **{name: getattr(row, name) for name in ("id", "by", "ended_us", "compared_us")},
        "answer": row.answer or "",
        "classes": " ".join(sorted(said.classes)),
    }


def _row(row: Row[Any]) -> UploadRow:
    said = Sighting(
        *(row.party, row.maker, row.device, row.subject, frozenset(row.classes.split()), row.purpose),
        *(row.since_us, row.seen_us, Source(row.source), row.evidence),
    )
    made = UploadRow(row.id, said, row.by, row.ended_us, None, row.compared_us)
    return replace(made, answer=Answer(row.answer)) if row.answer else made
