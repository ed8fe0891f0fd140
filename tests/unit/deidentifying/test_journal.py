"""What is done is known after any stop: whole lines count, a cut one does not."""

import os

import pytest

from oathward.core.errors import InputError
from oathward.deidentifying.journal import NAME, Entry, Journal

ONE = Entry(
    "AB12",
    "hl7v2",
    ".hl7",
    10,
    8,
    1,
    held=[[0, "deid.failed", "PID-5"]],
    removed={"patient.name": 2},
    words={"00ff": "patient.name"},
)
TWO = Entry("CD34", bytes_in=3, held=[[-1, "message.empty", "file"]])


def test_what_was_written_is_read(tmp_path):
    journal = Journal.begin(tmp_path / "job", {"digest": "d"})
    journal.done([ONE])
    journal.done([TWO])
    found = Journal.read(tmp_path / "job")
    assert (found.head, found.ended) == ({"digest": "d"}, None)
    assert found.entries == {"AB12": ONE, "CD34": TWO}
    assert [one.written for one in found.entries.values()] == [True, False]
    journal.end({"files": 2})
    assert Journal.read(tmp_path / "job").ended == {"files": 2}


def test_the_key_of_its_hashes_is_gone_when_it_ended(tmp_path):
    journal = Journal.begin(tmp_path / "job", {"digest": "d", "word_key": "c2VjcmV0"})
    journal.done([ONE])
    assert Journal.read(tmp_path / "job").head["word_key"] == "c2VjcmV0"
    journal.end({"files": 1})
    assert [b"c2VjcmV0" in path.read_bytes() for path in (tmp_path / "job").iterdir()] == [False]
    found = Journal.read(tmp_path / "job")
    assert (found.head, found.entries, found.ended) == ({"digest": "d"}, {"AB12": ONE}, {"files": 1})
    assert Journal.head_of(tmp_path / "job") == {"digest": "d"}


def test_a_line_that_was_cut_off_counts_as_not_written_and_is_written_over(tmp_path):
    journal = Journal.begin(tmp_path / "job", {"digest": "d"})
    journal.done([ONE])
    path = tmp_path / "job" / NAME
    whole = path.read_bytes()
    for cut in range(whole.index(b"\n") + 2, len(whole)):
        path.write_bytes(whole[:cut])
        found = Journal.read(tmp_path / "job")
        assert not found.entries
        found.done([TWO])
        assert Journal.read(tmp_path / "job").entries == {"CD34": TWO}


@pytest.mark.parametrize("text", [b"", b"no line\n", b"[]\n"])
def test_what_is_no_journal_is_refused_or_empty(tmp_path, text):
    (tmp_path / NAME).write_bytes(text)
    if not text:
        assert not Journal.read(tmp_path).entries
        return
    with pytest.raises(InputError):
        Journal.read(tmp_path)


def test_only_its_owner_reads_it(tmp_path):
    Journal.begin(tmp_path / "job", {})
    assert (tmp_path / "job").stat().st_mode & 0o077 == 0
    assert (tmp_path / "job" / NAME).stat().st_mode & 0o077 == 0


def test_a_write_that_takes_a_part_goes_on_with_the_rest(tmp_path, monkeypatch):
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, bytes(data[:7]), at))
    journal = Journal.begin(tmp_path / "job", {"digest": "d"})
    journal.done([ONE])
    journal.done([TWO])
    assert Journal.read(tmp_path / "job").entries == {"AB12": ONE, "CD34": TWO}
