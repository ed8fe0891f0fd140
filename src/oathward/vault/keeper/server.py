"""The keeper's process: one Unix socket a role, one thread a connection, house kept beside them.

Rules:
- Each socket has mode 0600 and belongs to its role's user; the kernel's word on who is at the other end
  (SO_PEERCRED) is checked all the same.
- What a caller sends is a frame of bounded size and time; anything else closes the connection.
- An operation that fails says why by reason code; an error of ours closes the connection and says nothing.
- House is kept in threads of its own (``house``); one that ends by an error of ours ends the process.

Deliberately absent: TCP, TLS, HTTP, and any parsing of what others made.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from oathward.core import users
from oathward.core.errors import KeeperError, SettingsError
from oathward.core.process import Status, told_to_stop
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.vault.keeper.changing.papers import Register
from oathward.vault.keeper.client import frames
from oathward.vault.keeper.house import House
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.proof import Caller

ROLES = ("gateway", "courier", "app", "admin")
"""Of every site; ``sockets_of`` adds the portal's where it is on."""
CONNECTIONS_PER_ROLE_MAX = 32
IDLE_S_MAX = 3_600.0

_CREDENTIALS = struct.Struct("3i")
_HOUSE_S = 0.1
_WITNESS_S = 0.5
_PR_SET_DUMPABLE = 4

log = structlog.get_logger()


def run(settings: Settings, register: Register | None = None) -> None:
    """Be the keeper until told to stop.

    Raises:
        KeeperError, VaultError, AuthorityError: it cannot serve; see ``Keeper``.
        SettingsError: a user is named that is not there, or whose socket we cannot make.
    """
    _close_to_others()
    signal.signal(signal.SIGTERM, _leave)  # told to stop before the loop listens
    server = None
    # Told to stop while it is being made, it waits until there is something to stop: half of it would stay behind.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        try:
            server = Server(settings, register, on_failure=lambda: os.kill(os.getpid(), signal.SIGTERM))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        asyncio.run(told_to_stop())
    finally:
        if server is not None:
            server.stop()
    if server.failed:
        raise KeeperError("keeper", "keeping house ended by itself", reason=Reason.INTERNAL)


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


class Server:
    """A serving keeper; serves when made.

    Args:
        register: as the keeper takes it.
        on_failure: called when keeping house ends by an error of ours; the process should end too.
    """

    def __init__(
        self,
        settings: Settings,
        register: Register | None = None,
        *,
        on_failure: Callable[[], object] = bool,
    ) -> None:
        self.failed = False
        self._on_failure = on_failure
        self._status = Status(settings.run_folder_of("keeper"), "keeper")
        self._stopping = threading.Event()
        self._connections: dict[socket.socket, str] = {}
        self._guard = threading.Lock()
        sockets = sockets_of(settings)
        allowed = {role: allowed_uids(settings, role) for role in sockets}
        settings.run_folder.mkdir(parents=True, exist_ok=True)
        self._sockets = {role: _listen(settings, role) for role in sockets}
        users.become(settings, "keeper")  # only now: the sockets are made
        self.keeper = Keeper(settings, register=register)
        for role in sockets:  # only now: we hold the store, so whoever listened there is gone
            _unnamed(settings, role).replace(frames.socket_path(settings, role))
        self._house = House(self.keeper)
        self._threads = [
            threading.Thread(
                target=self._accept, args=(role, sock, allowed[role]), name=f"keeper-{role}", daemon=True
            )
            for role, sock in self._sockets.items()
        ]
        self._threads.append(threading.Thread(target=self._keep_house, name="keeper-house", daemon=True))
        if self.keeper.witness is not None:
            self._threads.append(
                threading.Thread(target=self._keep_witnessed, name="keeper-witness", daemon=True)
            )
        if self.keeper.settings.emergency.folder:
            self._threads.append(
                threading.Thread(target=self._keep_copied, name="keeper-copies", daemon=True)
            )
        self._house.turn()
        self._status.write("ready", **self._house.words())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more requests, finish house, give up the store."""
        self._status.write("stopping")
        self._stopping.set()
        for sock in self._sockets.values():
            sock.shutdown(socket.SHUT_RDWR)
        with self._guard:
            for connection in self._connections:
                _shut(connection)
        for thread in self._threads:
            thread.join(timeout=5)
        for role, sock in self._sockets.items():
            sock.close()
            frames.socket_path(self.keeper.settings, role).unlink(missing_ok=True)
        self._house.turn(last=True)
        self.keeper.close()
        self._status.remove()

    def _accept(self, role: str, sock: socket.socket, allowed: frozenset[int]) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = sock.accept()
            except OSError:
                if self._stopping.is_set():
                    return
                time.sleep(0.05)  # out of file descriptors, most likely
                continue
            caller = caller_of(connection, role)
            with self._guard:
                full = sum(r == role for r in self._connections.values()) >= CONNECTIONS_PER_ROLE_MAX
                welcome = caller.uid in allowed and not full and not self._stopping.is_set()
                if welcome:
                    self._connections[connection] = role
            if not welcome:
                log.warning("connection refused", role=role, uid=caller.uid, full=full)
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection, caller), daemon=True).start()

    def _serve(self, connection: socket.socket, caller: Caller) -> None:
        try:
            while not self._stopping.is_set() and self._answer(connection, caller):
                pass
        except (OSError, KeeperError) as error:
            if not self._stopping.is_set():
                log.info("connection ended", role=caller.role, why=type(error).__name__)
        finally:
            with self._guard:
                self._connections.pop(connection, None)
            connection.close()

    def _answer(self, connection: socket.socket, caller: Caller) -> bool:
        request = frames.receive(connection, bytes_max=frames.REQUEST_BYTES_MAX, wait_s=IDLE_S_MAX)
        if request is None:
            return False
        answer = operations.answer(self.keeper, caller, request)
        frames.send(connection, answer, bytes_max=frames.ANSWER_BYTES_MAX)
        return True

    def _keep_house(self) -> None:
        written_s = 0.0
        try:
            while not self._stopping.wait(_HOUSE_S):
                self._house.turn()
                if time.monotonic() - written_s >= 1.0:
                    written_s = time.monotonic()
                    state = "unhealthy" if self._house.problem else "ready"
                    self._status.write(state, **self._house.words())
        finally:
            if not self._stopping.is_set():
                self.failed = True
                self._on_failure()

    def _keep_witnessed(self) -> None:
        while not self._stopping.wait(_WITNESS_S):
            self._house.witness()

    def _keep_copied(self) -> None:
        while not self._stopping.wait(1.0):
            self._house.copy()


def sockets_of(settings: Settings) -> tuple[str, ...]:
    """Give the roles that have a socket: without a portal there is none for it."""
    return (*ROLES, "portal") if settings.portal.port >= 0 else ROLES


def allowed_uids(settings: Settings, role: str) -> frozenset[int]:
    """Say which users may be at the other end of a role's socket.

    Raises:
        SettingsError: the user named for the role does not exist.
    """
    if role == "admin":
        return frozenset({0, os.geteuid(), users.user_of(settings, "keeper")})
    return frozenset({users.user_of(settings, role)})


def caller_of(connection: socket.socket, role: str) -> Caller:
    """Ask the kernel who is at the other end."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return Caller(role, uid, pid)


def _listen(settings: Settings, role: str) -> socket.socket:
    path = _unnamed(settings, role)
    path.unlink(missing_ok=True)
    owner = os.geteuid() if role == "admin" else users.user_of(settings, role)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    folder_fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    before = os.umask(0o177)
    try:
        sock.bind(frames.short_path(folder_fd, path.name))
    finally:
        os.umask(before)
        os.close(folder_fd)
    if owner != os.geteuid():
        try:
            os.chown(path, owner, -1)
        except PermissionError as error:
            raise SettingsError(
                f"[users] {role}", "start the keeper as root: it must give this user its socket"
            ) from error
    sock.listen(16)
    return sock


def _unnamed(settings: Settings, role: str) -> Path:
    return settings.run_folder_of("keeper") / f".keeper-{role}.{os.getpid()}.sock"


def _close_to_others() -> None:
    """Leave no core file, and let no other process of this user look into this one's memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
