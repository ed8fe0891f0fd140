"""Who died, as authoritative sources say it: the table ``patient_death``.

Rules:
- A row is one subject, from when a source said so last; a source that says they live takes it away.
- The keeper reads it and ends every access to that patient's portal that was given before (``keeper/portal/deaths``).
- No stamp: whoever can write the database could end accesses by it, on record, and give nobody anything.
- Forgotten with the patient.

Deliberately absent: the time of death, and reading of messages (``gateway/care_deaths``).
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, Column, Connection, Index, Table, Text, delete, select

from oathward.core.db import METADATA, direct

patient_death = Table(
    "patient_death",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("patient_death_at", "site", "at_us"),
)

_PUT = (
    "INSERT INTO patient_death (site, subject, at_us, message) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (site, subject) DO UPDATE SET at_us = excluded.at_us, message = excluded.message"
)


def take(db: Connection, site: str, subject: str, *, dead: bool, at_us: int, message: str) -> None:
    """Keep what one message says of a death, inside its transaction."""
    if dead:
        direct(db, _PUT, (site, subject, at_us, message))
    else:
        forget(db, site, (subject,))


def since(db: Connection, site: str, at_us: int) -> list[tuple[str, int]]:
    """List subjects whose death was said at a time or later, with when."""
    query = select(patient_death.c.subject, patient_death.c.at_us)
    rows = db.execute(query.where(patient_death.c.site == site, patient_death.c.at_us >= at_us))
    return [(row.subject, row.at_us) for row in rows]


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects: they were erased, or live."""
    whose = patient_death.c.subject.in_(sorted(subjects))
    db.execute(delete(patient_death).where(patient_death.c.site == site, whose))
