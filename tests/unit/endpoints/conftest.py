"""An inventory in a file, and short words for statements."""

import json

import pytest
from tests.leases import holder_of

import oathward.endpoints.sql
import oathward.ledger.tables  # noqa: F401  these declare their tables
from oathward.core.db import connect, create_tables, read
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import actions, views
from oathward.endpoints.model import Filters

SITE = "north"
T = 1_800_000_000_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
A, B, C = "00:1b:c5:00:00:01", "00:1b:c5:77:00:02", "00:50:c2:00:00:03"
NEAR_A = "00:1b:c5:00:00:02"
RANDOM, RANDOM_2 = "da:a1:19:00:00:01", "da:a1:19:00:00:02"
KINDS = {kind.value.replace("-", "_"): kind for kind in MarkKind}


def says(at=T, /, *, realm="main", source="zeek.dhcp", segment="", facts=(), behind=(), **marks):
    """Make a statement: ``says(T, mac=A, address="10.0.0.1", serial="acme|1")``; lists give several marks."""
    return Statement(
        at, source, realm, tuple(_marks(marks)), tuple(Fact(*one) for one in facts), segment, tuple(behind)
    )


def _marks(marks):
    for name, values in marks.items():
        for value in [values] if isinstance(values, str) else values:
            yield Mark(KINDS[name], value)


class Inventory:
    def __init__(self, engine):
        self.engine = engine

    def take(self, *said, now=T + 100 * DAY):
        return actions.take(self.engine, SITE, said, now, "p-1")

    def rows(self, **wanted):
        with read(self.engine) as db:
            return sorted(
                views.page(db, SITE, Filters(**wanted), limit=500).rows,
                key=lambda row: (row.first_us, row.tag),
            )

    def whole(self, id_):
        with read(self.engine) as db:
            return views.one(db, SITE, id_)

    def marks(self, id_):
        return {(mark.kind.value, mark.value) for mark, _, _ in self.whole(id_).marks}

    def holder(self, address, at, realm="main"):
        with read(self.engine) as db:
            return holder_of(db, SITE, realm, address, at)

    def records(self):
        with read(self.engine) as db:
            rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").fetchall()
        return [(kind, json.loads(body)["body"]) for kind, body in rows]


@pytest.fixture
def inventory(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield Inventory(engine)
    engine.dispose()
