"""Start the processes of a site, keep them running, stop them in order.

Rules:
- Order up: keeper, courier, app, gateway; order down: gateway first, so that nothing new is accepted
  while the others finish. All import at once, held; each is told to go when the one before it is ready.
- One supervisor a data folder: a lock on a file in ``run`` that the system gives up with the process.
- A port that is taken, a setting that cannot be: said once, before anything starts. A part that ends so
  before it was ready is not started again.
- A process that ends by itself is started again after a pause that doubles up to a longest one.
- A process of which a part has not moved for too long hangs: it is told to end, then killed, and started
  again like one that ended by itself. ``run/supervisor.json`` says so; the ``app`` writes the finding.
- Each becomes its own operating-system user where the settings name one and we may (``core.users``).
- Children learn of our end by their standard input; nothing is left behind by a killed supervisor.

Deliberately absent: any work on data.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oathward.core import users
from oathward.core.clock import wall_s
from oathward.core.errors import OathwardError, SettingsError, StorageError
from oathward.core.ids import uuid7
from oathward.core.process import HELD_VARIABLE, STATUS_STALE_S, SUPERVISOR, Status, statuses
from oathward.core.pulse import FD_VARIABLE, Pulse, Silence
from oathward.core.reasons import Reason
from oathward.core.settings import Settings, doors

ROLES = ("keeper", "courier", "app", "gateway", "portal")
"""In the order in which they start; the portal only where it is on."""

READY_S_MAX = 20.0
STOP_S_MAX = 15.0
HUNG_STOP_S_MAX = 2.0
"""How long a process that hangs may take to end by itself; it has had its time."""

_LOCK = "serve.lock"
_FINAL = Reason.PORT_TAKEN.answer.exit_code
"""How a part ends that would end the same way again: its settings do not fit this machine."""
_LOOK_S = 0.5
_SETTLE_S = 2.0
_HANGS_KEPT = 20
_PAUSE_FIRST_S, _PAUSE_LONGEST_S, _HEALTHY_S = 0.2, 10.0, 30.0


@dataclass(slots=True)
class _Child:
    role: str
    process: asyncio.subprocess.Process | None = None
    started_s: float = 0.0
    restarts: int = 0
    was_ready: bool = False
    watcher: asyncio.Task[None] | None = field(default=None)
    pulse: Pulse = field(default_factory=lambda: Pulse(_LOOK_S))
    pulse_fd: int = -1
    hangs: int = 0


class Supervisor:
    """Run all parts of one data folder.

    Args:
        say: takes one line for people or logs: role and what happened.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str, str], None], *, arguments: tuple[str, ...] = ()
    ) -> None:
        self._settings, self._say, self._arguments = settings, say, arguments
        on = users.roles(settings)
        self._children = {role: _Child(role) for role in ROLES if role in on}
        self._stopping = False
        self._lock: int | None = None
        self._status: Status | None = None
        self._hung: list[dict[str, Any]] = []
        silent_s_max = settings.watchdog.silent_s_max
        self._look_s = min(_LOOK_S, silent_s_max / 8) if silent_s_max else _LOOK_S
        self._looking: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, Any]:
        """Start every part and wait until each says it is ready; gives role -> status.

        Raises:
            SettingsError: a user that is not there, a host or port that cannot be had.
            OathwardError: the site runs already, a port is taken, or a part did not become ready; all are
                stopped again.
        """
        users.check_users(self._settings)
        users.prepare(self._settings)
        self._lock = _locked(self._settings.run_folder)
        try:
            await _left_over(self._settings.run_folder)
            for place, (host, port) in doors(self._settings).items():
                try_port(place, host, port)
        except OathwardError:
            self._unlock()
            raise
        for child in self._children.values():
            await self._spawn(child, held=True)
        for role, child in self._children.items():
            self._let_go(child)
            child.watcher = asyncio.create_task(self._watch(child))
            await self._ready(role, child)
        self._status = Status(self._settings.run_folder, SUPERVISOR)
        self._say_status()
        self._looking = asyncio.create_task(self._look())
        found = statuses(self._settings.run_folder)
        return {role: found[role] for role in ROLES if role in found}

    async def stop(self) -> None:
        """Stop the parts, last started first, each after the one before has ended."""
        self._stopping = True
        for task in (self._looking, self._ending):
            if task:
                task.cancel()
        for child in reversed(self._children.values()):
            process = child.process
            if process is None or process.returncode is not None:
                continue
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S_MAX):
                    await process.wait()
            except TimeoutError:
                self._say(child.role, "did not stop in time, killed")
                process.kill()
                await process.wait()
        for child in self._children.values():
            if child.watcher:
                child.watcher.cancel()
            self._deafen(child)
        if self._status:
            self._status.remove()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _spawn(self, child: _Child, *, held: bool = False) -> None:
        settings = self._settings
        with contextlib.suppress(OSError):  # its folder is its own: it may hold anything of that name
            (settings.run_folder_of(child.role) / f"{child.role}.json").unlink(missing_ok=True)
        its_end = self._listen(child)
        environment = os.environ | {"OATHWARD_SUPERVISED": "1", FD_VARIABLE: str(its_end)}
        environment |= {HELD_VARIABLE: "1"} if held else {}
        command = [sys.executable, "-m", "oathward.app", child.role, "--data", str(settings.data)]
        try:
            child.process = await asyncio.create_subprocess_exec(
                *command,
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                env=environment,
                pass_fds=(its_end,),
                start_new_session=True,  # a Ctrl-C in the terminal is ours to pass on, in order
            )
        finally:
            os.close(its_end)
        child.started_s = time.monotonic()

    @staticmethod
    def _let_go(child: _Child) -> None:
        assert child.process is not None, "it was spawned"
        assert child.process.stdin is not None, "we opened it"
        child.process.stdin.write(b"\n")  # to one that has ended meanwhile: its watcher starts another
        child.started_s = time.monotonic()

    def _listen(self, child: _Child) -> int:
        """Open the pipe a new process of this role beats through; gives the end that is its."""
        self._deafen(child)
        ours, its_end = os.pipe()
        os.set_blocking(ours, False)
        child.pulse, child.pulse_fd = Pulse(2 * self._look_s), ours
        asyncio.get_running_loop().add_reader(ours, self._hear, child)
        return its_end

    def _hear(self, child: _Child) -> None:
        data = os.read(child.pulse_fd, 65_536)
        if data:
            child.pulse.read(data)
        else:
            self._deafen(child)

    def _deafen(self, child: _Child) -> None:
        if child.pulse_fd >= 0:
            asyncio.get_running_loop().remove_reader(child.pulse_fd)
            os.close(child.pulse_fd)
            child.pulse_fd = -1

    async def _look(self) -> None:
        """Notice who hangs, and say how often who was started again."""
        last_s, due_s = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(self._look_s)
            now_s = time.monotonic()
            found = [(self._silence(child, now_s - last_s), child) for child in self._children.values()]
            last_s = now_s
            hanging = [(silence, child) for silence, child in found if silence is not None]
            if hanging and (self._ending is None or self._ending.done()):
                # One at a time: the others may only have waited for it. Who is silent altogether comes first.
                silence, child = max(hanging, key=lambda one: (one[0].whole, one[0].silent_s))
                self._ending = asyncio.create_task(self._end(child, silence))
            if now_s >= due_s:
                due_s = now_s + 1.0
                self._say_status()

    def _silence(self, child: _Child, elapsed_s: float) -> Silence | None:
        limits, process = self._settings.watchdog, child.process
        if process is None or process.returncode is not None or not limits.silent_s_max:
            return None
        child.pulse.look(elapsed_s)
        silent_s_max = limits.keeper_silent_s_max if child.role == "keeper" else limits.silent_s_max
        return child.pulse.silent(silent_s_max=silent_s_max, start_s_max=limits.start_s_max)

    async def _end(self, child: _Child, silence: Silence) -> None:
        """End a process that hangs; ``_watch`` starts another. Then see whether the others move again."""
        process, part, silent_s = child.process, silence.part, silence.silent_s
        assert process is not None
        self._say(child.role, f"hangs: `{part}` has not moved for {silent_s:.0f} s; ending it")
        child.hangs += 1
        what = {"id": uuid7(), "role": child.role, "part": part, "silent_s": round(silent_s, 1)}
        self._hung = [*self._hung, {**what, "at_s": wall_s()}][-_HANGS_KEPT:]
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                async with asyncio.timeout(HUNG_STOP_S_MAX):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.sleep(_SETTLE_S)

    def _say_status(self) -> None:
        assert self._status is not None
        children = self._children.values()
        self._status.write(
            "ready",
            restarts={child.role: child.restarts for child in children},
            hangs={child.role: child.hangs for child in children},
            hung=self._hung,
        )

    async def _ready(self, role: str, child: _Child) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline:
            status = statuses(self._settings.run_folder).get(role)
            process = child.process
            if (
                status
                and process
                and status["pid"] == process.pid
                and status["state"] in {"ready", "unhealthy"}
            ):
                child.was_ready = True
                return
            if child.restarts > 1 or (process and process.returncode == _FINAL):
                break
            await asyncio.sleep(0.02)
        final = child.process is not None and child.process.returncode == _FINAL
        await self.stop()
        if final:
            raise SettingsError(role, "cannot run with these settings; its line above says why")
        raise OathwardError(role, "did not become ready; see its lines above", reason=Reason.INTERNAL)

    async def _watch(self, child: _Child) -> None:
        pause_s = _PAUSE_FIRST_S
        while not self._stopping:
            process = child.process
            assert process is not None
            code = await process.wait()
            if self._stopping or (code == _FINAL and not child.was_ready):
                return
            if time.monotonic() - child.started_s > _HEALTHY_S:
                pause_s = _PAUSE_FIRST_S
            child.restarts += 1
            self._say(child.role, f"ended with code {code}; starting it again in {pause_s:.1f} s")
            while child.process is process and not self._stopping:
                await asyncio.sleep(pause_s)
                pause_s = min(_PAUSE_LONGEST_S, pause_s * 2)
                try:
                    await self._spawn(child)
                except (
                    OSError
                ) as error:  # no memory, no process, no descriptor now: nobody else would try again
                    self._say(child.role, f"cannot be started: {error.strerror}; again in {pause_s:.1f} s")


def try_port(place: str, host: str, port: int) -> None:
    """Open a port and close it again.

    Args:
        place: the setting it comes from, as ``[mllp] port``.

    Raises:
        OathwardError: ``port.taken``: another program listens there.
        SettingsError: this machine has no such address, or this user may not open the port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise port_trouble(place, host, port, error) from error


def port_trouble(place: str, host: str, port: int, error: OSError) -> OathwardError:
    """Say in words why a port could not be opened."""
    if error.errno == errno.EADDRINUSE:
        why = f"port {port} of {host} is taken; choose others with --port-base, or another {place}"
        return OathwardError("serve", why, reason=Reason.PORT_TAKEN)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return SettingsError(place, f"this user may not open port {port} of {host}; choose one above 1023")
    return SettingsError(place, f"{host} is no address of this machine")


def _locked(folder: Path) -> int:
    """Take the folder's lock for as long as this process lives.

    Raises:
        OathwardError: another ``serve`` holds it; names its process.
        StorageError: the file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StorageError(str(folder / _LOCK), f"cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        pid = os.read(handle, 20).decode("ascii", "replace").strip()
        os.close(handle)
        why = f"already running, pid {pid or 'unknown'}; stop that one first, or name another data folder"
        raise OathwardError(str(folder.parent), why, reason=Reason.ALREADY_RUNNING) from error
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


async def _left_over(folder: Path) -> None:
    """Wait for the parts of a supervisor that was killed: they end by themselves, soon.

    Raises:
        OathwardError: one lives on and still says so.
    """
    deadline = time.monotonic() + STATUS_STALE_S + 1.0
    while living := _living(folder):
        if time.monotonic() > deadline:
            why = f"already running, pid {living}; stop that one first"
            raise OathwardError(str(folder.parent), why, reason=Reason.ALREADY_RUNNING)
        await asyncio.sleep(0.05)


def _living(folder: Path) -> int:
    """Give the id of a part that lives and spoke lately; 0 where there is none."""
    found = statuses(folder)
    for role in ROLES:
        status = found.get(role, {})
        pid, at_s = status.get("pid"), status.get("at_s")
        if not isinstance(pid, int) or pid in {0, os.getpid()} or not isinstance(at_s, int | float):
            continue
        if abs(wall_s() - at_s) > STATUS_STALE_S:
            continue
        with contextlib.suppress(ProcessLookupError):
            with contextlib.suppress(PermissionError):  # another user's: it lives
                os.kill(pid, 0)
            return pid
    return 0
