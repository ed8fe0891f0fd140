"""No key of hashes outlives what it is for: a job that ended, or one that stopped and was left."""

import os

import pytest

from oathward.deidentifying.journal import NAME, WORD_KEY, Entry, Journal
from oathward.deidentifying.keeping import keep_house

DAY_S = 86_400
NOW_S = 1_800_000_000
HEAD = {"digest": "d", WORD_KEY: "c2VjcmV0"}


def job(jobs, name, days, *, ended=False):
    """Leave a job as a kill does: where it ended, before its key went."""
    journal = Journal.begin(jobs / name, HEAD)
    journal.done([Entry("AB12")])
    if ended:
        journal._write({"end": {"files": 1}})
    os.utime(jobs / name / NAME, (NOW_S - days * DAY_S,) * 2)


def kept(jobs):
    keep_house(jobs, NOW_S * 1_000_000, resume_days=30, job_rows_days=100)
    return {
        path.name: WORD_KEY in Journal.head_of(path)
        for path in sorted(jobs.iterdir())
        if (path / NAME).exists()
    }


def test_keys_go_and_journals_later(tmp_path):
    job(tmp_path, "ended", 0, ended=True)
    job(tmp_path, "stopped", 29)
    job(tmp_path, "left", 31)
    job(tmp_path, "old", 101)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "note").write_text("theirs")
    assert kept(tmp_path) == {"ended": False, "stopped": True, "left": False}
    assert {path.name for path in tmp_path.iterdir()} == {"ended", "stopped", "left", "theirs", "note"}
    assert Journal.read(tmp_path / "left").entries.keys() == {"AB12"}
    assert (
        b"c2VjcmV0" not in (tmp_path / "left" / NAME).read_bytes() + (tmp_path / "ended" / NAME).read_bytes()
    )


@pytest.mark.parametrize(("days", "stays"), [(29, True), (31, False)])
@pytest.mark.parametrize("at", [0, -2])
def test_a_journal_that_cannot_be_read_goes_when_its_key_would(tmp_path, days, stays, at):
    job(tmp_path, "broken", days)
    path = tmp_path / "broken" / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at] = b"{\n"
    path.write_bytes(b"".join(lines))
    os.utime(path, (NOW_S - days * DAY_S,) * 2)
    keep_house(tmp_path, NOW_S * 1_000_000, resume_days=30, job_rows_days=100)
    assert path.exists() is stays


def test_where_no_job_was_nothing_is_kept(tmp_path):
    keep_house(tmp_path / "none", NOW_S * 1_000_000, resume_days=30, job_rows_days=100)
