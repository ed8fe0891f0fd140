"""One file of a job: what changes while it is read is held; what files of patients say is known whole, or they are held."""

import errno
import json
import os

import pytest

from oathward.core.errors import DeidentificationError, KeeperError, LedgerError, StorageError
from oathward.core.reasons import Reason
from oathward.deidentifying import files
from oathward.deidentifying.files import Files
from oathward.deidentifying.walk import items
from oathward.deidentifying.whom import Secrets

PATIENTS = 5


class Whom:
    """Knows everybody; ``learned``: whom it heard of."""

    def __init__(self):
        self.learned = []

    def learn(self, who, _known):
        self.learned += [unit[0][0] for unit in who]

    def secrets(self, who, *_):
        return [Secrets("", {}) for _ in who]


class Worker:
    """A worker that does as it should; ``meanwhile``: what happens before it answers, by what it is asked."""

    def __init__(self, **meanwhile):
        self.meanwhile = meanwhile

    def ask(self, head, fds=()):
        self.meanwhile.get(head.get("op", "shape"), lambda: None)()
        whose = [[[f"7731004{n}", "", "MR", True]] for n in range(PATIENTS)]
        if "op" not in head:
            return {"bytes": 2, "held": []}
        if head["op"] == "told":
            whose = whose[head["first"] : head["first"] + files.TOLD_MAX]
            return {"format": "fhir", "who": whose, "known": [[] for _ in whose]}
        os.write(fds[1], b"{}")
        return {"format": "fhir", "who": whose}


@pytest.fixture
def patients(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TOLD_MAX", 2)
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "partial").mkdir()
    rows = [
        {"resourceType": "Patient", "id": f"p{n}", "identifier": [{"value": f"7731004{n}"}]}
        for n in range(PATIENTS)
    ]
    (folder / "Patient.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder / "Patient.ndjson"


def job_of(path, whom):
    (item,) = items(path.parent)
    partial = os.open(path.parent.parent / "partial", os.O_RDONLY)
    return Files(path.parent, "files", whom, partial, {item: "AB"}, lambda _: {}), item


def reasons(entry):
    return [code for _, code, _ in entry.held]


def lose():
    raise DeidentificationError("worker", "an answer in time", reason=Reason.WORKER_LOST)


def test_of_many_patients_all_are_heard_of_in_parts(patients):
    of, item = job_of(patients, whom := Whom())
    of.learn(Worker(), item)
    assert whom.learned == [f"7731004{n}" for n in range(PATIENTS)]
    assert of.work(Worker(), item).written


def test_a_file_of_patients_that_nobody_could_hear_is_held_whatever_comes_of_it_later(patients):
    of, item = job_of(patients, Whom())
    of.learn(Worker(told=lose), item)
    found = of.work(Worker(), item)
    assert reasons(found) == ["deid.worker-lost"]
    assert not found.written
    assert not any((patients.parent.parent / "partial").iterdir())


@pytest.mark.parametrize(
    ("head", "patient"),
    [
        (b'{"resourceType":"Patient"}', True),
        (b'\xef\xbb\xbf \n{"id":"1","resourceType" : "Patient"}\n{"resourceType":"Patient"}', True),
        (b'{"meta":{"tag":[{"code":"a}\\""}]},"resourceType":"Patient"}', True),
        (b'{"contained":[{"resourceType":"X"}],"text":{"div":"' + b"x" * files.HEAD_BYTES, True),
        (b'{"resourceType":"Observation","subject":{"type":"Patient"}}', False),
        (b'{"contained":[{"resourceType":"Patient"}],"resourceType":"Observation"}', False),
        (b'{"a":"resourceType","b":"Patient"}', False),
        (b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}]}', False),
        (b'{"a":1}{"resourceType":"Patient"}', False),
        (b'Patient "resourceType":"Patient"', False),
        (b"", False),
    ],
)
def test_a_file_of_patients_is_known_by_what_stands_in_it(head, patient):
    assert files.of_patients(head[: files.HEAD_BYTES]) is patient


def test_a_file_of_patients_is_heard_whatever_it_is_called(patients):
    patients.write_text(patients.read_text().replace('{"res', '{"meta": {"tag": []}, "res'))
    of, item = job_of(patients.rename(patients.with_name("patients.txt")), whom := Whom())
    of.learn(Worker(), item)
    assert whom.learned == [f"7731004{n}" for n in range(PATIENTS)]


@pytest.mark.parametrize("when", ["file", "shape"])
@pytest.mark.parametrize("how", ["longer", "other bytes"])
def test_a_file_that_changes_while_it_is_read_is_held(patients, when, how):
    def change():
        with patients.open("r+b") as file:
            file.seek(0, os.SEEK_END if how == "longer" else os.SEEK_SET)
            file.write(b"{ ")
        os.utime(patients, ns=(1, 1))  # clocks of file systems tick slowly

    of, item = job_of(patients, Whom())
    found = of.work(Worker(**{when: change}), item)
    assert reasons(found) == ["deid.file-changed"]
    assert not any((patients.parent.parent / "partial").iterdir())


class Without(Whom):
    """Cannot say whose anything is, for a reason that is no file's."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def learn(self, *_):
        raise self.error

    secrets = learn


@pytest.mark.parametrize(
    "error",
    [
        KeeperError("keeper", "does not run", reason=Reason.KEEPER_UNAVAILABLE),
        KeeperError("deid.run", "", reason=Reason.NOT_PERMITTED),
        StorageError("database", reason=Reason.STORAGE_FULL),
        LedgerError("head"),
    ],
)
@pytest.mark.parametrize("step", ["learn", "work"])
def test_what_is_wrong_with_the_site_is_not_taken_for_a_fault_of_the_file(patients, error, step):
    of, item = job_of(patients, Without(error))
    with pytest.raises(type(error)) as caught:
        getattr(of, step)(Worker(), item)
    assert caught.value is error
    assert not of.unlearned


def test_a_worker_that_was_lost_on_a_full_disk_is_no_fault_of_its_file(patients, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    of, item = job_of(patients, Whom())
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="no space"):
        of.work(Worker(file=lose), item)


def test_one_that_was_lost_with_room_on_the_disk_has_its_file_held(patients):
    of, item = job_of(patients, Whom())
    assert reasons(of.work(Worker(file=lose), item)) == ["deid.worker-lost"]
    assert not any((patients.parent.parent / "partial").iterdir())
