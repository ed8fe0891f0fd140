r"""Zeek's logs: tab-separated with their header or JSON, plain or gzip, one log a file or all in one stream.

Rules:
- Which log it is says its header (``#path``), a record's ``_path``, the file's name, or the fields of a record, in that order.
- ``#fields`` says which column is what, whatever their order; what a log lacks is empty, what it has beyond is not read.
- ``conn`` goes a block at a time (``logs.zeek_conn``); where a block is not all as it should be, its lines go one by one: a bad line costs one.
- A line without its end is taken where it is whole JSON; else it is counted as cut, and what was read ends before it.

Source: Zeek, ``base/frameworks/logging/writers/ascii`` (header, separator, unset and empty fields, ``\xNN``; JSON).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO

from oathward.core.reasons import Reason
from oathward.discovery.logs import zeek_conn
from oathward.discovery.logs.blocks import Block, blocks, plain_head
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.logs.pairs import Pairs
from oathward.discovery.logs.records import Record, moment, raw, record_of
from oathward.discovery.logs.sessions import Sessions
from oathward.discovery.logs.tsv import Header
from oathward.discovery.logs.zeek_logs import LOGS, PASSED_OVER, log_of
from oathward.discovery.model import Around, Seen
from oathward.discovery.observer import Observer, comment_lines

if TYPE_CHECKING:
    import polars as pl

_CONN_PATH = re.compile(rb'"_path"\s*:\s*"conn"')
_NAME = re.compile(r"(?:.*[/\\])?(?:zeek[-_])?([a-z0-9_]+?)(?:[.\-:].*)?")


def _knows(head: bytes, name: str) -> bool:
    head = plain_head(head).lstrip()
    if head.startswith((b"#separator", b"#set_separator", b"#fields", b"#path")):
        return True
    if not head.startswith(b"{"):
        return False
    record = record_of(head.split(b"\n", 1)[0])
    if record is None or "ts" not in record:
        return False
    said = raw(record, "_path")
    return said in LOGS or said in PASSED_OVER or _log_of_name(name) != "" or log_of(record) != ""


def _log_of_name(name: str) -> str:
    found = _NAME.fullmatch(name.lower())
    log = found.group(1) if found else ""
    return log if log in LOGS or log in PASSED_OVER else ""


def _read(stream: BinaryIO, around: Around) -> Iterator[Seen]:
    source = _Zeek(around)
    offset = 0
    for block in blocks(stream, source.gathered.refused):
        for offset in source.take(block):
            if source.gathered.is_something:
                yield source.gathered.part(offset)
    source.sessions.end()
    yield source.gathered.part(offset)


class _Zeek:
    """One source while it is read."""

    def __init__(self, around: Around) -> None:
        self.gathered = Gathered(around)
        self.sessions = Sessions(self.gathered, "zeek.ssl")
        self.pairs = Pairs(self.gathered, "zeek.conn")
        self.header: Header | None = None
        self._named = _log_of_name(around.name)

    def take(self, block: Block) -> Iterator[int]:
        """Take a block's lines; gives how far the source was read, now and then."""
        if block.whole and self._at_once(block.data):
            yield block.offset
        else:
            for part in block.parts():
                yield part.offset if part.whole and self._at_once(part.data) else self._part(part)

    def _part(self, part: Block) -> int:
        done = part.offset
        for sort, data in _runs(part.data) if part.whole else [(_sort(part.data), part.data)]:
            if sort == b"#":
                for line in data.split(b"\n"):
                    self._headed(line)
            elif sort == b"{":
                done -= self._json(data, whole=part.whole)
            elif part.whole:
                self._tsv(data)
            else:
                self.gathered.refuse(Reason.OBSERVED_CUT, "line")
                done -= len(data)
        return done

    def _at_once(self, data: bytes) -> bool:
        """Take a block that is connections and nothing else, as nearly all of them are; False, and nothing is taken, where it is not."""
        frame = None
        if data.startswith(b"{"):
            first = record_of(data.split(b"\n", 1)[0]) or {}
            if (first.get("_path") or self._named or log_of(first)) == "conn":
                names = {
                    name: other
                    for name in zeek_conn.RAW
                    if (other := name.replace(".", "_")) != name and other in first
                }
                frame = zeek_conn.read_json(data, names)
        elif (
            self.header is not None
            and not data.startswith(b"#")
            and (self.header.path or self._named) == "conn"
        ):
            frame = self._rows(data, self.header)
        if frame is not None:
            self._flows(frame)
        return frame is not None

    def _rows(self, data: bytes, header: Header) -> pl.DataFrame | None:
        fields = [str(field) for field in header.fields]
        names = {
            name: other
            for name in zeek_conn.RAW
            if (other := name.replace(".", "_")) != name and other in fields
        }
        return zeek_conn.read_tsv(data, fields, names, header.separator, (header.unset, header.empty))

    def _headed(self, line: bytes) -> None:
        if line.startswith(b"#separator") or self.header is None:
            self.header = Header()
        self.header = self.header.told(line)

    # --- JSON

    def _json(self, data: bytes, *, whole: bool) -> int:
        """Take lines of JSON; gives how many bytes of a last line without its end were not taken."""
        if not whole and record_of(data) is None:
            self.gathered.refuse(Reason.OBSERVED_CUT, "line")
            return len(data)
        lines = [line for line in data.split(b"\n") if line.strip()]
        of_conn = [line for line in lines if _CONN_PATH.search(line)]
        self._lines(
            line for line in lines if not of_conn or not _CONN_PATH.search(line)
        )  # first: a flow finds what another log says of it
        if of_conn and not self._at_once(b"\n".join(of_conn) + b"\n"):
            self._lines(of_conn)
        return 0

    def _lines(self, lines: Iterable[bytes]) -> None:
        """Take records line by line, each by what it is."""
        of_conn = []
        for line in lines:
            record = record_of(line)
            if record is None:
                self.gathered.refuse(Reason.OBSERVED_BROKEN, "line")
                continue
            said = record.get("_path")
            log = said if isinstance(said, str) else self._named or log_of(record)
            if log == "conn":
                of_conn.append(record)
            else:
                self._record(log, record)
        if of_conn:
            self._flows(zeek_conn.rows(of_conn, self.gathered))

    # --- tab-separated

    def _tsv(self, data: bytes) -> None:
        header = self.header
        log = (header.path if header else "") or self._named
        lines = data.count(b"\n")
        if header is None or not header.fields:
            self.gathered.refuse(Reason.OBSERVED_COLUMNS, "header", lines)
        elif log in PASSED_OVER:
            return
        elif log not in LOGS:
            self.gathered.refuse(Reason.OBSERVED_UNKNOWN, "record", lines)
        elif log == "conn":
            self._conn_tsv(data, header)
        else:
            for record in header.records(data, self.gathered):
                self._record(log, record)

    def _conn_tsv(self, data: bytes, header: Header) -> None:
        if any(
            name not in header.fields and name.replace(".", "_") not in header.fields
            for name in zeek_conn.NEEDED
        ):
            self.gathered.refuse(Reason.OBSERVED_COLUMNS, "conn", data.count(b"\n"))
            return
        frame = self._rows(data, header)
        self._flows(
            zeek_conn.rows(list(header.records(data, self.gathered)), self.gathered)
            if frame is None
            else frame
        )

    # --- what was read

    def _record(self, log: str, record: Record) -> None:
        if log in PASSED_OVER:
            return
        if log not in LOGS:
            self.gathered.refuse(Reason.OBSERVED_UNKNOWN, "record")
            return
        at_us = moment(record.get("ts"))
        if at_us is None:
            self.gathered.refuse(Reason.OBSERVED_BROKEN, "ts")
        else:
            LOGS[log].take(record, at_us, self.gathered, self.sessions)

    def _flows(self, frame: pl.DataFrame) -> None:
        flows = zeek_conn.flows(self.sessions.given_to(frame), self.gathered)
        self.gathered.flows(flows)
        self.pairs.take(flows)


def _runs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Cut a block where header, JSON and rows of columns follow each other; each run with the sign of its sort."""
    for sort, lines in groupby(data.split(b"\n"), key=_sort):
        if sort != b" ":
            yield sort, b"\n".join(lines) + b"\n"


def _sort(line: bytes) -> bytes:
    begin = line.lstrip()[:1]
    return begin if begin in (b"{", b"#") else b"" if begin else b" "


OBSERVER = Observer(words="Zeek logs (TSV or JSON)", knows=_knows, read=_read, header=comment_lines, order=20)
