"""Evidence that a process works: counters that its parts move, sent to the supervisor about once a second.

Rules:
- A part (a loop, a writer thread) counts its own turns; what does not turn does not move.
- The counters go through a pipe the supervisor opened, not through a file: a full disk is no hang, and no
  other process can speak for this one.
- Silence is measured on the reader's side in looks, each worth at most ``look_s_max``: a machine that was stopped, a
  clock that was set or a supervisor that slept make nobody silent.

Deliberately absent: what is done about silence (``supervisor``).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import orjson

FD_VARIABLE = "OATHWARD_PULSE_FD"
_LINE_BYTES_MAX = 2_000
_PARTS_MAX = 16
_NAME = re.compile(r"[a-z][a-z-]{0,31}", re.ASCII).fullmatch
"""Of a part: it stands in log lines and in the ledger, and whoever speaks may have been captured."""


class Silence(NamedTuple):
    """A part that stands still, for how long, and whether nothing else of its process moves either."""

    part: str
    silent_s: float
    whole: bool


class Beats:
    """The sender's side: counts of this process; says nothing where no supervisor listens."""

    def __init__(self) -> None:
        fd = os.environ.pop(FD_VARIABLE, "")  # a process this one starts has no such pipe
        self._fd = int(fd) if fd.isdecimal() else -1
        self._moved: Counter[str] = Counter()
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.set_blocking(self._fd, False)
                os.set_inheritable(self._fd, False)

    def moved(self, part: str) -> None:
        """Count a turn of one part; from the part itself, or from one who saw its work."""
        self._moved[part] += 1

    def send(self) -> None:
        """Tell the supervisor; never waits and never raises: a supervisor that does not read has its own trouble."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # BlockingIOError is one
                os.write(self._fd, orjson.dumps(dict(self._moved)) + b"\n")


class Pulse:
    """The supervisor's side: for how long each part of one process has not moved.

    Args:
        look_s_max: how much silence one look may count, however long ago the last one was.
    """

    def __init__(self, look_s_max: float) -> None:
        self._look_s_max = look_s_max
        self._counts: dict[str, int] = {}
        self._silent_s: dict[str, float] = {}
        self._since_start_s = 0.0
        self._rest = b""

    @property
    def heard(self) -> bool:
        """Whether the process has spoken at all."""
        return bool(self._counts)

    def read(self, data: bytes) -> None:
        """Take in what came through the pipe; what is no such line is left out."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES_MAX:
            self._rest = b""
        for line in lines:
            try:
                counts = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(counts, dict):
                self._take(counts)

    def _take(self, counts: Mapping[str, object]) -> None:
        for part, count in counts.items():
            new = part not in self._counts
            if not isinstance(count, int) or (new and (len(self._counts) >= _PARTS_MAX or not _NAME(part))):
                continue
            if new or self._counts[part] != count:
                self._counts[part], self._silent_s[part] = count, 0.0

    def look(self, elapsed_s: float) -> None:
        """Let the time since the last look count as silence, until something is read."""
        elapsed_s = min(elapsed_s, self._look_s_max)
        self._since_start_s += elapsed_s
        for part in self._silent_s:
            self._silent_s[part] += elapsed_s

    def silent(self, *, silent_s_max: float, start_s_max: float) -> Silence | None:
        """Say what has not moved for too long; ``start``: it never spoke.

        One that moves in part may only wait for another that hangs (a lock), and has half as long again.
        """
        if not self._counts:
            late = self._since_start_s > start_s_max
            return Silence("start", self._since_start_s, whole=True) if late else None
        least_s = min(self._silent_s.values())
        if least_s > silent_s_max:
            return Silence("process", least_s, whole=True)
        part, silent_s = max(self._silent_s.items(), key=lambda item: item[1])
        return Silence(part, silent_s, whole=False) if silent_s > silent_s_max * 1.5 else None
