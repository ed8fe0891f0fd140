"""Commands of ``oathward`` for tests, in processes of their own: forked from one that has imported the program already.

What a command costs is mostly its imports (0.6 of 0.7 CPU seconds), and tests of sites run hundreds. Each still is a process
of its own that begins with nothing but the imports, in the environment and the folder of whoever asks, and ends as any does.

So is ``serve`` (``served``) with its parts: the supervisor starts them with its own command, environment and pipes, and each
is forked where it would be executed, which is three of the five CPU seconds of a start. What they start themselves is executed.

Deliberately absent: moved clocks, which come in where Python begins. Sites that have one, and those that say so, start as
everybody does (``Site.start``).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Served:
    """A ``serve`` that runs, as far as tests ask a process; made while the one it was forked from waits for more."""

    def __init__(self, pid: int, stdout) -> None:
        self.pid, self.stdout = pid, stdout
        self._ended = os.pidfd_open(pid)

    def poll(self) -> bool | None:
        """Say whether it ended; None while it runs."""
        return self._over(0)

    def _over(self, timeout_s: float) -> bool | None:
        if self._ended >= 0:
            ends = select.poll()
            ends.register(self._ended, select.POLLIN)
            if ends.poll(timeout_s * 1_000):
                os.close(self._ended)
                self._ended = -1
        return self._ended < 0 or None

    def send_signal(self, number: int) -> None:
        if not self.poll():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._ended, number)

    def wait(self, timeout: float) -> None:
        if not self._over(timeout):
            raise subprocess.TimeoutExpired(["oathward", "serve"], timeout)


class _Commands:
    """The process to fork from, of one Python; made when first asked, ended with this one."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._python = ""
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._end)

    def run(
        self, arguments: list[str], typed: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command; gives what it wrote and its exit code, negative for the signal that ended it.

        Args:
            typed: what it can read. environment: more than is here.
        """
        with self._turn, contextlib.ExitStack() as stack:
            given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            given.write(typed)
            given.flush()
            code = self._answer(arguments, given, out, err, **environment)
            said = [(file.seek(0), file.read())[1] for file in (out, err)]
        return subprocess.CompletedProcess(["oathward", *arguments], code, *said)

    def served(self, arguments: list[str], log, environment: dict[str, str]) -> Served:
        """Start ``serve``; ``log``: the file it says of itself to, ``environment``: more than is here."""
        ours, its_end = os.pipe()
        try:
            with self._turn:
                with Path(os.devnull).open("rb") as nothing:
                    pid = self._answer(["serve", *arguments], nothing, its_end, log, **environment)
                return Served(pid, os.fdopen(ours, "rb"))
        finally:
            os.close(its_end)

    def _answer(self, arguments: list[str], *files, **environment: str) -> int:
        """Ask for one command, with its input, output and errors; gives its exit code, of ``serve`` its process id."""
        process = self._started()
        numbers = [file if isinstance(file, int) else file.fileno() for file in files]
        asked = {
            "arguments": arguments,
            "folder": str(Path.cwd()),
            "environment": os.environ | environment,
            "files": [f"/proc/{os.getpid()}/fd/{number}" for number in numbers],
        }
        answer = b""
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        finally:
            if not answer:  # a test whose time is over leaves here: the next must not get this one's answer
                os.killpg(process.pid, signal.SIGKILL)
                self._end()
        return int(answer)

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


_COMMANDS = _Commands()
run, served = _COMMANDS.run, _COMMANDS.served


def _imported() -> None:
    """Import what commands and parts load, which is lazy there."""
    from oathward.app.__main__ import ROLES, _imported
    from oathward.cli.main import COMMANDS

    for group in COMMANDS.values():
        for name in group:
            importlib.import_module(f"oathward.cli.{name.replace('-', '_')}")
    for name in ("app", "activation", "proposing.register", "verifying", "vault.keeper.keeper"):
        importlib.import_module(f"oathward.{name}")
    for name in ("sqlalchemy.dialects.sqlite", "typer._adapters"):
        importlib.import_module(name)
    for role in ROLES:
        _imported(role)


class _Part(subprocess.Popen):
    """What a supervisor starts, each forked from it where it would be executed."""

    def __init__(self, args, **more) -> None:
        if list(args[:3]) == [sys.executable, "-m", "oathward.app"]:
            more["preexec_fn"] = lambda: _be(list(args[2:]), more["env"], more["pass_fds"])
        super().__init__(args, **more)


_EXECUTED = subprocess.Popen


def _be(arguments: list[str], environment: dict[str, str], kept: tuple[int, ...]) -> None:
    """Be one part, with nothing of its supervisor's but the files it was given; never comes back."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python begins
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    subprocess.Popen = _EXECUTED
    os.environ.clear()
    os.environ.update(environment)
    edges = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for low, high in itertools.pairwise(edges):
        if low + 1 < high:  # of an empty range it closes all that follow
            os.closerange(low + 1, high)  # among them the pipe whose end says that it was executed
    sys.argv = arguments
    code = 1
    try:
        from oathward.app.__main__ import main
        from oathward.core import points

        importlib.reload(
            points
        )  # it has read the environment; who calls it has what it defines by its module
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        if sys.exc_info()[1] is not None:
            traceback.print_exc()
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become(asked: dict, files: list[int]) -> int:
    """Be one command, with its input, output and errors; gives its exit code."""
    from oathward.cli.main import run as run_command

    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if serving(asked):
        os.setsid()  # it outlives a test whose time is over, as one that was executed
        subprocess.Popen = _Part
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 on: of a fork beside threads that only wait
    return run_command(asked["arguments"])


def serving(asked: dict) -> bool:
    return asked["arguments"][0] == "serve"


def _serve() -> None:
    _imported()
    gc.freeze()  # what was imported is shared for good, and no collection goes through it
    served: set[int] = set()
    while line := os.read(0, 1 << 20):
        while not line.endswith(b"\n"):
            line += os.read(0, 1 << 20)
        # Not at once: whoever asked for it holds on to its process by its id first.
        served -= {pid for pid in served if os.waitpid(pid, os.WNOHANG)[0]}
        asked = json.loads(line)
        # Whoever asked may have closed theirs by the time the new process runs.
        ways = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)
        files = [os.open(path, way) for path, way in zip(asked["files"], ways, strict=True)]
        if (pid := os.fork()) == 0:
            sys.exit(_become(asked, files))
        for file in files:
            os.close(file)
        if serving(asked):
            served.add(pid)
            os.write(1, b"%d\n" % pid)
            continue
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _serve()
