"""Named places where a test may kill this process.

``OATHWARD_KILL_AT=site-key.switched`` ends the process there with SIGKILL, as a power cut would. Without
the variable a point does nothing.
"""

from __future__ import annotations

import os
import signal

_KILL_AT = os.environ.get("OATHWARD_KILL_AT", "")


def point(name: str) -> None:
    """Pass a named place, or die there."""
    if name == _KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
