"""Connections of sensors, several at once: each read by a process of its own, all stored by one.

Rules:
- Of a connection nothing is looked at here but where its lines end. Its reader begins with its first whole line.
- At most ``Limits.connections``, and ``of_peer`` of one address. Who comes beyond that takes the place of the one that said no whole line for longest,
  if that is long enough; else it is turned away.
- One that says no whole line for long, that leaves a line unfinished, or makes it too long, is ended: a slow or dead peer hinders no other.
- Who is slower stored than it speaks waits (its own connection fills), and nothing of it is lost.
- What is lost is counted by reason: connections turned away, lines without their end, readers. What came before is kept.
- Connections of one address and one format are one source; beyond ``SOURCES_MAX`` those of all others are. A source is noted as read to its end
  when a connection ends, at most every ``NOTED_US``, and at the end of all.

Deliberately absent: who a sensor is: nobody proves that here.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.discovery.model import Seen
from oathward.network.model import ObservedSource
from oathward.observing.parts import is_full
from oathward.observing.report import SourceReport

if TYPE_CHECKING:
    from oathward.observing.run import Run

NAME = "eve.json"
SOURCES_MAX = 200
NOTED_US = 3_600_000_000
STORED_US = 60_000_000
ENDS_S = 30.0
"""So long readers have, asked to stop, for what they still hold."""
_PIECE_BYTES = 1 << 16
_WAITING_MAX = 64
_TICK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What connections may take.

    Args:
        connections: at once; each has a process. of_peer: of one address. idle_s: without a whole line. line_s: for a line, from its first byte.
        line_bytes: of a line. gives_way_s: without a whole line, after which it gives its place to another.
    """

    connections: int = 16
    of_peer: int = 8
    idle_s: float = 3_600.0
    line_s: float = 60.0
    line_bytes: int = 1 << 20
    gives_way_s: float = 60.0


@dataclass(slots=True)
class _Connection:
    """One connection. ``line_at_s``: when its last whole line ended; ``held``: bytes behind it. ``why``: for what it was ended, if by us."""

    socket: socket.socket
    peer: str
    line_at_s: float
    held: int = 0
    held_at_s: float = 0.0
    why: tuple[Reason, str] | None = None

    def end(self, why: tuple[Reason, str] | None = None) -> None:
        """Let its reader read what came, and no more."""
        self.why = self.why or why
        with suppress(OSError):  # gone already
            self.socket.shutdown(socket.SHUT_RD)


@dataclass(slots=True)
class _Source:
    """What connections of one address and format told."""

    report: SourceReport
    row: ObservedSource
    group: list[Seen] = field(default_factory=list)
    stored_us: int = 0
    noted_us: int = 0


@dataclass(frozen=True, slots=True)
class _Told:
    """What a reader says of a connection: a part; or with neither the end, ``lost`` for its reason."""

    connection: _Connection
    observer: str = ""
    seen: Seen | None = None
    lost: OathwardError | None = None


class Connections:
    """The door, and who came in.

    Args:
        door: listens. say: tells whoever watches.
    """

    def __init__(
        self,
        run: Run,
        door: socket.socket,
        say: Callable[[str], None] = lambda _: None,
        limits: Limits | None = None,
    ) -> None:
        self._run, self._door, self._say, self._limits = run, door, say, limits or Limits()
        self._live: list[_Connection] = []
        self._lock = threading.Lock()
        self._told: queue.Queue[_Told] = queue.Queue(_WAITING_MAX)
        self._sources: dict[tuple[str, str], _Source] = {}
        self._door_report: SourceReport | None = None
        self._closing = threading.Event()
        self._said: set[tuple[str, str]] = set()

    def serve(self, stopped: Callable[[], bool]) -> None:
        """Take connections and store what they tell until ``stopped``, which is asked twice a second; then what was read is stored."""
        self._door.settimeout(_TICK_S)
        doorman = threading.Thread(target=self._accept, daemon=True)
        doorman.start()
        try:
            while not stopped():
                self._take(_TICK_S)
        finally:
            self._closing.set()
            doorman.join()
        self._hang_up()
        until_s = time.monotonic() + ENDS_S
        while self._live and time.monotonic() < until_s:
            self._take(_TICK_S)
        for source in self._sources.values():
            self._store(source)
            self._run.finish(source.row, source.report)

    def _hang_up(self) -> None:
        with self._lock:
            for one in self._live:
                one.end()

    # --- the door, in a thread of its own

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                taken, address = self._door.accept()
            except TimeoutError:
                continue
            except OSError:  # no descriptor left: somebody may end
                self._closing.wait(_TICK_S)
                continue
            peer = str(address[0]) if isinstance(address, tuple) else ""
            connection = _Connection(taken, peer, time.monotonic())
            if self._has_place(connection):
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()
            else:
                taken.close()
                self._told.put(_Told(connection, lost=_lost(Reason.OBSERVED_FULL)))

    def _has_place(self, new: _Connection) -> bool:
        """Take a connection in, if need be for one that is silent; false where there is no place."""
        with self._lock:
            same = [one for one in self._live if new.peer and one.peer == new.peer]
            crowd = same if len(same) >= self._limits.of_peer else self._live
            if crowd is same or len(self._live) >= self._limits.connections:
                oldest = min(crowd, key=lambda one: one.line_at_s)
                if new.line_at_s - oldest.line_at_s < self._limits.gives_way_s:
                    return False
                oldest.end((Reason.OBSERVED_FULL, "connection"))
                self._live.remove(oldest)
            self._live.append(new)
            return True

    # --- one connection, in two threads of its own

    def _pass_on(self, connection: _Connection) -> None:
        """Pass a connection's bytes on to its reader, from its first whole line on."""
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        begin, reading, ours = bytearray(), None, None
        while data := self._received(connection):
            if ours is None:
                begin += data
                if b"\n" not in begin:
                    continue
                theirs, ours = socket.socketpair()
                reading = threading.Thread(target=self._read, args=(connection, theirs), daemon=True)
                reading.start()
                data, begin = bytes(begin), bytearray()
            try:
                ours.sendall(data)
            except OSError:  # its reader is gone
                break
        connection.socket.close()
        if ours is None or reading is None:
            self._told.put(_Told(connection, lost=_lost(Reason.OBSERVED_CUT) if begin else None))
            return
        with suppress(OSError):
            ours.shutdown(socket.SHUT_WR)
        reading.join()
        ours.close()

    def _received(self, connection: _Connection) -> bytes:
        """Give what came next; nothing at the end, or where it took too long or its line is too long."""
        limits = self._limits
        since_s, most_s = (
            (connection.held_at_s, limits.line_s)
            if connection.held
            else (connection.line_at_s, limits.idle_s)
        )
        left_s = since_s + most_s - time.monotonic()
        try:
            connection.socket.settimeout(max(left_s, 0.0) or 1e-3)
            data = connection.socket.recv(_PIECE_BYTES)
        except TimeoutError:
            connection.end((Reason.OBSERVED_CUT, "connection") if connection.held else None)
            return b""
        except OSError:  # it was reset
            return b""
        now_s, end = time.monotonic(), data.rfind(b"\n") + 1
        if end:
            connection.line_at_s = connection.held_at_s = now_s
        elif not connection.held:
            connection.held_at_s = now_s
        connection.held = len(data) - end if end else connection.held + len(data)
        if connection.held > limits.line_bytes:
            connection.end((Reason.OBSERVED_SIZE, "connection"))
        return data

    def _read(self, connection: _Connection, theirs: socket.socket) -> None:
        """Have a reader read it; what it says goes to whoever stores."""
        lost: OathwardError | None = None
        observer = ""
        with theirs:
            try:
                with self._run.reader(theirs.fileno(), NAME, lasting=True) as reader:
                    observer = reader.observer
                    if observer:
                        for seen in self._run.timely(reader.read()):
                            self._told.put(_Told(connection, observer, seen))
                    else:
                        lost = _lost(Reason.OBSERVED_UNKNOWN)
            except OathwardError as error:
                lost = error
        self._told.put(_Told(connection, observer, lost=lost))

    # --- storing, in the thread of whoever serves

    def _take(self, wait_s: float) -> None:
        """Take one thing that was told, if one comes; store what waited long enough."""
        with suppress(queue.Empty):
            told = self._told.get(timeout=wait_s)
            if told.seen is not None:
                self._source(told).group.append(told.seen)
            else:
                self._ended(told)
        now_us = self._run.now_us()
        for source in self._sources.values():
            if is_full(source.group) or (source.group and now_us - source.stored_us > STORED_US):
                self._store(source)

    def _source(self, told: _Told) -> _Source:
        key = (told.connection.peer, told.observer)
        if key not in self._sources and len(self._sources) >= SOURCES_MAX:
            key = ("others", told.observer)
        found = self._sources.get(key)
        if found is None:
            report = SourceReport(f"{NAME} of {key[0]}" if key[0] else NAME, "read", told.observer)
            self._run.report.sources.append(report)
            row = self._run.begin(self._run.new_source(told.observer, NAME), lambda _: "")
            found = self._sources[key] = _Source(report, row, stored_us=self._run.now_us())
        return found

    def _store(self, source: _Source) -> None:
        group, source.group = source.group, []
        source.stored_us = self._run.now_us()
        source.row = self._run.store(group, source.report, source.row)

    def _ended(self, told: _Told) -> None:
        """Note the end of a connection, and what was lost with it."""
        with self._lock:
            if told.connection in self._live:
                self._live.remove(told.connection)
        source = self._source(told) if told.observer else None
        lost = [(told.lost.reason, told.lost.where)] if told.lost is not None else []
        for reason, place in [told.connection.why, *lost] if told.connection.why else lost:
            report = source.report if source is not None else self._of_door()
            report.refused[reason.code, place] += 1
            report.why = told.lost.why if told.lost is not None else report.why
            self._say_once(told.connection, reason, place)
        now_us = self._run.now_us()
        if source is not None and now_us - source.noted_us >= NOTED_US:
            self._store(source)
            self._run.finish(source.row, source.report)
            source.noted_us = now_us

    def _of_door(self) -> SourceReport:
        """Give the report of what never came to be a source."""
        if self._door_report is None:
            self._door_report = SourceReport("connections", "read")
            self._run.report.sources.append(self._door_report)
        return self._door_report

    def _say_once(self, connection: _Connection, reason: Reason, place: str) -> None:
        key = (connection.peer, reason.code)
        if key not in self._said and len(self._said) < SOURCES_MAX:
            self._said.add(key)
            self._say(f"{connection.peer or 'a connection'}: {reason.code}, {place}; more of it is counted")


def _lost(reason: Reason) -> OathwardError:
    return OathwardError("line" if reason is Reason.OBSERVED_CUT else "connection", reason=reason)
