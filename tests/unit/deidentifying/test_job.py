"""What leaves is what the journal names and workers searched that read no foreign file."""

import os

import pytest

from oathward.deid.profile import builtin_profiles, builtin_texts
from oathward.deidentifying import job
from oathward.deidentifying.journal import Journal

SECRET = b"Zoraida Quixley"


class Captured:
    """A worker that lies once it has read a file, and passes it as it came."""

    def __init__(self, *_):
        self.lies = False

    def ask(self, head, files=()):
        if head.get("op") == "file":
            self.lies = True
            os.write(files[1], SECRET)
            return {"format": "text", "who": [[]]}
        if head.get("op") == "search":
            return {"found": {} if self.lies else {"patient.name": 1}, "named": ""}
        return {"bytes": len(SECRET), "held": []}

    def end(self):
        pass


class Nobody:
    device_key = bytes(32)

    def secrets(self, who, *_):
        return [None for _ in who]


@pytest.fixture
def order(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "Worker", Captured)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(SECRET)
    name = "research"
    return job.Order(
        tmp_path / "in", tmp_path / "out", builtin_profiles()[name], builtin_texts()[name], "registry"
    )


def left(order):
    return [path for path in order.target.rglob("*") if path.is_file()]


def test_who_read_a_strangers_file_searches_nothing(order, tmp_path):
    done = job.run(order, Nobody(), tmp_path / "jobs", 1)
    assert done.residue == {"patient.name": 1}
    assert left(order) == []


def test_what_was_moved_and_not_noted_does_not_stay(order, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as until:
        until.setattr(Journal, "done", killed)
        with pytest.raises(KeyboardInterrupt):
            job.run(order, Nobody(), tmp_path / "jobs", 1)
    assert len(left(order)) == 1
    (order.source / "a.txt").unlink()
    assert job.run(order, Nobody(), tmp_path / "jobs", 2).entries == []
    assert left(order) == []
