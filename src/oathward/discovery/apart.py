"""A source read in a process of its own (``worker``), as its parent sees it: started, asked, believed as far as a stranger.

Rules:
- The worker has a file descriptor of the source and nothing else of ours; it is ended with the source, or where it is silent for too long.
- What it says is checked: kinds, lengths, printable names, columns and their types; and that it speaks of its own realm, and of nothing that
  only the site's lists or the gateway may say. What does not hold ends it (``ReaderError``).
- No byte of what it writes of errors is shown.

Deliberately absent: what becomes of what was seen.
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from oathward.core import frames, workers
from oathward.core.errors import OathwardError
from oathward.core.labels import CLASSES
from oathward.core.parsing import used_up
from oathward.core.reasons import Reason
from oathward.core.sandbox import SandboxError
from oathward.discovery.columns import BESIDE_BYTES_MAX, FLOWS_BYTES_MAX, unpacked
from oathward.discovery.model import (
    FLOW_COLUMNS,
    VALUE_LENGTH_MAX,
    Around,
    Clear,
    Fact,
    Mark,
    MarkKind,
    Seen,
    Statement,
)
from oathward.discovery.totals import COUNT_MAX
from oathward.discovery.values import printable

if TYPE_CHECKING:
    import polars as pl

START_S_MAX = 60.0
THREADS_MAX = 64
"""Polars begins some as it reads, so that none can be refused; whoever has more is ended with the next word."""
TIME_S_MAX, SLOWEST_BYTES_S = 3_600, 64 << 10
"""A file is waited for so long, and a second longer for each so many bytes of it, packed as they may be."""
_PLACE_LENGTH_MAX = 64
_SOON_S = 1e-3
_MARKS_MAX = 64
_REASONS = {reason.code: reason for reason in Reason}
_KINDS = {kind.value: kind for kind in MarkKind if kind not in {MarkKind.DEVICE, MarkKind.TAG}}
"""What a sensor may say: who a declared device is says the gateway, and the site's own number a list."""
SENSORS = frozenset({"dhcp", "netflow", "pcap", "radius", "suricata", "zeek"})
"""How the source of all that an observer says begins; others are lists, people and the gateway, who are believed more."""
_NO_SENSORS = frozenset(
    {
        *("care", "care-from", "consequence", "criticality", "last-maintenance", "lifecycle", "name"),
        *("next-maintenance", "owner", "site", "steward", "stores-phi", "tag", "type-reason"),
    }
)
"""Attributes that only lists, people and this program itself say."""
_COUNTS = ("client_bytes", "server_bytes", "client_packets", "server_packets")
_TIME_MAX = 2**62


class ReaderError(OathwardError):
    """The process that read a source ended, hung, or said what cannot be."""

    default_reason = Reason.OBSERVED_READER


class Reader:
    """One source, read by a worker; as a context.

    Args:
        fd: of the source, readable; stays ours. around: what its observer must know. memory_bytes_max: address space of the worker.
        silence_s_max: a source that says nothing for so long is given up; so is a file that takes longer than ``TIME_S_MAX`` says. datagrams: the observer of a socket of datagrams; empty for streams.
        whole_lines: hold back what has no line end yet. lasting: ``around.until_us`` is of now, and goes on with the time.

    Attributes:
        observer: who reads it; empty where nobody knows it. header: of ``Observer``; -1 where it is read whole or not at all.
        broken: its packed bytes ended early. held_bytes: behind its last whole line.

    Raises:
        SandboxError: no worker could be started, or confined. ReaderError: it ended.
    """

    def __init__(
        self,
        fd: int,
        around: Around,
        *,
        memory_bytes_max: int,
        silence_s_max: float,
        datagrams: str = "",
        whole_lines: bool = False,
        lasting: bool = False,
    ) -> None:
        self._silence_s, self._realm = silence_s_max, around.realm
        seconds = None if lasting or datagrams else _seconds(fd)
        self._begun = {
            "around": {name: getattr(around, name) for name in Around.__slots__},
            "datagrams": datagrams,
            "memory_bytes_max": memory_bytes_max,
            "whole_lines": whole_lines,
            "lasting": lasting,
            "seconds_max": None if seconds is None else seconds + int(START_S_MAX),
        }
        self.broken, self.held_bytes = False, 0
        self._left_s = math.inf
        self._start(fd)
        if seconds is not None:
            self._left_s = seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def read(self, begin: int = 0) -> Iterator[Seen]:
        """Give what is seen, part by part.

        Args:
            begin: bytes that were read before, unpacked; only where ``header`` is not -1.

        Raises:
            ReaderError: the worker ended before its source, was silent for too long, or said what cannot be.
        """
        self._send({"begin": begin})
        while True:
            head = self._receive(self._silence_s)
            if head.get("end") is True:
                self.broken, self.held_bytes = head.get("broken") is True, _count(head.get("held"))
                return
            yield self._seen(head)

    def datagrams(
        self, now_us: Callable[[], int], wait_s: float, until: Callable[[], bool]
    ) -> Iterator[Seen]:
        """Give what datagrams say, until ``until`` says so, and then what waited for more; an empty ``Seen`` where none came for ``wait_s``.

        Args:
            now_us: the time, for what says none itself.
        """
        self._send({})
        last = False
        while not last:
            last = until()
            self._send({"at_us": now_us(), "wait_s": 0.0 if last else wait_s, "last": last})
            while (head := self._receive(wait_s + START_S_MAX)).get("next") is not True:
                yield self._seen(head)

    def end(self) -> None:
        """End the worker."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _start(self, fd: int) -> None:
        # One thread: the other core is the parent's.
        self._process, ours = workers.start(
            "oathward.discovery.worker", POLARS_MAX_THREADS="1", OPENBLAS_NUM_THREADS="1"
        )
        self._socket = ours
        try:
            frames.send(ours, self._begun, [fd])
            head = self._receive(max(START_S_MAX, self._silence_s))  # a pipe may say its first byte late
        except (OSError, ReaderError) as error:
            self.end()
            raise SandboxError("a reader did not start, or could not be confined") from error
        observer = head.get("observer")
        self.observer = observer if isinstance(observer, str) and observer.isidentifier() else ""
        self.empty = head.get("empty") is True
        header = head.get("header", -1)
        self.header = header if isinstance(header, int) and 0 <= header <= frames.HEAD_BYTES_MAX else -1

    def _send(self, head: dict[str, Any]) -> None:
        try:
            frames.send(self._socket, head)
        except OSError as error:
            raise ReaderError("source", "what read it ended") from error

    def _receive(self, time_s: float) -> dict[str, Any]:
        begun_s, able_s = time.monotonic(), max(min(time_s, self._left_s), _SOON_S)
        try:
            self._socket.settimeout(able_s)
            got = frames.receive(self._socket, time_s=able_s, bytes_max=BESIDE_BYTES_MAX)
        except TimeoutError as error:
            if able_s < time_s:
                raise _too_long() from error
            raise ReaderError("source", f"nothing came of it for {time_s:g} s") from error
        except OSError as error:
            raise ReaderError("source", "what read it ended") from error
        self._left_s -= time.monotonic() - begun_s
        if got is None:
            raise _too_long() if used_up(self._process) else ReaderError("source", "what read it ended")
        if self._left_s < 0:
            raise _too_long()
        if _threads(self._process.pid) > THREADS_MAX:
            raise ReaderError("source", "what read it has too many threads", reason=Reason.LIMIT_EXCEEDED)
        return got[0]

    def _seen(self, head: Mapping[str, Any]) -> Seen:
        """Read one part as a stranger's word."""
        try:
            size = _count(head["flows"])
            data = self._bytes(size) if size <= FLOWS_BYTES_MAX else b""
            seen = Seen(
                [_statement(one) for one in head["statements"]],
                None,
                [_clear(one) for one in head["clear"]],
                _refused(head["refused"]),
                min(head["offset"], _TIME_MAX) if isinstance(head["offset"], int) else -1,
            )
            if size:
                seen.flows, odd = _frame(data)
                seen.refused.update({(Reason.OBSERVED_BROKEN, "field"): odd} if odd else {})
            if _realms(seen) - {self._realm, _text(self._realm)}:
                raise ValueError("realm")
            if {one.partition(".")[0] for one in _sources(seen)} - SENSORS:
                raise ValueError("source")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ReaderError("source", "what read it said what cannot be") from error
        return seen

    def _bytes(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                some = self._socket.recv(min(size - len(data), 1 << 20))
            except OSError as error:
                raise ReaderError("source", "what read it ended") from error
            if not some:
                raise ReaderError("source", "what read it ended")
            data += some
        return bytes(data)


def _seconds(fd: int) -> int | None:
    """Say how long a source may be waited for; None where it is no file: a pipe or a connection may last."""
    state = os.fstat(fd)
    return TIME_S_MAX + state.st_size // SLOWEST_BYTES_S if stat.S_ISREG(state.st_mode) else None


def _threads(pid: int) -> int:
    """Count the threads of a process; 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(status.partition("\nThreads:")[2].split(maxsplit=1)[0])


def _too_long() -> ReaderError:
    return ReaderError("source", "takes longer to read than it may", reason=Reason.LIMIT_EXCEEDED)


def _realms(seen: Seen) -> set[str]:
    """Name the realms that a part speaks of."""
    flows = seen.flows["realm"].unique().to_list() if seen.flows is not None else []
    return {one.realm for one in seen.statements} | {one.realm for one in seen.clear} | set(flows)


def _sources(seen: Seen) -> set[str]:
    """Name the sources that a part gives; a flow needs none."""
    flows = seen.flows["source"].unique().to_list() if seen.flows is not None else []
    return {one.source for one in seen.statements} | (set(flows) - {""})


def _statement(row: Sequence[Any]) -> Statement:
    at_us, source, realm, segment, marks, facts, behind = row
    told = tuple(Fact(_text(name), _text(value), _share(sure)) for name, value, sure in facts[:_MARKS_MAX])
    found = Statement(
        _time(at_us), _text(source), _text(realm), _marks(marks), told, _text(segment), _marks(behind)
    )
    if not found.marks or any(fact.attribute in _NO_SENSORS for fact in told):
        raise ValueError("marks or facts")
    return found


def _marks(rows: Sequence[Any]) -> tuple[Mark, ...]:
    return tuple(Mark(_KINDS[kind], _text(value)) for kind, value in rows[:_MARKS_MAX])


def _clear(row: Sequence[Any]) -> Clear:
    at_us, realm, client, server, transport, port, service, classes = row
    known = {cls: _count(n) for cls, n in classes.items() if cls in CLASSES}
    return Clear(
        *(_time(at_us), _text(realm), _text(client), _text(server), _text(transport)),
        *(_count(port) & 0xFFFF, _text(service), known),
    )


def _refused(rows: Sequence[Any]) -> Counter[tuple[Reason, str]]:
    return Counter({(_REASONS[code], _text(place)[:_PLACE_LENGTH_MAX]): _count(n) for code, place, n in rows})


def _frame(data: bytes) -> tuple[pl.DataFrame, int]:
    """Read flows; gives those that can be kept, and how many cannot: texts too long or not printable, without a time.

    Raises:
        ValueError: as ``columns.unpacked`` says.
    """
    import polars as pl

    frame = unpacked(data)
    texts = [name for name, kind in FLOW_COLUMNS.items() if kind == "String"]
    long = pl.any_horizontal(pl.col(texts).str.len_bytes() > VALUE_LENGTH_MAX * 4)
    odd = pl.any_horizontal(pl.col(texts).str.contains(r"\p{C}"))
    timed = pl.col("start_us").is_between(0, _TIME_MAX) & pl.col("end_us").is_between(0, _TIME_MAX).fill_null(
        value=True
    )
    fine = frame.filter(~(long | odd).fill_null(value=False) & timed)
    kept = fine.with_columns(pl.col(texts).fill_null(""), pl.col(_COUNTS).clip(0, COUNT_MAX))
    return kept, frame.height - fine.height


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value if len(value) <= VALUE_LENGTH_MAX and value.isprintable() else printable(value)


def _time(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= _TIME_MAX:
        raise ValueError("time")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("count")
    return min(value, _TIME_MAX)


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("confidence")
    return float(value)
