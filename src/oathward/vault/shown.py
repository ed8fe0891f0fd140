"""What each link showed of whom a message was about, sealed: so that a notice names a patient as its recipient knows them.

Rules:
- One row a subject and link, of the first message that was permitted there; only for recipients that are told of withdrawals.
- Sealed for ``shown``, of the message it is from, as it left; the keeper alone opens it. Where a pseudonym stands for the
  patient there is nothing to seal: it follows from the subject and the project.
- ``sent``: the recipient has something of this patient, or may have. Forgotten with its subject.

Deliberately absent: what a notice says (``consent.notices``), who may open it (``keeper.noticing``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    LargeBinary,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA

PURPOSE = "shown"

_table = Table(
    "subject_shown",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("link", Text, primary_key=True),
    Column("wire", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("sent", Boolean, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """How a link knows a subject.

    Args:
        wire: the protocol that left. said: what the patient allowed the link then, in the words of a notice.
        message: whose id is bound in the seal. sealed: empty where nothing need be, or could be, kept.
    """

    subject: str
    link: str
    wire: str
    said: str
    message: str
    key_id: str
    sealed: bytes
    at_us: int
    sent: bool = False


def known(db: Connection, site: str, subject: str, link: str, *, sealed: bool) -> bool:
    """Say whether a link's way of knowing a subject is kept; ``sealed``: with what was sealed of it."""
    where = (_table.c.site == site) & (_table.c.subject == subject) & (_table.c.link == link)
    row = db.execute(select(_table.c.key_id).where(where)).first()
    return row is not None and (bool(row[0]) or not sealed)


def put(db: Connection, site: str, row: Shown) -> None:
    """Keep how a link knows a subject: the first one, or the first that could be sealed."""
    columns = ("subject", "link", "wire", "said", "message", "key_id", "sealed", "at_us", "sent")
    values = {"site": site, **dict(zip(columns, astuple(row), strict=True))}
    insert = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(_table)
    seal = {name: values[name] for name in ("wire", "message", "key_id", "sealed")}
    statement = insert.values(values).on_conflict_do_update(
        index_elements=["site", "subject", "link"], set_=seal, where=(_table.c.key_id == "")
    )
    db.execute(statement)


def of(db: Connection, site: str, subjects: Collection[str]) -> list[Shown]:
    """List how links know some subjects, by subject and link."""
    where = (_table.c.site == site) & _table.c.subject.in_(sorted(subjects))
    rows = db.execute(select(_table).where(where).order_by(_table.c.subject, _table.c.link))
    return [
        Shown(
            r.subject,
            r.link,
            r.wire,
            r.said,
            r.message,
            r.key_id,
            bytes(r.sealed),
            r.at_us,
            sent=bool(r.sent),
        )
        for r in rows
    ]


def mark_sent(db: Connection, site: str, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Note of subjects and links that the recipient has something of them, or may have; gives those that are kept here."""
    noted = []
    for subject, link in pairs:
        one = (_table.c.site == site) & (_table.c.subject == subject) & (_table.c.link == link)
        if db.execute(update(_table).where(one).values(sent=True)).rowcount:
            noted.append((subject, link))
    return noted


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete how links know subjects."""
    db.execute(delete(_table).where(_table.c.site == site, _table.c.subject.in_(sorted(subjects))))
