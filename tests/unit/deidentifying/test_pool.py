"""Workers of a job: one that is stopped answers nobody, and nobody waits for it."""

import base64
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from oathward.core.errors import DeidentificationError, OathwardError
from oathward.deid.profile import builtin_texts
from oathward.deidentifying.pool import BYTES_WORTH, FILES_WORTH, Worker, bug_of, worth

ANSWER_S_MAX = 60.0
BEGUN = {
    "profile": "research",
    "profile_text": builtin_texts()["research"],
    "authorities": {},
    "folder": "files",
    "authority": "",
    "language": "",
    "pixel_boxes": "",
    "word_key": base64.b64encode(bytes(32)).decode(),
    "program": "test",
    "project": "p",
    "recorded": "2026-01-02T03:04:05Z",
    "memory_bytes_max": 2 << 30,
}


@pytest.mark.parametrize(
    ("sizes", "workers"),
    [
        ([], 1),
        ([100, 200], 1),
        ([BYTES_WORTH - 1], 1),
        ([BYTES_WORTH, 1], 2),
        ([-1, -1, BYTES_WORTH], 2),
        ([1] * (FILES_WORTH - 1), 1),
        ([-1] * FILES_WORTH, 2),
        ([BYTES_WORTH] * 2, 3),
        ([BYTES_WORTH] * 100, 4),
        ([1] * FILES_WORTH * 100, 4),
    ],
)
def test_little_work_is_not_worth_starting_many_and_much_has_all(sizes, workers):
    assert worth(sizes, 4) == workers
    assert worth(sizes, 1) == 1


@pytest.fixture
def worker():
    made = Worker(BEGUN, ANSWER_S_MAX)
    yield made
    made.end()


def test_a_worker_is_confined_and_has_nothing_of_ours(worker, monkeypatch):
    """As the system tells it of the process itself: filtered, bounded, without our environment or terminal."""
    monkeypatch.setenv("OATHWARD_PLANTED", "a secret")
    assert worker.ask({"op": "known", "words": {}}) == {"known": 0}
    process = worker._process.pid
    of = Path("/proc") / str(process)
    assert "\nSeccomp:\t2\n" in (of / "status").read_text()
    assert str(BEGUN["memory_bytes_max"]) in (of / "limits").read_text()
    assert b"PLANTED" not in (of / "environ").read_bytes()
    assert os.getsid(process) == process


def test_who_waits_for_a_worker_that_is_stopped_waits_no_longer(worker):
    assert worker.ask({"op": "known", "words": {}}) == {"known": 0}
    os.kill(worker._process.pid, signal.SIGSTOP)  # it says nothing for ever
    timer = threading.Timer(0.2, worker.stop)
    timer.start()
    with pytest.raises(DeidentificationError):
        worker.ask({"op": "known", "words": {}})
    timer.join()
    with pytest.raises(OathwardError):  # and none comes in its place
        worker.ask({"op": "known", "words": {}})


def test_a_bug_of_a_worker_is_told_by_place_and_kind_alone(worker, capfd):
    with pytest.raises(DeidentificationError):
        worker.ask({"op": "known", "words": 77310042})
    told = capfd.readouterr().err
    assert re.fullmatch(
        r"oathward deid: a worker ended by AttributeError( at \w+\.py:\d+)+; its file is held\n", told
    )


def test_what_a_worker_writes_reaches_no_terminal(worker):
    worker.ask({"op": "known", "words": {}})
    assert {
        str(Path(f"/proc/{worker._process.pid}/fd/{fd}").readlink()).partition(":")[0] for fd in (1, 2)
    } == {
        "/dev/null",
        "pipe",
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"\x1b]0;Zoraida\x07", ""),
        (b"Traceback: Zoraida Quixley\n", ""),
        (b"a worker ended by Zoraida; its file is held\n", "an error"),
        (b"a worker ended by KeyError at zoraida.py:7 at job.py:77310042 at \x1b[2J; its file is held\n", "KeyError"),
        (b"a worker ended by KeyError at job.py:12 at zoraida.py:1; its file is held\n", "KeyError at job.py:12"),
    ],
)  # fmt: skip
def test_of_what_a_worker_writes_our_own_words_alone_are_told(said, told):
    assert bug_of(said) == (told and f"oathward deid: a worker ended by {told}; its file is held\n")


def test_a_file_that_the_parent_turned_away_from_takes_no_other_with_it(worker, tmp_path):
    """It may not get its seeds, for it names whom it does not say, or who was erased; the next file is another one."""
    (tmp_path / "in").write_bytes(b"Nobody is named here.")
    for out in "ab":
        with (tmp_path / "in").open("rb") as source, (tmp_path / out).open("w+b") as target:
            asked = {"op": "file", "name": ".txt", "outgoing_id": out}
            assert "who" in worker.ask(asked, (source.fileno(), target.fileno()))
    seed = {"seed": base64.b64encode(bytes(32)).decode(), "device_key": base64.b64encode(bytes(32)).decode()}
    seeds = [seed | {"known": [], "days": 0, "year": 2026, "source": "files", "offset_min": 0}]
    assert worker.ask({"seeds": seeds, "of": [0]})["bytes"] == (tmp_path / "b").stat().st_size > 0
    assert (tmp_path / "a").stat().st_size == 0
