"""How requests reach the keeper: its role's socket, or a keeper inside this process.

Rules:
- One request at a time on a connection; one that failed in the middle is thrown away. A connection that was
  lost between requests is made again once: every operation may be asked twice.
- The keeper inside the process answers through the same bytes as the one behind the socket.

Deliberately absent: what requests mean (``client``, ``operations``).
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from oathward.core import users
from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.vault.keeper.client import frames
from oathward.vault.keeper.proof import Caller

if TYPE_CHECKING:
    from oathward.vault.keeper.changing.papers import Register
    from oathward.vault.keeper.keeper import Keeper


class Transport(Protocol):
    """Carries one request and its answer."""

    def request(self, value: Mapping[str, Any]) -> Any:
        """Give the answer's frame."""

    def close(self) -> None:
        """Give up what it holds."""


class SocketTransport:
    """One connection to a running keeper, made again when it was lost between requests.

    Args:
        uid, group: whom the keeper is to see where root connects; our own user otherwise.
    """

    def __init__(self, path: Path, patience_s: float, uid: int, group: int) -> None:
        self._path, self._patience_s = path, patience_s
        self._uid, self._group = uid, group
        self._guard = threading.Lock()
        self._sock: socket.socket | None = None

    def reach(self) -> bool:
        """Connect; tells whether somebody listens."""
        with self._guard:
            return self._connect()

    def request(self, value: Mapping[str, Any]) -> Any:
        """Send one request and wait for its answer.

        Raises:
            KeeperError: ``KEEPER_UNAVAILABLE``.
        """
        with self._guard:
            used = self._sock is not None
            try:
                return self._exchange(value)
            except TimeoutError as error:
                raise unavailable("did not answer in time") from error
            except OSError as error:
                if not used:
                    raise unavailable("closed the connection") from error
            try:  # it may have been restarted since the last request; every operation may be asked twice
                return self._exchange(value)
            except OSError as error:
                raise unavailable("closed the connection") from error

    def close(self) -> None:
        """Close the connection."""
        with self._guard:
            self._drop()

    def _exchange(self, value: Mapping[str, Any]) -> Any:
        if not self._connect() or self._sock is None:
            raise ConnectionRefusedError("nobody listens")
        try:
            frames.send(self._sock, value, bytes_max=frames.REQUEST_BYTES_MAX, time_s=self._patience_s)
            answer = frames.receive(
                self._sock,
                bytes_max=frames.ANSWER_BYTES_MAX,
                wait_s=self._patience_s,
                time_s=max(self._patience_s, frames.FRAME_S_MAX),
            )
            if answer is None:
                raise ConnectionResetError("closed before the answer")
        except (OSError, KeeperError):
            self._drop()
            raise
        return answer

    def _connect(self) -> bool:
        if self._sock is not None:
            return True
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            folder_fd = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sock.settimeout(self._patience_s)
                name = frames.short_path(folder_fd, self._path.name)
                if self._uid != os.geteuid():
                    name = str(self._path)  # another user may not go through our open folders
                with users.speaking_as(self._uid, self._group):
                    sock.connect(name)
            finally:
                os.close(folder_fd)
        except OSError:
            sock.close()
            return False
        self._sock = sock
        return True

    def _drop(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class Several:
    """A few connections to a running keeper: who waits for a password's slow hash holds up nobody else.

    Args:
        first: reached already. more: made when they are needed.
    """

    def __init__(self, first: SocketTransport, more: Sequence[SocketTransport]) -> None:
        self._all = (first, *more)
        self._free: queue.LifoQueue[SocketTransport] = queue.LifoQueue()
        for one in reversed(self._all):
            self._free.put(one)

    def request(self, value: Mapping[str, Any]) -> Any:
        """Ask on a connection that is free; waits for one."""
        one = self._free.get()
        try:
            return one.request(value)
        finally:
            self._free.put(one)

    def close(self) -> None:
        """Close them all."""
        for one in self._all:
            one.close()


class InProcess:
    """The keeper inside this process; clients of one data folder share it, the last one closes it.

    It is loaded here and not with this module: whoever asks over a socket has nothing of it.
    """

    def __init__(self, settings: Settings, role: str, register: Register | None = None) -> None:
        from oathward.vault.keeper.keeper import Keeper
        from oathward.vault.keeper.operations import table as operations

        self._operations = operations
        self._caller = Caller(role, os.geteuid(), os.getpid())
        self._folder = settings.keeper_folder
        with _opened_guard:
            keeper, users = _opened.get(self._folder, (None, 0))
            self._keeper = keeper or Keeper(settings, register=register)
            _opened[self._folder] = (self._keeper, users + 1)
        self._closed = False

    def request(self, value: Mapping[str, Any]) -> Any:
        """Answer as the server would, through the same bytes."""
        if self._closed:
            raise unavailable("this client is closed")
        answer = self._operations.answer(self._keeper, self._caller, orjson.loads(orjson.dumps(value)))
        return orjson.loads(orjson.dumps(answer))

    def close(self) -> None:
        """Write what is counted; the last client closes the store."""
        with _opened_guard:
            if self._closed:
                return
            self._closed = True
            self._operations.flush_counts(self._keeper)
            keeper, users = _opened.pop(self._folder)
            if users > 1:
                _opened[self._folder] = (keeper, users - 1)
            else:
                keeper.close()


def is_here(settings: Settings) -> bool:
    """Say whether a site's keeper is in this process: none runs beside it, and no session is older than the process."""
    return settings.keeper_folder in _opened


_opened: dict[Path, tuple[Keeper, int]] = {}
_opened_guard = threading.Lock()


def unavailable(why: str) -> KeeperError:
    """Make the error of a keeper that cannot be asked."""
    return KeeperError("keeper", why, reason=Reason.KEEPER_UNAVAILABLE)
