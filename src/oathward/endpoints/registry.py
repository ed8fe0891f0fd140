"""IEEE's registry of card prefixes, as a site brought it: kept, in place of the one before; a maker by it stays a hint (``makers``).

An endpoint of whose maker nobody says anything gets the hint when the registry comes; others when they are seen again.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine, delete, select

from oathward.core.db import GROUP_ROWS_MAX, read, write
from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints.actions import take_for
from oathward.endpoints.alone import alone
from oathward.endpoints.makers import SOURCE
from oathward.endpoints.tables import card_maker, endpoint
from oathward.ledger import Record, append, prepare

_BATCH = 256


def put(engine: Engine, site: str, registry: Mapping[str, str], digest: str, now_us: int, by: str) -> int:
    """Keep a registry; gives how many endpoints have a hint now that had no maker.

    Args:
        registry: prefix -> maker. digest: SHA-256 of the file, hex.
    """
    table, rows = card_maker, sorted(registry.items())
    for at in range(0, len(rows), GROUP_ROWS_MAX):
        some = rows[at : at + GROUP_ROWS_MAX]
        with write(engine) as db:
            db.execute(
                delete(table).where(table.c.site == site, table.c.prefix.in_([row[0] for row in some]))
            )
            said = [
                {"site": site, "prefix": prefix, "maker": maker, "at_us": now_us} for prefix, maker in some
            ]
            db.execute(table.insert(), said)
    with write(engine) as db:
        db.execute(delete(table).where(table.c.site == site, table.c.at_us < now_us))
        body = {"by": by, "prefixes": len(rows), "sha256": digest}
        append(db, site, [prepare(Record("makers.imported", body, now_us))])
    return _hint(engine, site, now_us, by)


def _hint(engine: Engine, site: str, now_us: int, by: str) -> int:
    after, mine = "", (endpoint.c.site == site, endpoint.c.merged == "")
    said = Statement(now_us, SOURCE, "", (Mark(MarkKind.DEVICE, SOURCE),))
    unknown = select(endpoint.c.id).where(*mine, endpoint.c.make == "", endpoint.c.mac != "")
    gained = 0
    while True:
        with read(engine) as db:
            ids = list(
                db.execute(
                    unknown.where(endpoint.c.id > after).order_by(endpoint.c.id).limit(_BATCH)
                ).scalars()
            )
        if not ids:
            return gained
        with alone(engine, site):
            take_for(engine, site, ids, said, (), now_us, by)
        with read(engine) as db:
            left = len(list(db.execute(unknown.where(endpoint.c.id.in_(ids))).scalars()))
        gained += len(ids) - left
        after = ids[-1]
