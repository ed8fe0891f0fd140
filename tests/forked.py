"""Commands of ``oathward`` for tests, in processes of their own: forked from one that has imported the program already.

What a command costs is mostly its imports (0.6 of 0.7 CPU seconds), and tests of sites run hundreds. Each still is a process
of its own that begins with nothing but the imports, in the environment and the folder of whoever asks, and ends as any does.

Deliberately absent: ``serve`` and its parts, which tests start as everybody does.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class _Commands:
    """The process to fork from, of one Python; made when first asked, ended with this one."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._python = ""
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._end)

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
        """Run a command; gives what it wrote and its exit code, negative for the signal that ended it."""
        with self._turn, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._started()
            asked = {
                "arguments": arguments,
                "folder": str(Path.cwd()),
                "environment": dict(os.environ),
                "files": [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)],
            }
            code = b""
            try:
                process.stdin.write(json.dumps(asked).encode() + b"\n")
                process.stdin.flush()
                code = process.stdout.readline()
            finally:
                if not code:  # a test whose time is over leaves here: the next must not get this one's answer
                    os.killpg(process.pid, signal.SIGKILL)
                    self._end()
            said = [(file.seek(0), file.read())[1] for file in (out, err)]
        return subprocess.CompletedProcess(["oathward", *arguments], int(code), *said)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._python != sys.executable or self._process.poll() is not None:
            self._end()
            self._python = sys.executable
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait(30)
            self._process.stdout.close()
            self._process = None


run = _Commands().run


def _imported() -> None:
    """Import what commands load, which is lazy there."""
    import importlib

    from oathward.cli.main import COMMANDS

    for group in COMMANDS.values():
        for name in group:
            importlib.import_module(f"oathward.cli.{name.replace('-', '_')}")
    for name in ("app", "activation", "proposing.register", "verifying", "vault.keeper.keeper"):
        importlib.import_module(f"oathward.{name}")
    for name in ("sqlalchemy.dialects.sqlite", "typer._adapters"):
        importlib.import_module(name)


def _become(asked: dict) -> int:
    """Be one command; gives its exit code."""
    from oathward.cli.main import run as run_command

    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, path in enumerate(asked["files"], start=1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    return run_command(asked["arguments"])


def _serve() -> None:
    _imported()
    gc.freeze()  # what was imported is shared for good, and no collection goes through it
    while line := os.read(0, 1 << 20):
        while not line.endswith(b"\n"):
            line += os.read(0, 1 << 20)
        if (pid := os.fork()) == 0:
            sys.exit(_become(json.loads(line)))
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _serve()
