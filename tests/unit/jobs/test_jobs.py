"""Promises about jobs: begin and end are on record, what is told of a file replaces what was told, one that says nothing has stopped."""

import json
from dataclasses import replace

import pytest

import oathward.jobs.sql
import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.jobs import actions, views
from oathward.jobs.model import Figures, FileDone, HeldItem, JobFilters, JobRow, JobState, Progress, UnitRow

SITE = "north"
T = 1_800_000_000_000_000
SECOND = 1_000_000
SILENT = views.silent_us(60)
JOB = JobRow("job-1", "research", "registry", "p-9", T, T, progress=Progress(files=3))
HELD = FileDone("AAAA", held=[(-1, "deid.format-unknown", "file"), (2, "patient.ambiguous", "patient")])
LEFT = FileDone("BBBB", units=[(0, "s-1"), (1, ""), (2, "s-2")])


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield engine
    engine.dispose()


def begin(engine, row=JOB):
    with write(engine) as db:
        actions.begin(db, SITE, row)


def advance(engine, progress, *done, at=T):
    with write(engine) as db:
        actions.advance(db, SITE, JOB.id, progress, done, now_us=at)


def seen(engine, at=T):
    with read(engine) as db:
        return views.one(db, SITE, JOB.id, now_us=at, silent=SILENT)


def held(engine, **more):
    with read(engine) as db:
        return views.held(db, SITE, JOB.id, **more)


def records(engine):
    with read(engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").fetchall()
    return [(kind, json.loads(body)["body"]) for kind, body in rows]


def test_a_job_is_on_record_when_it_begins_and_when_it_ends(engine):
    begin(engine)
    progress = Progress(
        files=3,
        done=3,
        written=2,
        held=1,
        patients=2,
        known=2,
        bare=1,
        figures=Figures(removed={"patient.name": 7}),
    )
    advance(engine, progress, at=T + SECOND)
    with write(engine) as db:
        actions.end(db, SITE, JOB.id, progress, now_us=T + 2 * SECOND)
    row = seen(engine)
    assert (row.state, row.begun_us, row.ended_us, row.progress) == (
        JobState.ENDED,
        T,
        T + 2 * SECOND,
        progress,
    )
    told = {"by": "p-9", "job": "job-1", "profile": "research", "project": "registry"}
    assert records(engine) == [
        ("deid.begun", told),
        ("deid.ended", told | {"bare": 1, "files": 3, "held": 1, "known": 2, "patients": 2, "written": 2}),
    ]


def test_what_is_told_of_a_file_again_is_told_once(engine):
    begin(engine)
    advance(engine, Progress(done=2), HELD, LEFT)
    advance(engine, Progress(done=2), HELD, LEFT)
    expected = [HeldItem("job-1", "AAAA", n, *one) for n, one in enumerate(HELD.held)]
    assert held(engine) == (expected, "")
    with read(engine) as db:
        assert views.units_of_patient(db, SITE, ["s-1"]) == [UnitRow("job-1", "BBBB", 0, "s-1")]
        assert [one.subject for one in views.units_of_file(db, SITE, "BBBB")] == ["s-1", "", "s-2"]


def test_what_of_a_file_is_held_is_found_by_its_name(engine):
    begin(engine)
    advance(engine, Progress(done=2), HELD, LEFT)
    with read(engine) as db:
        found = views.held_of_file(db, SITE, "AAAA")
        assert found == [HeldItem("job-1", "AAAA", n, *one) for n, one in enumerate(HELD.held)]
        assert views.held_of_file(db, SITE, "BBBB") == views.held_of_file(db, "south", "AAAA") == []


def test_a_job_is_found_by_what_its_id_alone_begins_or_ends_with(engine):
    begin(engine, replace(JOB, id="019a3c5e-0001"))
    begin(engine, replace(JOB, id="019a3c5f-0002"))

    def found(part):
        with read(engine) as db:
            row = views.one(db, SITE, part, now_us=T, silent=SILENT)
        return row.id if row else None

    assert found("019a3c5e") == found("0001") == found("019a3c5e-0001") == "019a3c5e-0001"
    assert found("019a3c5f") == "019a3c5f-0002"
    assert found("a3c5") is found("01_a") is found("001") is found("") is None
    with pytest.raises(InputError):
        found("019a3c")


def test_a_file_that_is_taken_back_left_nobodys_unit(engine):
    begin(engine)
    advance(engine, Progress(done=1, written=1), LEFT)
    advance(engine, Progress(done=1, held=1), FileDone("BBBB", held=[(-1, "deid.residue", "patient.name")]))
    with read(engine) as db:
        assert views.units_of_file(db, SITE, "BBBB") == []
    assert [one.reason for one in held(engine)[0]] == ["deid.residue"]


def test_held_items_come_in_pages_that_miss_none(engine):
    begin(engine)
    files = [
        FileDone(f"F{n}", held=[(0, "deid.residue", ""), (1, "patient.ambiguous", "")]) for n in range(5)
    ]
    advance(engine, Progress(), *files)
    found, after = [], ""
    while True:
        page, after = held(engine, after=after, limit=3)
        found += page
        if not after:
            break
    assert [(one.file, one.unit) for one in found] == [(f"F{n}", unit) for n in range(5) for unit in (0, 1)]
    assert len(held(engine, reason="deid.residue")[0]) == 5
    for odd in ("F1", "F1.x", "F1.²", "F1." + "9" * 40, "."):
        assert len(held(engine, after=odd)[0]) == 10


@pytest.mark.parametrize("state", ["stopped", "silent"])
def test_a_job_that_stopped_is_stopped_and_goes_on(engine, state):
    begin(engine)
    if state == "stopped":
        with write(engine) as db:
            actions.stop(db, SITE, JOB.id, now_us=T)
        later = T
    else:
        assert seen(engine, T + SILENT).state is JobState.RUNNING
        later = T + SILENT + 1
    assert seen(engine, later).state is JobState.STOPPED
    begin(engine, replace(JOB, begun_us=later, updated_us=later, by="p-10"))
    row = seen(engine, later)
    assert (row.state, row.begun_us, row.updated_us, row.by) == (JobState.RUNNING, T, later, "p-10")


def test_a_job_that_ended_stays_so_however_long_ago(engine):
    begin(engine)
    with write(engine) as db:
        actions.end(db, SITE, JOB.id, JOB.progress, now_us=T)
    assert seen(engine, T + 100 * SILENT).state is JobState.ENDED


def test_jobs_are_listed_newest_first_and_by_filter(engine):
    for n in range(4):
        begin(engine, replace(JOB, id=f"job-{n}", project="other" if n == 2 else "registry"))
    with read(engine) as db:

        def ids(**more):
            wanted = JobFilters(project=more.pop("project", ""))
            return [one.id for one in views.listed(db, SITE, wanted, now_us=T, silent=SILENT, **more)]

        assert ids() == ["job-3", "job-2", "job-1", "job-0"]
        assert ids(project="other") == ["job-2"]
        assert ids(before="job-2", limit=1) == ["job-1"]


def test_a_silent_job_is_listed_with_those_that_stopped(engine):
    begin(engine)
    begin(engine, replace(JOB, id="job-2", begun_us=T + 2 * SILENT, updated_us=T + 2 * SILENT))
    for state, ids in ((JobState.RUNNING, ["job-2"]), (JobState.STOPPED, ["job-1"]), (JobState.ENDED, [])):
        with read(engine) as db:
            wanted = JobFilters(state=state)
            found = views.listed(db, SITE, wanted, now_us=T + 2 * SILENT, silent=SILENT)
        assert [one.id for one in found] == ids
        assert all(one.state is state for one in found)


def test_a_job_nobody_began_and_too_many_files_are_refused(engine):
    with pytest.raises(InputError) as error:
        advance(engine, Progress())
    assert error.value.reason.code == "not-found"
    begin(engine)
    with pytest.raises(InputError) as error:
        advance(engine, Progress(), *[FileDone(str(n)) for n in range(actions.ROWS_MAX + 1)])
    assert error.value.reason is Reason.LIMIT_EXCEEDED


def test_what_nobody_heard_of_for_long_is_forgotten_a_few_rows_at_a_time(engine):
    begin(engine)
    advance(engine, Progress(files=3), HELD, LEFT)
    begin(engine, replace(JOB, id="job-2", begun_us=T + SECOND, updated_us=T + SECOND))
    gone = []
    while not gone or gone[-1]:
        with write(engine) as db:
            gone.append(actions.forget(db, SITE, T + 1, 2))
    assert gone == [2, 2, 1, 1, 0]  # what was held, units, the job
    with read(engine) as db:
        found = views.listed(db, SITE, JobFilters(), now_us=T + SECOND, silent=SILENT)
        assert [row.id for row in found] == ["job-2"]
        assert views.held(db, SITE, JOB.id)[0] == []
