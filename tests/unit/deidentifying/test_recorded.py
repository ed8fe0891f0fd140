"""What a job tells of itself is what its report says: chunk by chunk, after a stop, and when a file is taken back."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

import oathward.jobs.sql
import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.clock import from_micros
from oathward.core.db import METADATA, connect, create_tables, read, write
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.deidentifying.job import Done
from oathward.deidentifying.journal import Entry
from oathward.deidentifying.recorded import BEAT_US, Recorded
from oathward.deidentifying.sums import Sums
from oathward.jobs import actions, views
from oathward.jobs.model import JobState

T = 1_800_000_000_000_000
SILENT = views.silent_us(60)
S1, S2 = uuid7(T // 1_000 - 1), uuid7(T // 1_000 + 1)  # one whom the site knew before, and one it did not
ONE = Entry(
    "AAAA",
    "fhir",
    ".json",
    100,
    80,
    3,
    held=[[1, "patient.ambiguous", "patient"]],
    removed={"patient.name": 4},
    changed={"patient.identifier": 2},
    subjects=[S1, S2],
    whose=[0, -1, 1],
)
TWO = Entry("BBBB", bytes_in=5, held=[[-1, "message.empty", "file"]])
BIG = Entry(
    "CCCC",
    "fhir",
    ".ndjson",
    9,
    9,
    5_000,
    held=[[n, "patient.ambiguous", "patient"] for n in range(0, 5_000, 2)],
    subjects=[S1],
    whose=[0] * 5_000,
)


class Clock:
    at_us = T

    def now(self):
        return from_micros(self.at_us)


@pytest.fixture
def site(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield SimpleNamespace(engine=engine, site="north", clock=Clock())
    engine.dispose()


def recorded(site):
    return Recorded(site, "research", "registry", "p-9")


def seen(site):
    with read(site.engine) as db:
        return views.one(db, site.site, "job-1", now_us=site.clock.at_us, silent=SILENT)


def held(site):
    with read(site.engine) as db:
        return [(one.file, one.unit) for one in views.held(db, site.site, "job-1", limit=10_000)[0]]


def units(site, name):
    with read(site.engine) as db:
        return [(one.unit, one.subject) for one in views.units_of_file(db, site.site, name)]


def test_what_is_done_is_told_with_whose_left_and_what_was_held(site):
    with recorded(site) as job:
        job.heard.begun("job-1", 4, [])
        job.heard.done([ONE, TWO])
        row = seen(site)
        assert (row.state, row.profile, row.project, row.by) == (
            JobState.RUNNING,
            "research",
            "registry",
            "p-9",
        )
        told = row.progress
        assert (told.files, told.done, told.written, told.held, told.partly_held) == (4, 2, 1, 1, 1)
        assert (told.patients, told.bytes_in, told.bytes_out) == (2, 105, 80)
        assert told.figures.reasons == {"patient.ambiguous": 1, "message.empty": 1}
        assert told.figures.formats["fhir"]["units_held"] == 1
        assert units(site, "AAAA") == [(0, S1), (2, S2)]
        assert units(site, "BBBB") == []
        assert held(site) == [("AAAA", 1), ("BBBB", -1)]
        job.ended(Done("job-1", [ONE, TWO], 2, 0, {"patient.name": 3}))
    row = seen(site)
    assert row.state is JobState.ENDED
    assert row.progress.figures.taken_back == {"patient.name": 3}


def test_a_file_that_is_taken_back_is_held_and_in_no_figure_of_what_left(site):
    job = recorded(site)
    job.heard.begun("job-1", 1, [])
    job.heard.done([ONE])
    back = replace(
        ONE, suffix="", bytes_out=0, held=[*ONE.held, [-1, Reason.DEID_RESIDUE.code, "patient.name"]]
    )
    job.heard.done([back])
    told = seen(site).progress
    assert (told.done, told.written, told.held, told.partly_held, told.bytes_out) == (1, 0, 1, 0, 0)
    assert (told.figures.removed, told.figures.changed) == ({}, {})
    assert told.figures.reasons == {"patient.ambiguous": 1, "deid.residue": 1}
    assert dict(told.figures.formats["fhir"]) == dict(Sums.of([back]).formats["fhir"])
    assert units(site, "AAAA") == []
    assert held(site) == [("AAAA", 1), ("AAAA", -1)]


def test_a_file_of_many_units_is_told_in_parts_and_once(site):
    job = recorded(site)
    job.heard.begun("job-1", 1, [])
    for _ in range(2):
        job.heard.done([BIG])
    assert units(site, "CCCC") == [(n, S1) for n in range(1, 5_000, 2)]
    assert held(site) == [("CCCC", n) for n in range(0, 5_000, 2)]


def test_many_files_are_told_in_transactions_of_bounded_size(site):
    job = recorded(site)
    job.heard.begun("job-1", 600, [])
    job.heard.done([replace(ONE, name=f"F{n}") for n in range(600)])
    assert len(held(site)) == 600
    assert seen(site).progress.done == 600


def test_a_job_that_goes_on_tells_all_of_it_again(site):
    """Killed after its journal was written and before this was told: nothing is missing then."""
    job = recorded(site)
    job.heard.begun("job-1", 2, [])
    with pytest.raises(KeyboardInterrupt), job:
        raise KeyboardInterrupt
    assert seen(site).state is JobState.STOPPED
    with recorded(site) as job:
        job.heard.begun("job-1", 2, [ONE])
        assert seen(site).state is JobState.RUNNING
        job.heard.done([TWO])
        job.ended(Done("job-1", [ONE, TWO], 2, 1, {}))
    told = seen(site).progress
    assert (told.done, told.written, told.held) == (2, 1, 1)
    assert units(site, "AAAA") == [(0, S1), (2, S2)]


def test_what_was_refused_before_it_began_is_no_job(site):
    with pytest.raises(ValueError, match="no"), recorded(site):
        raise ValueError("no")
    with read(site.engine) as db:
        assert views.one(db, site.site, "job-1", now_us=T, silent=SILENT) is None


def test_while_one_file_takes_long_it_says_that_it_runs(site):
    job = recorded(site)
    job.heard.begun("job-1", 9, [])
    for _ in range(5):
        site.clock.at_us += max(SILENT // 2, BEAT_US)
        job.heard.say("search", 1, 9)
        assert seen(site).state is JobState.RUNNING
    for _ in range(5):
        site.clock.at_us += max(SILENT // 2, BEAT_US)
        job.heard.beat()
        assert seen(site).state is JobState.RUNNING
    assert seen(site).progress.searched == 1
    site.clock.at_us += SILENT + 1
    assert seen(site).state is JobState.STOPPED


def sized(name, bytes_in, bytes_out, *subjects):
    return Entry(name, "hl7v2", ".hl7", bytes_in, bytes_out, 1, subjects=list(subjects), whose=[0])


def test_whom_the_site_knew_before_is_counted_also_when_a_job_goes_on(site):
    for _ in range(2):
        job = recorded(site)
        job.heard.begun("job-1", 2, [])
        site.clock.at_us += (
            10 * BEAT_US
        )  # the first begin counts: whom the first run met it did not know before
        job.heard.done([sized("AAAA", 900, 900, S1, S2)])
        told = seen(site).progress
        assert (told.patients, told.known) == (2, 1)


def test_of_whom_little_more_than_a_number_left_is_counted_by_patient(site):
    job = recorded(site)
    job.heard.begun("job-1", 9, [])

    def bare(*entries):
        job.heard.done(entries)
        return seen(site).progress.bare

    assert bare(sized("AAAA", 90, 80, S1)) == 1
    assert bare(sized("BBBB", 1_900, 1_800, S1)) == 0  # more of the same patient
    assert bare(sized("CCCC", 1_900, 100, S2)) == 1  # much came, and next to nothing left
    assert bare(sized("CCCC", 1_900, 900, S2)) == 0
    assert bare(sized("CCCC", 1_900, 900, S2, *(uuid7(n) for n in range(9)))) == 10  # of each a tenth
    assert bare(replace(sized("CCCC", 1_900, 0, S2), suffix="")) == 0  # held: nobody reads anything off


def test_what_is_to_be_looked_at_is_asked_before_anything_is_written_and_at_the_end(site):
    asked = []
    look = lambda: asked.append(row.state if (row := seen(site)) else None)  # noqa: E731  a callback
    with Recorded(site, "research", "registry", "p-9", look=look) as job:
        job.heard.begun("job-1", 1, [])
        assert asked == [JobState.RUNNING]
        job.ended(Done("job-1", [], 0, 0, {}))
    assert asked == [JobState.RUNNING, JobState.ENDED]
    job = Recorded(site, "research", "registry", "p-9", look=look)
    job.heard.begun("job-1", 1, [])
    with pytest.raises(KeyboardInterrupt), job:
        raise KeyboardInterrupt
    assert asked[2:] == [JobState.RUNNING, JobState.STOPPED]


def test_parts_fit_into_a_transaction():
    from oathward.deidentifying.recorded import _batches

    batches = list(_batches([ONE, BIG, TWO, BIG]))
    assert max(sum(part.size for part in batch) for batch in batches) <= actions.ROWS_MAX


def test_why_a_job_stopped_is_told_also_where_that_it_stopped_cannot_be(site):
    def went_away(told):
        told.heard.begun("job-1", 1, [])
        with write(site.engine) as db:
            METADATA.drop_all(db)
        raise KeeperError("keeper", "does not run", reason=Reason.KEEPER_UNAVAILABLE)

    with pytest.raises(KeeperError), recorded(site) as told:
        went_away(told)
