"""The tables of notices and the only SQL on them.

| table | holds |
|---|---|
| ``consent_notice`` | each notice: to which link, of which version of what a patient allows, and what became of it |
| ``consent_notice_mark`` | how far changes of consents and merges were looked at |

``state``: ``waiting`` (due and not made yet), ``queued`` (in the outbox), ``sent`` (the recipient has answered),
``refused`` (it said no), ``unmade`` (it could not be written), ``discarded`` (somebody gave it up).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Column, Connection, Index, Row, Table, Text, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA

notice = Table(
    "consent_notice",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("said", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("settled_us", BigInteger, nullable=False),
    Column("missing_us", BigInteger, nullable=False),
    Index("consent_notice_once", "site", "subject", "link", "because", "version", "said", unique=True),
    Index("consent_notice_state", "site", "state", "due_us"),
)

mark = Table(
    "consent_notice_mark",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("changes", BigInteger, nullable=False),
    Column("edges", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

OPEN = ("waiting", "queued")
MISSING = ("waiting", "queued", "refused", "unmade")
"""Of these no receipt came, and nobody said that none will."""


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice.

    Args:
        id: outgoing id. because, version: whose signed consent it tells of, and which version of it.
        said: the state it tells (``state.State.text``). answer: the recipient's, or why there is none; of one that was
            discarded, who did it.
        due_us: when it was seen to be due. settled_us: when an answer came; 0 before. missing_us: since when it counts as
            missing; 0 where it does not.
    """

    id: str
    subject: str
    link: str
    because: str
    version: int
    said: str
    state: str
    due_us: int
    answer: str = ""
    settled_us: int = 0
    missing_us: int = 0

    @property
    def passes(self) -> str:
        """How much of the link passes: ``all``, ``some`` or ``none``."""
        return self.said.partition(" ")[0]

    @property
    def is_missing(self) -> bool:
        """Whether a receipt should be there and is not."""
        return bool(self.missing_us) and self.state in MISSING


@dataclass(frozen=True, slots=True)
class Mark:
    """How far was looked: the counter of changes of consent, the number of the newest edge, and when."""

    changes: int = -1
    edges: int = -1
    at_us: int = 0


def looked(db: Connection, site: str) -> Mark:
    """Read how far was looked."""
    row = db.execute(select(mark).where(mark.c.site == site)).first()
    return Mark(row.changes, row.edges, row.at_us) if row else Mark()


def put_mark(db: Connection, site: str, now: Mark) -> None:
    """Note how far was looked."""
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(mark)
    values = asdict(now)
    db.execute(
        statement.values(site=site, **values).on_conflict_do_update(index_elements=["site"], set_=values)
    )


def put(db: Connection, site: str, row: NoticeRow) -> bool:
    """Store a notice in the place of one that waits for the same link; says whether it is new: once a version and what it says."""
    same = (notice.c.site == site) & (notice.c.subject == row.subject) & (notice.c.link == row.link)
    db.execute(delete(notice).where(same, notice.c.state == "waiting"))
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(notice)
    new = statement.values(site=site, **asdict(row)).on_conflict_do_nothing()
    return db.execute(new.returning(notice.c.id)).first() is not None  # PostgreSQL's driver counts no inserts


def wait(db: Connection, site: str, row: NoticeRow) -> None:
    """Store that a notice is due; one that waits for the same link goes on waiting, since when it did."""
    same = (notice.c.site == site) & (notice.c.subject == row.subject) & (notice.c.link == row.link)
    if db.execute(select(notice.c.id).where(same, notice.c.state == "waiting")).first() is None:
        put(db, site, row)


def drop_waiting(db: Connection, site: str, subject: str, link: str) -> None:
    """Forget that a notice is due: there is nothing to tell, or nobody to be told."""
    same = (notice.c.site == site) & (notice.c.subject == subject) & (notice.c.link == link)
    db.execute(delete(notice).where(same, notice.c.state == "waiting"))


def last_said(db: Connection, site: str, subject: str, link: str) -> str | None:
    """Give what a link was told last of a subject; None where it was told nothing yet."""
    query = select(notice.c.said).where(
        notice.c.site == site, notice.c.subject == subject, notice.c.link == link, notice.c.state != "waiting"
    )
    return db.execute(query.order_by(notice.c.due_us.desc(), notice.c.id.desc()).limit(1)).scalar()


def is_told(db: Connection, site: str, row: NoticeRow) -> bool:
    """Say whether a link was told of this version of this person's word before, whatever it said then."""
    query = select(notice.c.id).where(
        notice.c.site == site,
        notice.c.subject == row.subject,
        notice.c.link == row.link,
        notice.c.state != "waiting",
    )
    query = query.where(notice.c.because == row.because, notice.c.version == row.version)
    return db.execute(query.limit(1)).first() is not None


def find(db: Connection, site: str, id_: str) -> NoticeRow | None:
    """Find a notice by its outgoing id."""
    row = db.execute(select(notice).where(notice.c.site == site, notice.c.id == id_)).first()
    return _row(row) if row else None


def settle(
    db: Connection, site: str, id_: str, *, state: str, answer: str, at_us: int, missing_us: int
) -> None:
    """Note what became of a notice."""
    here = (notice.c.site == site) & (notice.c.id == id_)
    values = {"state": state, "answer": answer, "settled_us": at_us, "missing_us": missing_us}
    db.execute(update(notice).where(here).values(values))


def waiting(db: Connection, site: str, limit: int) -> list[NoticeRow]:
    """List notices that are due and not made yet, oldest first."""
    query = select(notice).where(notice.c.site == site, notice.c.state == "waiting")
    return [_row(row) for row in db.execute(query.order_by(notice.c.due_us, notice.c.id).limit(limit))]


def queued(db: Connection, site: str) -> dict[str, int]:
    """Count notices in the outbox by link."""
    query = select(notice.c.link, func.count()).where(notice.c.site == site, notice.c.state == "queued")
    return {link: count for link, count in db.execute(query.group_by(notice.c.link))}  # noqa: C416  a Row is no pair to the type checker


def late(db: Connection, site: str, before_us: int, limit: int) -> list[NoticeRow]:
    """List notices that were due before a time, have no receipt and do not count as missing yet."""
    query = select(notice).where(notice.c.site == site, notice.c.state.in_(OPEN))
    query = query.where(notice.c.due_us <= before_us, notice.c.missing_us == 0)
    return [_row(row) for row in db.execute(query.order_by(notice.c.due_us, notice.c.id).limit(limit))]


def set_missing(db: Connection, site: str, ids: Collection[str], at_us: int) -> None:
    """Note since when notices count as missing."""
    here = (notice.c.site == site) & notice.c.id.in_(sorted(ids))
    db.execute(update(notice).where(here).values(missing_us=at_us))


def rows(
    db: Connection, site: str, *, subjects: Collection[str] = (), missing: bool = False, limit: int = 1_000
) -> list[NoticeRow]:
    """List notices, newest first: of these subjects, or of all; ``missing``: those whose receipt is missing alone."""
    query = select(notice).where(notice.c.site == site)
    if subjects:
        query = query.where(notice.c.subject.in_(sorted(subjects)))
    if missing:
        query = query.where(notice.c.missing_us > 0, notice.c.state.in_(MISSING))
    return [
        _row(row)
        for row in db.execute(query.order_by(notice.c.due_us.desc(), notice.c.id.desc()).limit(limit))
    ]


def missing_count(db: Connection, site: str) -> int:
    """Count notices whose receipt is missing."""
    query = select(func.count()).select_from(notice).where(notice.c.site == site, notice.c.missing_us > 0)
    return db.execute(query.where(notice.c.state.in_(MISSING))).scalar_one()


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what was told of subjects."""
    db.execute(delete(notice).where(notice.c.site == site, notice.c.subject.in_(sorted(subjects))))


def _row(r: Row[tuple[object, ...]]) -> NoticeRow:
    values = r._asdict()
    del values["site"]
    return NoticeRow(**values)
