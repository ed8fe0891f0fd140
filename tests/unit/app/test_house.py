"""The app keeps house of stays: what ended long ago is forgotten, on record; what is young and open is not."""

from types import SimpleNamespace

import pytest
from tests.unit.messages.book import Book
from tests.unit.vault.test_stays import ADMIT, LEAVE, NOW, STAMPS, room, said

import oathward.vault.care_rows  # noqa: F401  declares its tables
from oathward import ledger
from oathward.app import process
from oathward.core.clock import from_micros
from oathward.core.db import connect, create_tables, read, write
from oathward.core.settings import Settings
from oathward.vault import care_rows, stays
from oathward.vault.stays import Turn

DAY = 86_400_000_000


@pytest.fixture
def opened(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    Book(engine)
    create_tables(engine)
    found = SimpleNamespace(site="north", engine=engine, settings=Settings(tmp_path), now_us=NOW)
    found.clock = SimpleNamespace(now=lambda: from_micros(found.now_us))
    yield found
    engine.dispose()


def test_stays_past_their_time_are_forgotten_on_record(opened):
    with write(opened.engine) as db:
        for one in (ADMIT, LEAVE, said(Turn.ADMIT, 1, subject="s2")):
            stays.take(db, "north", [one], STAMPS, room())
    for days, left, records in (
        (29, 1, []),
        (31, 0, [{"ended": 1, "silent": 0}]),
        (32, 0, [{"ended": 1, "silent": 0}]),
    ):
        opened.now_us = NOW + days * DAY
        process._forget_stays(opened)
        with read(opened.engine) as db:
            assert len(care_rows.stays_of(db, "north", ["s1"])) == left
            assert len(care_rows.stays_of(db, "north", ["s2"])) == 1
            found = ledger.search(db, "north", ledger.Query(kind="care.forgotten"), limit=9)
        assert [one.body for one in found] == records
