"""Which jobs somebody else looks at: those into what others had released, and those of little but numbers."""

import pytest
from tests.unit.jobs.test_jobs import SITE, T, engine  # noqa: F401  the fixture

from oathward.core.db import read, write
from oathward.jobs import actions, watching
from oathward.jobs.model import JobRow, Progress

DAY_US = 86_400_000_000


def run(engine, id_, by, project="registry", *, at=0, **told):  # noqa: F811  the fixture
    at_us = T + at * DAY_US
    with write(engine) as db:
        row = JobRow(id_, "research", project, by, at_us, at_us, progress=Progress(**told))
        actions.begin(db, SITE, row)


def found(engine, *named, at=9):  # noqa: F811  the fixture
    with read(engine) as db:
        return [(one.rule, one.job, one.by) for one in watching.review(db, SITE, named, T + at * DAY_US)]


def test_a_job_into_what_another_had_released_is_for_somebody_else(engine):  # noqa: F811  the fixture
    run(engine, "job-1", "p-ada", at=0)
    run(engine, "job-2", "p-ada", at=1)
    assert found(engine) == []
    run(engine, "job-3", "p-ben", "other", at=2)
    assert found(engine) == []
    run(engine, "job-4", "p-ben", at=3, patients=40, known=40)
    assert found(engine) == [("job.others", "job-4", "p-ben")]
    run(engine, "job-5", "p-ada", at=4)  # by now others have released into it too
    assert found(engine) == [("job.others", "job-4", "p-ben"), ("job.others", "job-5", "p-ada")]
    assert found(engine, "other") == found(engine)
    assert found(engine, "registry") == []  # it says itself who may
    with read(engine) as db:
        [first, _] = watching.review(db, SITE, (), T + 9 * DAY_US)
    assert "{p-ben} ran it into project registry, into which 1 other had run jobs" in first.words
    assert "knew 40 of its 40 patients before" in first.words


def test_a_job_that_named_nobody_reads_nothing_off(engine):  # noqa: F811  the fixture
    run(engine, "job-1", "p-ada")
    run(engine, "job-2", "p-ben", at=1)
    assert found(engine) != []
    with write(engine) as db:
        actions.end(db, SITE, "job-2", Progress(files=1, written=1), now_us=T + 2 * DAY_US)
    assert found(engine) == []


def test_before_a_site_has_people_a_name_is_a_name(engine):  # noqa: F811  the fixture
    run(engine, "job-1", "Dana Lee", patients=1, bare=1)
    with read(engine) as db:
        [one] = watching.review(db, SITE, (), T)
    assert one.words.startswith("Dana Lee ran it into project registry; 1 of 1 patients")


def test_it_stays_for_as_long_as_a_sign_off_may_last(engine):  # noqa: F811  the fixture
    run(engine, "job-1", "p-ada")
    run(engine, "job-2", "p-ben", at=1)
    assert found(engine, at=watching.DAYS) != []
    assert found(engine, at=watching.DAYS + 2) == []


@pytest.mark.parametrize(
    ("patients", "bare", "says"), [(1, 1, True), (10, 5, False), (10, 6, True), (0, 0, False)]
)
def test_a_job_of_little_but_numbers_is_for_somebody_else(engine, patients, bare, says):  # noqa: F811  the fixture
    run(engine, "job-1", "p-ada", patients=patients, bare=bare)
    assert found(engine, "registry") == [("job.bare", "job-1", "p-ada")] * says


@pytest.mark.parametrize(
    ("came", "left", "bare"), [(511, 9_999, True), (9_999, 255, True), (512, 256, False), (100, 0, False)]
)
def test_little_more_than_a_number(came, left, bare):
    assert watching.is_bare(came, left) is bare
