"""What leaves is what the journal names and workers searched that read no foreign file."""

import base64
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.deid.profile import builtin_profiles, builtin_texts
from oathward.deidentifying import job, pool
from oathward.deidentifying.journal import WORD_KEY, Journal
from oathward.deidentifying.output import holders
from oathward.deidentifying.residue import found_in
from oathward.deidentifying.whom import Secrets

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

    stop = end


class Nobody:
    device_key = bytes(32)

    def counts_apart(self):
        return {}

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


class Calm(Captured):
    """A worker that finds nothing in what was written."""

    def ask(self, head, files=()):
        return {"found": {}, "named": ""} if head.get("op") == "search" else super().ask(head, files)


def test_neither_time_nor_order_of_what_leaves_says_which_file_of_the_folder_one_is(
    order, tmp_path, monkeypatch
):
    """Two projects that get the same folder would be joined by the rank of each file."""
    for name in "bcdefghi":
        (order.source / f"{name}.txt").write_bytes(b"nobody")
    monkeypatch.setattr(job, "Worker", Calm)
    listed = []
    heard = job.Heard(done=listed.extend, ended=lambda _, output: output.put("report", b"{}"))
    done = job.run(order, Nobody(), tmp_path / "jobs", 5_000_000, heard)
    names = [one.name for one in done.entries]
    assert names == sorted(names) == [one.name for one in listed]
    assert len(left(order)) == 9 + 1
    assert {path.stat().st_mtime_ns for path in (order.target, *order.target.rglob("*"))} == {5_000_000_000}


class Away(Nobody):
    """The keeper goes away after the first file."""

    def __init__(self, files=0):
        self.files = files

    def secrets(self, who, *_):
        self.files += 1
        if self.files > 1:
            raise KeeperError("keeper", "does not run", reason=Reason.KEEPER_UNAVAILABLE)
        return super().secrets(who)


def test_a_keeper_that_goes_away_stops_the_job_and_nothing_is_held_for_it(order, tmp_path, monkeypatch):
    for name in "bcd":
        (order.source / f"{name}.txt").write_bytes(b"nobody")
    monkeypatch.setattr(job, "CHUNK_FILES_MAX", 1)
    with pytest.raises(KeeperError):
        job.run(order, Away(), tmp_path / "jobs", 1)
    [folder] = (tmp_path / "jobs").iterdir()
    assert [one.written for one in Journal.read(folder).entries.values()] == [True]
    done = job.run(order, Nobody(), tmp_path / "jobs", 2)
    assert (done.resumed, len(done.entries)) == (1, 4)
    assert {code for one in done.entries for _, code, _ in one.held} == {"deid.residue"}  # its worker lies


def test_a_stopped_job_takes_away_nothing_of_another_that_went_into_its_folder_since(
    order, tmp_path, monkeypatch
):
    """What it had not noted it took for what it had not finished: another job's release, whole."""
    with pytest.raises(KeeperError):
        job.run(order, Away(files=1), tmp_path / "jobs", 1)
    assert not left(order)
    monkeypatch.setattr(job, "Worker", Calm)
    other = replace(order, project="another")
    assert all(one.written for one in job.run(other, Nobody(), tmp_path / "jobs", 2_000).entries)
    before = left(order)
    with pytest.raises(InputError) as caught:
        job.run(order, Nobody(), tmp_path / "jobs", 3_000)
    assert caught.value.reason is Reason.CONFLICT
    assert left(order) == before != []


def test_a_job_does_not_go_on_where_somebody_put_what_would_leave_with_it(order, tmp_path, monkeypatch):
    (order.source / "b.txt").write_bytes(b"nobody")
    monkeypatch.setattr(job, "CHUNK_FILES_MAX", 1)
    with pytest.raises(KeeperError):
        job.run(order, Away(), tmp_path / "jobs", 1)
    (order.target / "mine").mkdir()
    (order.target / "mine" / "thesis.txt").write_bytes(b"mine")
    with pytest.raises(InputError) as caught:
        job.run(order, Nobody(), tmp_path / "jobs", 2)
    assert "did not write" in caught.value.why
    assert (order.target / "mine" / "thesis.txt").read_bytes() == b"mine"


def test_a_job_whose_key_went_says_so_and_begins_anew_in_an_empty_folder(order, tmp_path):
    with pytest.raises(KeeperError):
        job.run(order, Away(files=1), tmp_path / "jobs", 1)
    (order.target / "AB").mkdir()  # of it something is left
    [folder] = (tmp_path / "jobs").iterdir()
    Journal.read(folder).forget_key()
    with pytest.raises(InputError) as caught:
        job.run(order, Nobody(), tmp_path / "jobs", 2)
    assert "resume_days" in caught.value.why
    (order.target / "AB").rmdir()
    assert job.run(order, Nobody(), tmp_path / "jobs", 3).resumed == 0


def test_a_file_and_a_release_that_is_finished_are_told_as_what_they_are(order, tmp_path):
    order.target.write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        job.run(order, Nobody(), tmp_path / "jobs", 1)
    order.target.unlink()
    job.run(order, Nobody(), tmp_path / "jobs", 2)
    (order.target / "AB").mkdir(exist_ok=True)
    [folder] = (tmp_path / "jobs").iterdir()
    Journal.read(folder).end({"ended": "2026-05-04T10:00:00Z"})
    with pytest.raises(InputError, match="a job ended here on 2026-05-04"):
        job.run(order, Nobody(), tmp_path / "jobs", 3)


@pytest.mark.parametrize(
    "other",
    [
        {"authorities": {"HOSP": ["urn:oid:1.2.3"]}},
        {"apart": False},
        {"authority": "HOSP"},
        {"zone": "Europe/Vienna"},
    ],
)
def test_with_other_rules_of_who_is_who_it_is_another_job(order, other):
    assert replace(order, **other).digest != order.digest
    assert replace(order, by="p-8", processes=2).digest == order.digest


def test_folders_whose_names_are_no_text_are_told_apart(order):
    names = [Path(os.fsdecode(name)) for name in (b"/lat\xff", b"/lat\xfe", b"/lat\\xff")]
    digests = [replace(order, source=one).digest for one in names]
    digests += [replace(order, target=one).digest for one in names]
    assert len({*digests}) == 6


def test_two_jobs_do_not_write_into_one_folder(order, tmp_path):
    other = replace(order, source=tmp_path / "other", by="p-8")
    other.source.mkdir()
    (other.source / "b.txt").write_bytes(b"nobody")
    said = []

    def meanwhile(*_):
        with pytest.raises(InputError) as refused:
            job.run(other, Nobody(), tmp_path / "jobs", 2)
        said.append((refused.value.reason, refused.value.why))
        assert [one.split()[0::2] for one in holders(tmp_path / job.LOCKS)] == [["since", "p-9"]]

    job.run(replace(order, by="p-9"), Nobody(), tmp_path / "jobs", 1, job.Heard(begun=meanwhile))
    [(reason, why)] = said
    assert reason is Reason.ALREADY_RUNNING
    assert "p-9" in why
    assert "1970-01-01" in why
    assert len([*(tmp_path / "jobs").iterdir()]) == 1
    assert not any((tmp_path / job.LOCKS).iterdir())
    (tmp_path / job.LOCKS / "killed").write_bytes(b"{}")
    assert holders(tmp_path / job.LOCKS) == []


def test_while_a_file_takes_long_it_is_told_every_few_seconds_that_it_runs(order, tmp_path, monkeypatch):
    beats = []

    class Long(Captured):
        def ask(self, head, files=()):
            if head.get("op") == "file":
                until = time.monotonic() + 20
                while len(beats) < 3 and time.monotonic() < until:
                    time.sleep(0.001)
            return super().ask(head, files)

    monkeypatch.setattr(job, "Worker", Long)
    monkeypatch.setattr(pool, "BEAT_S", 0.01)
    heard = job.Heard(beat=lambda: beats.append(threading.current_thread()))
    job.run(order, Nobody(), tmp_path / "jobs", 1, heard)
    assert len(beats) >= 3
    assert {*beats} == {threading.current_thread()}


class Slow(Captured):
    """A worker that is slow, until it is stopped."""

    asked = 0
    went = threading.Event()

    def ask(self, head, files=()):
        if head.get("op") == "file":
            Slow.asked += 1
            Slow.went.wait(20)
        return super().ask(head, files)

    def stop(self):
        Slow.went.set()


@pytest.fixture
def interruptible():
    """Ctrl-C is heard, also where these tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_who_stops_it_does_not_wait_for_what_waits(order, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "Worker", Slow)
    for name in "bcdef":
        (order.source / f"{name}.txt").write_bytes(b"nobody")

    def interrupted():
        while not Slow.asked:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupted, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        job.run(order, Nobody(), tmp_path / "jobs", 1)
    assert (Slow.asked, Slow.went.is_set()) == (1, True)
    assert not (order.target / ".partial").exists()


def test_nor_where_it_is_stopped_between_two_files(order, tmp_path, monkeypatch):
    class Second(Slow):
        asked = 0
        went = threading.Event()

        def ask(self, head, files=()):
            if head.get("op") == "file":
                Second.asked += 1
                if Second.asked > 1:
                    Second.went.wait(20)
            return Captured.ask(self, head, files)

        def stop(self):
            Second.went.set()

    def say(step, *_):
        if step == "files":
            raise KeyboardInterrupt

    monkeypatch.setattr(job, "Worker", Second)
    for name in "bcdef":
        (order.source / f"{name}.txt").write_bytes(b"nobody")
    with pytest.raises(KeyboardInterrupt):
        job.run(order, Nobody(), tmp_path / "jobs", 1, job.Heard(say=say))
    assert Second.asked <= 2


HL7 = b"MSH|^~\\&|A|B|C|D|2026||ADT^A08|1|P|2.5\rPID|||77310042^^^HOSP^MR\r"


class Naming(Captured):
    """A worker that names whom it likes, of a file that names one patient, and says nothing of what is searched for."""

    number, format = "", "hl7v2"

    def ask(self, head, files=()):
        if head.get("op") == "file":
            os.write(files[1], HL7)
            return {"format": self.format, "who": [[[self.number, "HOSP", "MR", False]]]}
        if head.get("op") == "search":
            return {"found": {}, "named": ""}
        if head.get("op") == "known":
            return {"known": 0}
        return {"bytes": len(HL7), "held": []}


class Somebody:
    device_key = bytes(32)

    def __init__(self):
        self.asked = []

    def counts_apart(self):
        return {}

    def secrets(self, who, *_):
        self.asked += [one[0] for unit in who for one in unit]
        return [Secrets("s-1", {}) for _ in who]


@pytest.mark.parametrize(("number", "reasons"), [("77310042", []), ("77310043", ["deid.not-in-file"])])
def test_whom_a_file_does_not_say_nobody_is_given_the_seeds_of(order, tmp_path, monkeypatch, number, reasons):
    monkeypatch.setattr(job, "Worker", Naming)
    monkeypatch.setattr(Naming, "number", number)
    (order.source / "a.txt").write_bytes(HL7)
    whom = Somebody()
    [entry] = job.run(order, whom, tmp_path / "jobs", 1).entries
    assert [code for _, code, _ in entry.held] == reasons
    assert whom.asked == ([] if reasons else [number])
    assert bool(left(order)) is not bool(reasons)


def test_a_file_of_another_format_than_its_worker_says_is_held(order, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "Worker", Naming)
    monkeypatch.setattr(Naming, "number", "77310042")
    monkeypatch.setattr(Naming, "format", "dicom")
    (order.source / "a.txt").write_bytes(HL7)
    whom = Somebody()
    [entry] = job.run(order, whom, tmp_path / "jobs", 1).entries
    assert ([code for _, code, _ in entry.held], whom.asked) == (["deid.worker-lost"], [])


def test_the_number_that_gave_a_file_its_seeds_is_searched_for_whatever_its_worker_says(
    order, tmp_path, monkeypatch
):
    monkeypatch.setattr(job, "Worker", Naming)
    monkeypatch.setattr(Naming, "number", "77310042")
    (order.source / "a.txt").write_bytes(HL7)
    [entry] = job.run(order, Somebody(), tmp_path / "jobs", 1).entries
    [folder] = (tmp_path / "jobs").iterdir()
    hasher = WordHasher(base64.b64decode(Journal.read(folder).head[WORD_KEY]))
    assert found_in(HL7, hasher, {bytes.fromhex(word): cls for word, cls in entry.words.items()}) == {
        "patient.identifier": 1
    }
