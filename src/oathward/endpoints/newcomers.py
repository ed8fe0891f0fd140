"""The rows of ``flooding``: sources with what they began, marks heard once; and which of them flood now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, delete, func, select

from oathward.discovery.model import Statement
from oathward.endpoints import sql
from oathward.endpoints.flooding import ONCE_MAX, REMEMBERED_US, News, digests_of
from oathward.endpoints.loading import chunks
from oathward.endpoints.marks import sort_marks
from oathward.endpoints.model import OnceRow, SourceRow
from oathward.endpoints.tables import endpoint_once, endpoint_source

_SOURCE = tuple(one.name for one in fields(SourceRow))
_ONCE = tuple(one.name for one in fields(OnceRow))


def load(db: Connection, site: str, statements: Sequence[Statement]) -> News:
    """Read what is known of the sources of some statements, and which of their marks were heard once."""
    news = News()
    source, once = endpoint_source.c, endpoint_once.c
    for row in db.execute(select(*(source[name] for name in _SOURCE)).where(source.site == site)):
        news.sources[row[0], row[1]] = SourceRow(*row)
    count = db.execute(select(func.count()).where(once.site == site)).scalar_one()
    news.room = ONCE_MAX - count
    asked = set[str]()
    for said in statements if count else ():
        for marks in (said.marks, said.behind):
            asked.update(digests_of(said.realm, sort_marks(marks)))
    for some in chunks(sorted(asked)):
        query = select(*(once[name] for name in _ONCE)).where(once.site == site, once.digest.in_(some))
        news.once.update((row[0], OnceRow(*row)) for row in db.execute(query))
    return news


def put_sources(db: Connection, site: str, news: News, now_us: int) -> None:
    """Write what sources began, and forget what was heard once too long ago. ``now_us``: what is written was seen then."""
    rows = [news.sources[key] for key in sorted(news.changed)]
    for row in rows:
        row.noted_us = now_us if (row.realm, row.source) in news.flooding else row.noted_us
    sql.put_sources(db, [(site, *(getattr(row, name) for name in _SOURCE)) for row in rows])
    once = endpoint_once.c
    db.execute(delete(endpoint_once).where(once.site == site, once.noted_us < now_us - REMEMBERED_US))


def put_once(db: Connection, site: str, rows: Sequence[OnceRow], now_us: int) -> None:
    """Write marks heard once."""
    sql.put_once(db, [(site, *(getattr(row, name) for name in _ONCE), now_us) for row in rows])


def drop_once(db: Connection, site: str, digests: Sequence[str]) -> None:
    """Delete marks that were heard again."""
    db.execute(delete(endpoint_once).where(endpoint_once.c.site == site, endpoint_once.c.digest.in_(digests)))


def floods(db: Connection, site: str, now_us: int) -> list[SourceRow]:
    """List the sources that told of far more endpoints than usual, of late by our clock."""
    source = endpoint_source.c
    query = (
        select(*(source[name] for name in _SOURCE))
        .where(source.site == site, source.held > 0, source.noted_us > now_us - REMEMBERED_US)
        .order_by(source.realm, source.source)
    )
    return [SourceRow(*row) for row in db.execute(query)]
