"""One run over sources: each found, told by how it begins, read apart, and stored group by group."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.discovery import reading
from oathward.discovery.apart import Reader, ReaderError
from oathward.discovery.model import Around, Seen
from oathward.discovery.totals import says_more
from oathward.network import actions, segments
from oathward.network import views as network
from oathward.network.model import ObservedSource
from oathward.network.plan import Plan
from oathward.observing import keeping
from oathward.observing.parts import SINCE_US, is_full, leave_out, says_something, span
from oathward.observing.report import Report, SourceReport
from oathward.observing.storing import Endpoints, Groups

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

DAY_US = 86_400_000_000
AHEAD_US = DAY_US
"""So far ahead of this machine's clock a sensor's may be."""
NEVER_US = 2**62
LASTING_S = 30_000_000.0
"""A source that lasts may be silent for a year."""
FOLLOWED_US = 60_000_000
"""A file that was written to within so long may still be written to: its last line is read once it is whole."""


@dataclass(slots=True)
class Run:
    """One run over sources.

    Args:
        realm: of their addresses. segment: where their sensor stands. dry: nothing is stored.
        told: called as it goes: name, bytes read, bytes in all (-1: not known).
    """

    site: Opened
    realm: str
    endpoints: Endpoints
    segment: str = ""
    dry: bool = False
    told: Callable[[str, int, int], None] = lambda *_: None
    report: Report = field(default_factory=Report)
    _groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        """Read the plan."""
        with read(self.site.engine) as db:
            self._groups = Groups(self.site, self.endpoints, network.plan(db, self.site.site))

    @property
    def plan(self) -> Plan:
        """The plan of addresses, as it was when the run began."""
        return self._groups.plan

    def now_us(self) -> int:
        """Give the time."""
        return micros(self.site.clock.now())

    def paths(self, paths: Sequence[str]) -> Report:
        """Read files and folders.

        Raises:
            InputError: a path that is not there. StorageError, OSError: what was stored before stays.
        """
        for one in reading.found(paths):
            if isinstance(one, reading.Skipped):
                self.report.sources.append(SourceReport(one.name, "skipped", why=one.what))
            else:
                self.report.sources.append(self._file(one))
        self.tidy()
        return self.report

    def stream(self, fd: int, name: str) -> SourceReport:
        """Read what comes through a pipe or a connection until its end, silent as it may be; nothing of it is remembered as read before."""
        found = SourceReport(name, "read")
        self.report.sources.append(found)
        self._guarded(found, lambda: self._read(fd, found, None, -1, whole_lines=False, lasting=True))
        return found

    def datagrams(self, fd: int, name: str, observer: str, until: Callable[[], bool]) -> SourceReport:
        """Read what datagrams say until ``until``, which is asked twice a second; a group is stored after a minute at most.

        A reader that is lost is counted, and another goes on: who can send a datagram that ends one shall not end the listening.
        So are datagrams that came faster than they were read.
        """
        found = SourceReport(name, "read", observer)
        self.report.sources.append(found)
        begun = False
        while not (begun and until()):  # what came before it was asked to stop is read
            begun = True
            try:
                with self.reader(fd, name, datagrams=observer) as reader:
                    seens = self.timely(reader.datagrams(self.now_us, 0.5, until))
                    row = self.begin(self.new_source(observer, name), lambda _: "")
                    self._store_all(seens, found, row, timed=True)
            except ReaderError as error:
                found.why = error.why
                found.refused[error.reason.code, "source"] += 1
        if unread := reading.lost(fd):
            found.refused[Reason.OBSERVED_FULL.code, "datagram"] += unread
        return found

    def tidy(self) -> None:
        """Keep house, where anything was stored."""
        if not self.dry:
            keeping.tidy(self.site, sorted(self._groups.days))
            self._groups.days.clear()

    def _file(self, one: reading.Found) -> SourceReport:
        found = SourceReport(one.name, "read", named=one.named or one.path == reading.STDIN)
        self._groups.counted_beside = reading.is_counted_beside(one)
        if one.path == reading.STDIN:
            self._guarded(found, lambda: self._read(0, found, None, -1, whole_lines=False))
            return found
        try:
            fd = reading.opened(one)
        except OSError as error:
            found.state, found.why = "failed", f"cannot be read: {error.strerror}"
            found.refused[Reason.OBSERVED_READER.code, "source"] += 1
            return found
        try:
            state = os.fstat(fd)
            fresh = one.size_bytes >= 0 and state.st_mtime_ns // 1_000 > self.now_us() - FOLLOWED_US
            head = reading.head_of(fd) if one.size_bytes >= 0 else b""
            if one.size_bytes >= 0 and not state.st_size:
                found.state = "empty"
            elif head and (known := self._known_whole(found.name, fd, state)):
                found.state, found.observer = "known", known.observer
            else:
                self._guarded(
                    found,
                    lambda: self._read(fd, found, state if head else None, one.size_bytes, whole_lines=fresh),
                )
        finally:
            os.close(fd)
        return found

    def _known_whole(self, name: str, fd: int, state: os.stat_result) -> ObservedSource | None:
        """Give a file as it was read before, where all of it was read and it is as long as then: no process is started for it."""
        head = reading.head_of(fd, reading.IDENTITY_BYTES)
        row = _identified(self.new_source("", name), head, state)
        with read(self.site.engine) as db:
            known = actions.known_source(db, self.site.site, row, lambda length: reading.digest(head, length))
        return known if known is not None and known.finished and known.size_bytes == state.st_size else None

    def _guarded(self, found: SourceReport, work: Callable[[], None]) -> None:
        """Have one source read; one whose reader is lost is told, and the next is read."""
        try:
            work()
        except OathwardError as error:
            if error.reason not in {Reason.OBSERVED_READER, Reason.CONFLICT}:
                raise
            found.state, found.why = "failed", error.why
            found.refused[error.reason.code, "source"] += 1

    def _read(
        self,
        fd: int,
        found: SourceReport,
        state: os.stat_result | None,
        size: int,
        *,
        whole_lines: bool,
        lasting: bool = False,
    ) -> None:
        with self.reader(fd, found.name, whole_lines=whole_lines, lasting=lasting) as reader:
            if not reader.observer:
                found.state = "empty" if reader.empty else "unknown"
                return
            found.observer = reader.observer
            head = reading.head_of(fd, reading.IDENTITY_BYTES) if state else b""
            new = _identified(self.new_source(reader.observer, found.name), head, state)
            row = self.begin(new, lambda length: reading.digest(head, length))
            grows = reader.header >= 0
            if row.finished and state and not grows:
                if row.offset < size and not head_packed(fd):
                    found.state = "grown"
                    found.why = "it was read when it was shorter, and can only be read whole"
                else:
                    self._note(replace(row, size_bytes=state.st_size), found)
                return
            if grows and state and 0 <= size < row.offset and not head_packed(fd):
                found.why = "it is shorter than when it was read: what it has anew is read once it is longer"
            before = row.offset if grows else row.parts
            begin = row.offset if grows else 0
            seens = self._watched(self.timely(reader.read(begin)), found.name, size)
            skip = 0 if grows else row.parts
            if grows:
                seens = (one for one in seens if says_something(one, row.offset))
            row = self._store_all(seens, found, row, skip=skip, timed=lasting)
            found.held_bytes = reader.held_bytes
            whole = state is not None and not reader.held_bytes and not found.why
            row = replace(row, size_bytes=state.st_size if state is not None and whole else -1)
            if reader.broken:
                found.refused[Reason.OBSERVED_CUT.code, "file"] += 1
            if (
                state
                and not found.flows + found.sessions + found.statements
                and (row.offset if grows else row.parts) == before
            ):
                self._note(row, found)
                return
            self.finish(row, found)

    def _note(self, row: ObservedSource, found: SourceReport) -> None:
        """Note that nothing was new in a source; on record only where the run that read it did not come to that."""
        found.state = "known"
        if not row.finished and row.size_bytes >= 0:
            self.finish(row, found)
        elif row.finished and not self.dry:
            with write(self.site.engine) as db:
                actions.note_source(db, self.site.site, row)

    def _watched(self, seens: Iterable[Seen], name: str, size: int) -> Iterator[Seen]:
        for seen in seens:
            yield seen
            self.told(name, seen.offset, size)

    def timely(self, seens: Iterable[Seen]) -> Iterator[Seen]:
        """Leave out what says that it comes from the future, whatever its reader thinks of it."""
        for seen in seens:
            if late := leave_out(seen, self.now_us() + AHEAD_US):
                seen.refused[Reason.OBSERVED_TIME, "time"] += late
            yield seen

    def reader(
        self, fd: int, name: str, *, datagrams: str = "", whole_lines: bool = False, lasting: bool = False
    ) -> Reader:
        """Start a reader of a source. ``lasting``: silent as it may be."""
        kept = self.site.settings.network
        until_us = NEVER_US if datagrams else self.now_us() + AHEAD_US
        around = Around(
            realm=self.realm, segment=self.segment, name=Path(name).name, from_us=SINCE_US, until_us=until_us
        )
        return Reader(
            fd,
            around,
            memory_bytes_max=kept.memory_bytes_max,
            silence_s_max=LASTING_S if lasting else kept.silence_s_max,
            datagrams=datagrams,
            whole_lines=whole_lines,
            lasting=lasting,
        )

    def new_source(self, observer: str, name: str) -> ObservedSource:
        """Give a source of which nothing was read yet."""
        return ObservedSource(
            id="",
            observer=observer,
            name=name,
            realm=self.realm,
            segment=self.segment,
            device=0,
            inode=0,
            head_bytes=0,
            head_sha256="",
            offset=0,
            parts=0,
            flows=0,
            statements=0,
            refused=0,
            first_us=0,
            last_us=0,
            updated_us=self.now_us(),
            finished=False,
        )

    def begin(self, row: ObservedSource, prefix: Callable[[int], str]) -> ObservedSource:
        """Find how far a source was read, and remove what was written of it behind that. ``prefix``: as ``network.actions.begin_source``."""
        if self.dry:
            with read(self.site.engine) as db:
                return actions.known_source(db, self.site.site, row, prefix) or row
        with write(self.site.engine) as db:
            found = actions.begin_source(db, self.site.site, row, prefix)
        segments.forget_behind(self.site.settings.data, found.id, found.parts)
        return found

    def _store_all(
        self,
        seens: Iterable[Seen],
        found: SourceReport,
        row: ObservedSource,
        *,
        skip: int = 0,
        timed: bool = False,
    ) -> ObservedSource:
        """Store what is seen, group by group; gives the source as it was left."""
        group, begun_us = list[Seen](), self.now_us()
        try:
            for number, seen in enumerate(seens):
                if number < skip:
                    continue
                group.append(seen)
                if is_full(group) or (timed and self.now_us() - begun_us > 60_000_000):
                    row = self.store(group, found, row)
                    group, begun_us = [], self.now_us()
        except ReaderError:  # what it told before it was lost is whole
            self.store(group, found, row)
            raise
        return self.store(group, found, row)

    def store(self, group: Sequence[Seen], found: SourceReport, row: ObservedSource) -> ObservedSource:
        """Store a group; gives the source as it was left."""
        import polars as pl

        if not group:
            return row
        frames = [one.flows for one in group if one.flows is not None and one.flows.height]
        flows = pl.concat(frames, rechunk=False) if frames else None
        statements = [said for one in group for said in one.statements]
        clear = [said for one in group for said in one.clear]
        for one in group:
            found.refused.update({(reason.code, place): n for (reason, place), n in one.refused.items()})
        first, last = span(flows, statements)
        count = flows.height if flows is not None else 0
        more = flows.filter(says_more()).height if flows is not None else 0
        found.flows += count - more
        found.sessions += more
        found.statements += len(statements)
        found.first_us = min(filter(None, (found.first_us, first)), default=0)
        found.last_us = max(found.last_us, last)
        for said in clear:
            self.report.clear.update(said.classes)
        now = replace(
            row,
            offset=max([row.offset, *(one.offset for one in group)]),
            parts=row.parts + len(group),
            flows=row.flows + count - more,
            sessions=row.sessions + more,
            statements=row.statements + len(statements),
            refused=row.refused + sum(sum(one.refused.values()) for one in group),
            first_us=min(filter(None, (row.first_us, first)), default=0),
            last_us=max(row.last_us, last),
            updated_us=self.now_us(),
            finished=False,
        )
        if not self.dry:
            self._groups.keep(flows, statements, clear, row, now)
        return now

    def finish(self, row: ObservedSource, found: SourceReport) -> None:
        """Note that a source was read to its end, on record."""
        if not self.dry:
            by_reason = Counter[str]()
            for (code, _), n in found.refused.items():
                by_reason[code] += n
            with write(self.site.engine) as db:
                actions.end_source(db, self.site.site, row, by_reason)


def head_packed(fd: int) -> bool:
    """Say whether a file is packed: its size says nothing then."""
    return os.pread(fd, 3, 0) == b"\x1f\x8b\x08"


def _identified(row: ObservedSource, head: bytes, state: os.stat_result | None) -> ObservedSource:
    """Note where a source lies and how it begins; nothing of what is no file."""
    if state is None:
        return row
    digest = reading.digest(head, len(head))
    return replace(row, device=state.st_dev, inode=state.st_ino, head_bytes=len(head), head_sha256=digest)
