"""Have foreign files parsed in a process of our own that can do nothing else: its two ends.

| parent (``Parser``) | child (``serve``) |
|---|---|
| what is asked, as JSON | confined, or ended |
| a file's descriptor, each time one is asked for | what it read, answer by answer; then the end, or what is wrong with the file |

Rules:
- The child holds no key, no database and no environment of ours; it is confined (``core.sandbox``) before the first byte of a file is read.
- It is given up where it neither read nor said anything for ``silence_s_max``, or was waited for for ``time_s_max`` in all, which it may use of
  processors too; it may use ``memory_bytes_max`` of address space, and begin no thread but those that loading its work began.
- An answer is JSON of at most ``answer_bytes_max``, for whoever asked to check (``core.checked``); what is wrong with a file is a place, words and a
  reason, as if it had been parsed here.

Deliberately absent: what is parsed, and what becomes of it.
"""

from __future__ import annotations

import io
import math
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from oathward.core import frames, workers
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.core.sandbox import SandboxError, confine, no_more_threads

ANSWER_BYTES_MAX = 8 << 20
MEMORY_BYTES_MAX = 1 << 30
SILENCE_S_MAX = 600.0
TIME_S_MAX = 3_600.0
START_S_MAX = 60.0
HEARD_BYTES = 16 << 20
"""After so many bytes of a file the child says that it reads on."""
_WORDS_MAX = 1_000
_SOON_S, _END_S_MAX = 1e-3, 5.0
_REASONS = {reason.code: reason for reason in Reason}

Files = Iterator[tuple[str, io.FileIO]]
Work = Callable[[dict[str, Any], Files], Iterator[dict[str, Any]]]


class ParserError(OathwardError):
    """The process that parsed a file ended, hung, or said what cannot be."""

    default_reason = Reason.OBSERVED_READER


class Parser:
    """One child; as a context, and iterated over once: its answers.

    Args:
        module: of ours that calls ``serve``. asked: what its work is told. files: name and descriptor of each file, taken when the child asks for it.
        bytes_max: of all answers, for who keeps them; None for who does not. answer_bytes_max: of one of them.

    Raises:
        SandboxError: no child could be started, or confined.
        ParserError: it ended before its file, was silent or waited for for too long, took too much memory, or said what is no answer.
        InputError: what is wrong with the file, in the child's words.
    """

    def __init__(
        self,
        module: str,
        asked: Mapping[str, Any],
        files: Iterable[tuple[str, int]],
        *,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
        silence_s_max: float = SILENCE_S_MAX,
        bytes_max: int | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        time_s_max: float = TIME_S_MAX,
    ) -> None:
        self._files, self._silence_s, self._left_bytes = iter(files), silence_s_max, bytes_max
        self._answer_bytes_max, self._left_s = answer_bytes_max, time_s_max
        self._process, self._socket = workers.start(module, OPENBLAS_NUM_THREADS="1")
        begun = {
            "asked": dict(asked),
            "memory_bytes_max": memory_bytes_max,
            "answer_bytes_max": answer_bytes_max,
            "seconds_max": math.ceil(time_s_max),
        }
        try:
            frames.send(self._socket, begun)
            self._socket.settimeout(START_S_MAX)
            got = frames.receive(self._socket, time_s=START_S_MAX, bytes_max=frames.SHORT_BYTES_MAX)
        except OSError:
            got = None
        if got is None or got[0] != {"ready": True}:
            self.end()
            raise SandboxError("what reads files did not start, or could not be confined")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            said = self._receive()
            if "answer" in said and isinstance(said["answer"], dict):
                yield said["answer"]
            elif said.get("file") is True:
                self._give()
            elif said.get("end") is True:
                return
            elif said.get("memory") is True:
                why = "takes more memory to read than may be used for it"
                raise ParserError("file", why, reason=Reason.LIMIT_EXCEEDED)
            elif "wrong" in said:
                raise _wrong(said["wrong"])
            elif said.get("on") is not True:
                raise odd()

    def end(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _give(self) -> None:
        name, fd = next(self._files, ("", -1))
        try:
            frames.send(self._socket, {"name": name, "none": fd < 0}, [fd] if fd >= 0 else [])
        except OSError as error:
            raise _ended() from error

    def _receive(self) -> dict[str, Any]:
        begun_s, time_s = time.monotonic(), max(min(self._silence_s, self._left_s), _SOON_S)
        try:
            self._socket.settimeout(time_s)
            got = frames.receive_sized(self._socket, time_s=time_s, bytes_max=self._answer_bytes_max)
        except TimeoutError as error:
            if time_s < self._silence_s:
                raise too_long() from error
            raise ParserError("file", f"nothing came of it for {self._silence_s:g} s") from error
        except OSError as error:
            raise _ended() from error
        self._left_s -= time.monotonic() - begun_s
        if got is None:
            raise too_long() if used_up(self._process) else _ended()
        if self._left_s < 0:
            raise too_long()
        if self._left_bytes is not None:
            self._left_bytes -= got[2]
            if self._left_bytes < 0:
                raise too_much()
        return got[0]


@contextmanager
def held(content: bytes) -> Iterator[int]:
    """Hold bytes as a file in memory, for a child that is given files; gives its descriptor."""
    fd = os.memfd_create("content", os.MFD_CLOEXEC)
    with os.fdopen(fd, "w+b") as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield fd


def odd() -> ParserError:
    """Make the error of an answer that does not fit."""
    return ParserError("file", "what read it said what cannot be")


def used_up(process: subprocess.Popen[bytes]) -> bool:
    """Say whether a process whose end of the socket is closed was ended for its time of processors."""
    try:
        return process.wait(_END_S_MAX) == -signal.SIGXCPU
    except subprocess.TimeoutExpired:
        return False


def too_long() -> ParserError:
    """Make the error of a file that takes longer than may be."""
    return ParserError("file", "takes longer to read than it may", reason=Reason.LIMIT_EXCEEDED)


def too_much() -> ParserError:
    """Make the error of a file that says more than may be kept of one."""
    return ParserError("file", "says more than can be kept", reason=Reason.LIMIT_EXCEEDED)


def _ended() -> ParserError:
    return ParserError("file", "what read it ended")


def _wrong(said: Any) -> OathwardError:
    """Read what is wrong with a file as a stranger's word: bounded, printable."""
    if not isinstance(said, list) or len(said) != 3 or not all(isinstance(one, str) for one in said):
        return odd()
    where, why, code = said
    if code not in _REASONS:
        return odd()
    return InputError(printable(where[:_WORDS_MAX]), printable(why[:_WORDS_MAX]), reason=_REASONS[code])


def printable(text: str) -> str:
    """Put a mark in place of each character that could steer a terminal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def serve(arguments: list[str], warm: Callable[[], object], work: Work) -> int:
    """Be the child: work for the parent, confined.

    Args:
        arguments: of the process: the number of its socket. warm: load what the work needs, once confined. work: (what is asked, files) -> answers.
    """
    parent = socket.socket(fileno=int(arguments[0]))
    begun = frames.receive(parent)
    if begun is None:
        return 1
    confine(begun[0]["memory_bytes_max"], seconds_max=begun[0]["seconds_max"])
    most = begun[0]["answer_bytes_max"]
    warm()
    no_more_threads()
    frames.send(parent, {"ready": True})
    try:
        for answer in work(begun[0]["asked"], _given(parent)):
            frames.send(parent, {"answer": answer}, bytes_max=most)
        frames.send(parent, {"end": True})
    except InputError as error:
        frames.send(parent, {"wrong": [error.where, error.why, error.reason.code]})
    except OverflowError:
        why = f"holds one thing of more than {most >> 20} MiB"
        frames.send(parent, {"wrong": ["file", why, Reason.LIMIT_EXCEEDED.code]})
    except RecursionError:
        frames.send(parent, {"wrong": ["file", "is nested too deeply", Reason.LIMIT_EXCEEDED.code]})
    except MemoryError:
        frames.send(parent, {"memory": True})
    except OSError:  # of the file, or of the parent, who then hears nothing
        frames.send(parent, {"wrong": ["file", "cannot be read", Reason.NOT_FOUND.code]})
    return 0


class _Heard(io.FileIO):
    """A file whose reader says now and then that it reads on: long is not silent."""

    def __init__(self, fd: int, parent: socket.socket) -> None:
        super().__init__(fd, "rb")
        self._parent, self._unsaid_bytes = parent, 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        self._unsaid_bytes += len(data)
        if self._unsaid_bytes >= HEARD_BYTES:
            self._unsaid_bytes = 0
            frames.send(self._parent, {"on": True})
        return data


def _given(parent: socket.socket) -> Files:
    while True:
        frames.send(parent, {"file": True})
        got = frames.receive(parent, 1)
        if got is None or not got[1]:
            return
        head, (fd,) = got
        with _Heard(fd, parent) as file:
            yield str(head["name"]), file
