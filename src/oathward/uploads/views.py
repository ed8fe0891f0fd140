"""Read uploads: for staff's page, the API, the command line, and the patient's own page."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from oathward.uploads import sql
from oathward.uploads.model import Answer, UploadFilters, UploadRow


def listed(
    db: Connection, site: str, wanted: UploadFilters, *, before: str = "", limit: int = 200
) -> list[UploadRow]:
    """List uploads, newest first."""
    return sql.rows(db, site, wanted, before=before, limit=limit)


def of_patient(db: Connection, site: str, subjects: Collection[str]) -> list[UploadRow]:
    """List the uploads of one patient, last seen first."""
    return sql.of_subjects(db, site, subjects)


def one(db: Connection, site: str, id_: str) -> UploadRow | None:
    """Read one upload."""
    return sql.one(db, site, id_)


def wrong(db: Connection, site: str) -> dict[Answer, int]:
    """Count the uploads that go on without a yes."""
    counts = sql.counts(db, site)
    return {answer: counts.get(answer.value, 0) for answer in (Answer.DENIED, Answer.NEVER_ASKED)}
