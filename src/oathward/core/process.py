"""What every process of a site does alike: say that it lives, stop when told or when its parent is gone.

Rules:
- A process writes ``run/<role>.json`` (pid, state, ports, counters) about once a second; counters are
  numbers under fixed names, never a value of a message.
- Each time it also beats (``core.pulse``): the supervisor starts a process that does not beat anew.
- SIGTERM and SIGINT ask it to stop; so does the end of its standard input, a pipe from the supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from oathward.core.clock import wall_s
from oathward.core.pulse import Beats

STATUS_STALE_S = 10.0
HELD_VARIABLE = "OATHWARD_HELD"
_STATUS_BYTES_MAX = 1 << 20
SUPERVISOR = "supervisor"
"""The role in the status of the one who starts the others."""


class Status:
    """The status file of one process, and its beats: who writes it is the part ``work``."""

    def __init__(self, folder: Path, role: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{role}.json"
        self._fixed: dict[str, Any] = {"role": role, "pid": os.getpid(), "started_s": wall_s()}
        self._beats = Beats()

    def moved(self, part: str) -> None:
        """Count a turn of another part than the one that writes the status: a writer thread, say."""
        self._beats.moved(part)

    def write(self, state: str, **values: Any) -> None:
        """Say how it goes: ``starting``, ``ready``, ``unhealthy`` or ``stopping``, and its counters."""
        partial = self._path.with_suffix(f".{os.getpid()}.part")
        with contextlib.suppress(OSError):  # on a full disk the work goes on; the status then wears its age
            self._write(partial, state, values)
        self._beats.moved("work")
        self._beats.send()

    def _write(self, partial: Path, state: str, values: Mapping[str, Any]) -> None:
        partial.write_bytes(orjson.dumps(self._fixed | {"state": state, "at_s": wall_s()} | dict(values)))
        partial.replace(self._path)

    def remove(self) -> None:
        """Take the file away at a clean end."""
        self._path.unlink(missing_ok=True)


def statuses(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Read the status of every process that has one; a torn or foreign file is left out.

    A file speaks for the role it is named after, and for no other.
    """
    found: dict[str, Mapping[str, Any]] = {}
    own = (path for path in folder.glob("*/*.json") if path.stem == path.parent.name)
    for path in (*sorted(folder.glob("*.json")), *own):
        try:
            value = orjson.loads(_status_bytes(path))
        except (OSError, ValueError):
            continue
        if isinstance(value, dict) and value.get("role") == path.stem:
            found[path.stem] = value
    return found


def _status_bytes(path: Path) -> bytes:
    """Read one status: its folder is its role's, which may have put there what has no end, or another's file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        return file.read(_STATUS_BYTES_MAX) if stat.S_ISREG(os.fstat(fd).st_mode) else b""


FILES_MAX = 65_536
"""As many files, connections among them, as a process of ours ever has open."""


def raise_files(most: int = FILES_MAX) -> int:
    """Let this process open as many files as it may; gives how many. What it was started with is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def told_to_go() -> bool:
    """Wait, where a supervisor holds this process, until it says go; False where it ended instead.

    Before the event loop runs: what takes the longest at a start, imports, is done by then, all parts side by side.
    """
    # Taken out: programs that this one starts are not held.
    return not os.environ.pop(HELD_VARIABLE, "") or bool(os.read(sys.stdin.fileno(), 1))


async def told_to_stop() -> None:
    """Wait for SIGTERM, SIGINT or, under a supervisor, the end of standard input."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if os.environ.get("OATHWARD_SUPERVISED"):
        fd = sys.stdin.fileno()

        def _on_input() -> None:
            if not os.read(fd, 1024):
                loop.remove_reader(fd)
                stop.set()

        loop.add_reader(fd, _on_input)
    await stop.wait()
