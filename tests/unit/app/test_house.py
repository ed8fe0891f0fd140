"""The app keeps house: stays that ended long ago are forgotten, on record, and what became of jobs' files after its days; what is young is not."""

from dataclasses import replace
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
from oathward.jobs import actions as jobs
from oathward.jobs import views as job_views
from oathward.jobs.model import FileDone, JobRow, Progress
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


def test_files_of_jobs_are_forgotten_after_their_days(opened, monkeypatch):
    opened.settings = replace(opened.settings, deid=replace(opened.settings.deid, job_rows_days=100))
    monkeypatch.setattr(process, "load_active", lambda *_: None)  # no bundle, and so no originals to look at
    opened.authority = opened.seen = None
    row = JobRow("job-1", profile="research", project="registry", by="p-1", begun_us=NOW, updated_us=NOW)
    with write(opened.engine) as db:
        jobs.begin(db, "north", row)
    with write(opened.engine) as db:
        done = [FileDone("F1", held=[(-1, "deid.format-unknown", "file")])]
        jobs.advance(db, "north", "job-1", Progress(files=1, done=1, held=1), done, now_us=NOW)
    with write(opened.engine) as db:
        jobs.end(db, "north", "job-1", Progress(files=1, done=1, held=1), now_us=NOW)
    for days, left in ((99, 1), (101, 0)):
        opened.now_us = NOW + days * DAY
        process._purge(opened)
        with read(opened.engine) as db:
            assert len(job_views.held(db, "north", "job-1", reason="", after="", limit=9)[0]) == left
