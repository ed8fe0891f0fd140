"""Read one source in a process of its own that can do nothing else: ``python -m oathward.discovery.worker FD``.

| parent | worker |
|---|---|
| where it stands, its name, limits; the source's file descriptor beside it | ready, who knows it, how many bytes of its head each part needs |
| from where on | what was seen, part by part; then the end |

Rules:
- Confined (``core.sandbox``) before the first byte is read: no network, no files, no other programs, bounded memory. A worker that cannot be ends.
- What it says is JSON, and flows as JSON by column behind it (``columns``): nothing that runs code when it is read.

Deliberately absent: keys, database; whether to believe it (``apart``).
"""

from __future__ import annotations

import gc
import io
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from oathward.core import frames
from oathward.core.clock import Clock, micros
from oathward.core.sandbox import confine
from oathward.discovery import reading
from oathward.discovery.columns import BESIDE_BYTES_MAX, FLOWS_MAX, packed
from oathward.discovery.model import Around, Seen
from oathward.discovery.observer import HEAD_BYTES, Observer, observer_of, observers

DATAGRAM_BYTES_MAX = 65_535
DATAGRAMS_MAX = 256
_GC_THRESHOLD = 50_000


def main(arguments: list[str]) -> int:
    """Read one source for the parent."""
    parent = socket.socket(fileno=int(arguments[0]))
    asked = frames.receive(parent, 1)
    if asked is None or len(asked[1]) != 1:
        return 1
    head, (fd,) = asked
    confine(head["memory_bytes_max"], seconds_max=head["seconds_max"])
    warm()
    around = Around(**head["around"])
    if head["datagrams"]:
        _datagrams(parent, fd, head["datagrams"], around)
        return 0
    _stream(parent, fd, head, around)
    return 0


def warm() -> None:
    """Load what reading needs, once confined: its threads are then as well; look for cycles rarely: tables of flows are large and have none."""
    import polars as pl

    observers()
    pl.DataFrame({"a": [1]}).lazy().group_by("a").agg(pl.len()).collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 20)


def _stream(parent: socket.socket, fd: int, head: Mapping[str, Any], around: Around) -> None:
    raw = _Lasting(fd, around, Clock()) if head["lasting"] else reading.Stream(fd)
    source = reading.buffered(raw)
    first, known = _first(source, around.name)
    source = reading.buffered(reading.Joined(first, source))
    if known is None:
        frames.send(parent, {"observer": "", "empty": not first})
        return
    name, observer = known
    kept = observer.header(first) if observer.header else -1
    frames.send(parent, {"observer": name, "words": observer.words, "header": kept, "empty": not first})
    told = frames.receive(parent)
    if told is None:
        return
    begin = told[0]["begin"]
    stream: io.BufferedReader[Any] = source
    lines = reading.WholeLines(source) if head["whole_lines"] and kept >= 0 else None
    if lines is not None:
        stream = reading.buffered(lines)
    if begin > kept >= 0:
        there = reading.passed(stream, begin) == begin
        stream = reading.buffered(reading.Joined(first[:kept] if there else b"", stream))
    for seen in observer.read(stream, around):
        for part in _parts(seen):
            _send(parent, part, begin - kept if begin > kept >= 0 else 0)
    frames.send(parent, {"end": True, "broken": raw.broken, "held": lines.held_bytes if lines else 0})


class _Lasting(reading.Stream):
    """A source that lasts: how late its times may be goes on with the clock of this machine, also where that is set right."""

    def __init__(self, fd: int, around: Around, clock: Clock) -> None:
        self._around, self._clock = around, clock
        self._ahead_us = around.until_us - micros(clock.now())
        super().__init__(fd)  # waits for the first bytes

    def _piece(self) -> bytes:
        data = super()._piece()
        self._around.until_us = self._ahead_us + micros(self._clock.now())
        return data


def _first(source: io.BufferedReader[Any], name: str) -> tuple[bytes, tuple[str, Observer] | None]:
    """Read how a source begins, until somebody knows it or its first line is whole: of a connection it may come in pieces."""
    first, known = b"", None
    while known is None and b"\n" not in first and len(first) < HEAD_BYTES:
        more = source.read1(HEAD_BYTES - len(first))
        if not more:
            break
        first += more
        known = observer_of(first, name)
    return first, known


def _datagrams(parent: socket.socket, fd: int, name: str, around: Around) -> None:
    """Read datagrams until the socket is shut down; each by the observer that was named."""
    observer = observers()[name]
    assert observer.datagram is not None
    frames.send(parent, {"observer": name, "words": observer.words, "header": -1, "empty": False})
    frames.receive(parent)
    door = socket.socket(fileno=fd)
    while (told := frames.receive(parent)) is not None:  # at which time: this process asks no clock
        for part in _parts(_drained(door, observer.datagram, told[0]["at_us"], told[0]["wait_s"], around)):
            _send(parent, part, 0)
        if told[0]["last"]:
            for part in _parts(observer.datagram(b"", "", 0, around)):  # what waits for more of it
                _send(parent, part, 0)
        frames.send(parent, {"next": True})


def _drained(
    door: socket.socket,
    read: Callable[[bytes, str, int, Around], Seen],
    at_us: int,
    wait_s: float,
    around: Around,
) -> Seen:
    """Read the datagrams that are there, at most ``DATAGRAMS_MAX``; waits for the first."""
    import polars as pl

    seen, flows = Seen(), list[pl.DataFrame]()
    door.settimeout(wait_s)
    with suppress(TimeoutError, BlockingIOError):
        for _ in range(DATAGRAMS_MAX):
            data, peer, *_ = door.recvfrom(DATAGRAM_BYTES_MAX)
            door.settimeout(0)
            some = read(data, str(peer[0]), at_us, around)
            seen.statements += some.statements
            seen.clear += some.clear
            seen.refused.update(some.refused)
            if some.flows is not None:
                flows.append(some.flows)
    seen.flows = pl.concat(flows) if flows else None
    return seen


def _parts(seen: Seen) -> Iterator[Seen]:
    """Cut what was seen so that a frame stays bounded; the offset goes with the last."""
    flows = seen.flows
    if flows is None or flows.height <= FLOWS_MAX:
        yield seen
        return
    for start in range(0, flows.height - FLOWS_MAX, FLOWS_MAX):
        yield Seen(flows=flows.slice(start, FLOWS_MAX))
    last = flows.slice((flows.height - 1) // FLOWS_MAX * FLOWS_MAX)
    yield Seen(seen.statements, last, seen.clear, seen.refused, seen.offset)


def _send(parent: socket.socket, seen: Seen, behind: int, bytes_max: int = BESIDE_BYTES_MAX) -> None:
    """Send one part, or several where what it says beside flows is more than one may.

    Args:
        behind: how much more of the source was passed over than its observer saw. bytes_max: of a head.

    Raises:
        OverflowError: one statement alone is more.
    """
    try:
        _send_one(parent, seen, behind, bytes_max)
    except OverflowError:
        cut, clear = len(seen.statements) // 2, len(seen.clear) // 2
        if not (cut or clear):
            raise
        first = Seen(statements=seen.statements[:cut], clear=seen.clear[:clear])
        _send(parent, first, behind, bytes_max)
        rest = Seen(seen.statements[cut:], seen.flows, seen.clear[clear:], seen.refused, seen.offset)
        _send(parent, rest, behind, bytes_max)


def _send_one(parent: socket.socket, seen: Seen, behind: int, bytes_max: int) -> None:
    data = packed(seen.flows) if seen.flows is not None and seen.flows.height else b""
    frames.send(
        parent,
        {
            "statements": [
                [s.at_us, s.source, s.realm, s.segment, _lists(s.marks), _lists(s.facts), _lists(s.behind)]
                for s in seen.statements
            ],
            "clear": [[*one[:-1], dict(one.classes)] for one in seen.clear],
            "refused": [[reason.code, place, n] for (reason, place), n in seen.refused.items()],
            "offset": seen.offset + behind if seen.offset >= 0 else -1,
            "flows": len(data),
        },
        bytes_max=bytes_max,
    )
    if data:
        parent.sendall(data)


def _lists(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Give rows as JSON has them."""
    return [list(row) for row in rows]


def _ended(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    """Tell where a bug is, and not what it was about: an error's words often hold what was read."""
    where = ""
    while trace is not None:
        where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    os.write(2, f"oathward observe: a reader ended by {kind.__name__}{where}\n".encode())


if __name__ == "__main__":
    sys.excepthook = _ended
    sys.exit(main(sys.argv[1:]))
