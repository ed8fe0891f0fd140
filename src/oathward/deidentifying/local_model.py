"""A site's own model of language that reads free texts too: a program beside, confined, asked text by text.

It is whatever the site runs on its own machine (a spaCy pipeline, a transformer, rules of its own): a program that reads lines of JSON
and answers each with a line.

| asked | answered |
|---|---|
| ``{"text": "Seen by J. Roe", "language": "en"}`` | ``{"spans": [[8, 14, "name", 0.97]]}``: begin, end (code points, the end not in it), category, how sure (0 to 1) |

Rules:
- It only ever adds to what is found: what is known and what recognisers find goes whatever it says.
- It sees texts and nothing else: no network, no other program, no file but the folders that were named; it writes none. Where it cannot be
  confined it is not started.
- An answer that is none, or none in time, is an error, and so is every one after it: a text that it did not read does not leave.

Deliberately absent: live links, where a text may not wait for it; a model of ours.
"""

from __future__ import annotations

import ctypes
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.core.sandbox import SandboxError, confine_program
from oathward.deid.text.model import Span
from oathward.deidentifying.ocr import environment

CATEGORIES = {
    "name": "patient.name",
    "staff": "staff.name",
    "id": "patient.identifier",
    "address": "patient.address",
    "contact": "patient.contact",
    "date": "patient.time",
    "age": "patient.demographic",
    "organisation": "organisation.name",
    "device": "device.identity",
}
"""What a model may call what it found -> element class."""
HOW = "model"
START_S_MAX = 50.0
ANSWER_S_MAX = 30.0
ANSWER_BYTES_MAX = 8 << 20
_FILES = ("/proc/self", "/dev/urandom", "/dev/null", "/etc/localtime", "/usr/share/zoneinfo")
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Command(NamedTuple):
    """How a model is started.

    Args:
        words: the program and what it is told; the program is a binary, not a script.
        folders: what it may read besides the system's libraries.
        memory_bytes: address space.
    """

    words: tuple[str, ...]
    folders: tuple[str, ...]
    memory_bytes: int


def command_of(text: str, folders: str, memory_bytes: int) -> Command | None:
    """Read the settings: a command as a shell's words, folders set apart by ``:``; None where no model is named.

    Raises:
        DeidentificationError: ``deid.text-model``: the command cannot be read.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise _failed("a command that can be read") from error
    return Command(words, tuple(filter(None, folders.split(":"))), memory_bytes) if words else None


class LocalModel:
    """One running model; start it before this process is confined.

    Raises:
        DeidentificationError: ``deid.text-model``: it does not start, cannot be confined, or does not answer.
    """

    def __init__(self, command: Command) -> None:
        self._command, self.lost = command, False
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._buffer = bytearray()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603  what the site's settings name
                    command.words,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env=environment({"PATH"})
                    | {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
                    cwd="/",
                    preexec_fn=self._begin,  # noqa: PLW1509  whoever starts it has one thread, and no lock is taken
                )
            except (OSError, subprocess.SubprocessError) as error:
                self._socket.close()
                raise _failed("it starts, confined to the folders that the settings name") from error
        try:
            self._asked("", "", START_S_MAX)
        except DeidentificationError:
            self.end()
            raise

    def find(self, text: str, language: str) -> Sequence[Span]:
        """Give what it finds in a text.

        Args:
            language: ``en``, ``es`` …; empty where it is not plain.

        Raises:
            DeidentificationError: ``deid.text-model``: no answer, not in time, or none that can be one; it is lost then.
        """
        return self._asked(text, language, ANSWER_S_MAX) if text.strip() else ()

    def end(self) -> None:
        """Let it go."""
        self.lost = True
        self._socket.close()
        with suppress(PermissionError):  # once confined, this process may kill nobody: the model dies with it
            self._process.kill()
            self._process.wait()

    def _asked(self, text: str, language: str, time_s: float) -> Sequence[Span]:
        if self.lost:
            raise _failed("it runs")
        try:
            line = self._answer(orjson.dumps({"text": text, "language": language}) + b"\n", time_s)
            return spans_of(orjson.loads(line), len(text))
        # A lone surrogate cannot be written, and what is no JSON cannot be read.
        except (OSError, TypeError, ValueError) as error:
            self.end()
            raise _failed("an answer to each text, in time") from error

    def _answer(self, asked: bytes, time_s: float) -> bytes:
        until = time.monotonic() + time_s
        self._socket.settimeout(time_s)
        self._socket.sendall(asked)
        while (end := self._buffer.find(b"\n")) < 0:
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            more = self._socket.recv(1 << 16)
            if not more or len(self._buffer) > ANSWER_BYTES_MAX:
                raise OSError
            self._buffer += more
        line = bytes(self._buffer[:end])
        if len(self._buffer) > end + 1:  # whose answer would the next be?
            raise OSError
        self._buffer.clear()
        return line

    def _begin(self) -> None:
        """Confine the process that becomes it."""
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        found = [Path(path) for path in (*self._command.folders, *_FILES)]
        readable = [path for path in found if path.exists()]
        confine_program(_program(self._command.words[0]), readable, self._command.memory_bytes)


def spans_of(answer: Any, length: int) -> list[Span]:
    """Read an answer about a text of ``length`` code points: a stranger's word.

    Raises:
        ValueError: it is none.
    """
    spans = answer.get("spans") if isinstance(answer, dict) else None
    if not isinstance(spans, list) or not all(map(_is_span, spans)):
        raise ValueError("no spans")
    found = [Span(start, end, CATEGORIES[category], HOW, float(sure)) for start, end, category, sure in spans]
    if any(span.end > length for span in found):
        raise ValueError("a span beyond the text")
    return found


def _is_span(one: Any) -> bool:
    if not isinstance(one, list) or len(one) != 4:
        return False
    start, end, category, sure = one
    return (
        type(start) is int
        and type(end) is int
        and 0 <= start < end
        and isinstance(category, str)
        and category in CATEGORIES
        and type(sure) in (int, float)
        and 0 <= sure <= 1
    )


def _program(name: str) -> Path:
    path = Path(name)
    if not path.is_absolute() or not path.is_file():
        raise SandboxError("the model's program is named by its whole path")
    return path


def _failed(expected: str) -> DeidentificationError:
    return DeidentificationError("text", f"the site's own model: {expected}", reason=Reason.DEID_TEXT_MODEL)
