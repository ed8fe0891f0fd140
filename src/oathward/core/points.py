"""Named places where a test may kill this process, or make it hang (`tests/faults`).

``OATHWARD_KILL_AT=gateway.committed`` ends the process at that place with SIGKILL, as a power cut would;
``gateway.committed:7`` at the seventh time it is passed. ``OATHWARD_KILL_MARK`` names a file that is made just
before, and that keeps every later process alive. With ``OATHWARD_HANG=1`` the thread that passes stays there for
good instead. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
import threading

_NAME, _, _COUNT = os.environ.get("OATHWARD_KILL_AT", "").partition(":")
_left = int(_COUNT or 1)


def point(name: str) -> None:
    """Pass a named place, or die there."""
    global _left  # noqa: PLW0603  one process, one plan
    if name == _NAME:
        _left -= 1
        if _left <= 0 and _mark():
            if os.environ.get("OATHWARD_HANG"):
                threading.Event().wait()
            os.kill(os.getpid(), signal.SIGKILL)


def _mark() -> bool:
    path = os.environ.get("OATHWARD_KILL_MARK")
    if not path:
        return True
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
