"""Workers of a job: one that is stopped answers nobody, and nobody waits for it."""

import base64
import os
import signal
import threading

import pytest

from oathward.core.errors import DeidentificationError, OathwardError
from oathward.deid.profile import builtin_texts
from oathward.deidentifying.pool import Worker

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


@pytest.fixture
def worker():
    made = Worker(BEGUN, ANSWER_S_MAX)
    yield made
    made.end()


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
