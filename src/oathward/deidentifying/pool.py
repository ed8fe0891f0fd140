"""Workers of one job, as its threads use them: started, asked, ended where they hang, started again.

Rules:
- One worker a thread, one file at a time; an answer takes at most ``time_s``, else the worker is killed and the file is held.
- A worker that lost the site's model of language ends with that file; the next has one again.
- A worker that dies takes its file with it into what is held, and no other.
- What a worker says is a stranger's word: ``answers`` reads it. So is what it writes of errors: no byte of that is shown, but where a bug
  is, in names that stand in this program.

Deliberately absent: what is asked (``job``).
"""

from __future__ import annotations

import builtins
import os
import re
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from oathward.core import frames, workers
from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.core.sandbox import SandboxError

START_S_MAX = 60.0
BEAT_S = 5.0
_SAID_BYTES_MAX = 4_096
_PLACE = re.compile(rb" at ([a-z0-9_]+\.py:\d{1,4})(?!\d)")
_BUG = re.compile(rb"a worker ended by (\w{1,64})([^;\n]*); its file is held\n")
FILES_WORTH, BYTES_WORTH = 64, 256 << 10
"""What is worth another worker: less than that is read in the time in which one starts."""
Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


class Worker:
    """One worker process.

    Args:
        begun: its first frame, see ``worker.Worker``. time_s: most that one answer may take.

    It is started when it is first asked.
    """

    def __init__(self, begun: Mapping[str, Any], time_s: float) -> None:
        self._begun, self._time_s = dict(begun), time_s
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._stopped = False

    def ask(self, head: Mapping[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        """Ask and wait for the answer.

        Raises:
            DeidentificationError: ``WORKER_LOST``: it took too long or died; the next question finds another.
            SandboxError: none could be started, or confined.
        """
        if self._socket is None:
            self._start()
        assert self._socket is not None
        try:
            self._socket.settimeout(self._time_s)
            frames.send(self._socket, dict(head), files)
            answer = frames.receive(self._socket, time_s=self._time_s)
        except OSError:  # gone, or too slow
            answer = None
        if answer is None:
            self.end()
            raise DeidentificationError("worker", "an answer in time", reason=Reason.WORKER_LOST)
        if _without_model(answer[0]):
            self.end()
        return answer[0]

    def stop(self) -> None:
        """Kill it for good, while another thread may wait for its answer: that gets none."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stderr is not None:
                with self._process.stderr as said:
                    os.set_blocking(
                        said.fileno(), False
                    )  # what was started beside it may live on, with the other end
                    sys.stderr.write(bug_of(said.read(_SAID_BYTES_MAX) or b""))
        if self._socket is not None:
            self._socket.close()
        self._process = self._socket = None

    def _start(self) -> None:
        self._process, ours = workers.start("oathward.deidentifying.worker", heard=True)
        self._socket = ours
        if self._stopped:  # just now, when there was none to kill yet
            self._process.kill()
        ours.settimeout(START_S_MAX)
        answer = None
        with suppress(OSError):
            frames.send(ours, self._begun)
            answer = frames.receive(ours, time_s=START_S_MAX)
        if answer is None or not answer[0].get("ready"):
            self.end()
            raise SandboxError("a worker did not start, or could not be confined")


def worth(sizes: Sequence[int], most: int) -> int:
    """Say how many workers files are worth. ``sizes``: bytes of each, of none where negative; ``most``: workers there may be."""
    more = max(len(sizes) // FILES_WORTH, sum(size for size in sizes if size > 0) // BYTES_WORTH)
    return min(1 + more, most)


class Workers:
    """A worker a thread; as a context: where an error or a person leaves it, what waits is not begun, and what runs is ended.

    Args:
        count: of threads. make: makes a worker.
        beat: called every ``BEAT_S`` while an answer is waited for, in the thread that waits.
    """

    def __init__(
        self, count: int, make: Callable[[], Worker], beat: Callable[[], None] = lambda: None
    ) -> None:
        self._make, self._beat = make, beat
        self._threads = ThreadPoolExecutor(count)
        self._mine = threading.local()
        self._all: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if kind is not None:
            for worker in list(self._all):
                worker.stop()
        self._threads.shutdown()
        for worker in self._all:
            worker.end()

    def map(self, ask: Callable[[Worker, Thing], Answer], things: Iterable[Thing]) -> Iterator[Answer]:
        """Ask about each thing; gives the answers in their order."""
        asked = deque(self._threads.submit(lambda thing: ask(self._own(), thing), one) for one in things)
        while asked:
            answer = asked.popleft()
            while not wait((answer,), BEAT_S).done:
                self._beat()
            yield answer.result()

    def _own(self) -> Worker:
        """Give this thread's worker."""
        found: Worker | None = getattr(self._mine, "worker", None)
        if found is None:
            found = self._mine.worker = self._make()
            self._all.append(found)
        return found


def bug_of(said: bytes) -> str:
    """Say where a bug ended a worker, of what it wrote itself as it ended; empty where that is anything else."""
    found = _BUG.search(said)
    if found is None:
        return ""
    kind = found[1].decode()
    error = vars(builtins).get(kind)
    known = isinstance(error, type) and issubclass(error, Exception)
    places = [place.decode() for place in _PLACE.findall(found[2])]
    ours = "".join(f" at {place}" for place in places if place.partition(":")[0] in _modules())
    return f"oathward deid: a worker ended by {kind if known else 'an error'}{ours}; its file is held\n"


@cache
def _modules() -> frozenset[str]:
    return frozenset(path.name for path in Path(__file__).parents[1].rglob("*.py"))


def _without_model(answer: Mapping[str, Any]) -> bool:
    """Say whether a worker lost the model beside it: confined as it is it can start no other, and the next file wants one."""
    held = answer.get("held")
    return isinstance(held, list) and any(
        isinstance(row, list) and Reason.DEID_TEXT_MODEL.code in row for row in held
    )
