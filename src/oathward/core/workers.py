"""Start a process of our own that reads what is foreign: our interpreter, one socket to its parent, nothing of ours beside it.

Rules:
- Of the environment it gets what Python needs, and nothing that may hold a secret.
- It is away from the terminal: who has one open can type on it.

Deliberately absent: what it may do (``sandbox``, which it asks for itself), what both say to each other (``frames``).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

_KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH")


def start(
    module: str, *, heard: bool = False, **environment: str
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Run a module of ours with the number of its socket as its only argument; gives the process and our end.

    Args:
        heard: what it writes on its standard error can be read by its parent; else nobody hears it.
        environment: what it gets besides.

    Raises:
        OSError: the system has no process or socket left.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, "-m", module, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if heard else subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ} | environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
    return process, ours
