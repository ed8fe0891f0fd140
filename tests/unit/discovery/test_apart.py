"""Promises about reading apart: the reader can do nothing else, its word is checked, its end is told."""

import io
import json
import math
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from oathward.core import frames
from oathward.core.clock import Clock
from oathward.core.reasons import Reason
from oathward.discovery import apart, reading, worker
from oathward.discovery.apart import Reader, ReaderError
from oathward.discovery.columns import FLOWS_BYTES_MAX, FLOWS_MAX, packed
from oathward.discovery.model import FLOW_COLUMNS, Around, Clear, Fact, Mark, MarkKind, Seen, Statement
from oathward.discovery.observer import observers
from oathward.endpoints.attributes import ATTRIBUTES, INFERRED, PERSON
from oathward.endpoints.noting import LISTS
from oathward.observing.own import SOURCE as OWN

AROUND = Around(realm="r", name="conn.log")
LIMITS = {"memory_bytes_max": 1_610_612_736, "silence_s_max": 60.0}
SCHEMA = {name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()}


def line(number):
    said = {
        "ts": 1.7e9 + number,
        "id.orig_h": "10.1.0.1",
        "id.resp_h": "10.2.0.9",
        "id.orig_p": 1_024,
        "id.resp_p": 2_575,
    }
    return json.dumps(said | {"uid": f"C{number}", "proto": "tcp", "orig_bytes": 5}) + "\n"


@pytest.fixture
def reader(tmp_path):
    made = []

    def make(data, **more):
        path = tmp_path / "source"
        path.write_bytes(data)
        fd = os.open(path, os.O_RDONLY)
        made.extend([fd, Reader(fd, AROUND, **LIMITS, **more)])
        return made[-1]

    yield make
    for one in made:
        if isinstance(one, Reader):
            one.end()
        else:
            os.close(one)


def test_a_source_is_read_whole_and_on_from_where_it_was_left(reader):
    data = "".join(line(n) for n in range(10)).encode()
    one = reader(data)
    assert (one.observer, one.header, one.empty) == ("zeek", 0, False)
    seen = list(one.read())
    assert sum(part.flows.height for part in seen if part.flows is not None) == 10
    assert seen[-1].offset == len(data)
    half = len("".join(line(n) for n in range(5)).encode())
    later = list(reader(data + line(10)[:-3].encode(), whole_lines=True).read(half))
    assert sum(part.flows.height for part in later if part.flows is not None) == 5
    assert later[-1].offset == len(data)


def test_what_nobody_reads_and_what_is_empty_is_told(reader):
    assert (reader(b"hello").observer, reader(b"").empty) == ("", True)


def test_a_reader_can_open_nothing():
    """Confined as it is while it reads: no file, no socket, no program."""
    text = """
import os, socket, sys
from oathward.core.sandbox import confine
from oathward.discovery.worker import warm
confine(1 << 31); warm()
for name, act in {"read": lambda: open("/etc/passwd"), "write": lambda: open("/tmp/oathward-x", "w"), "connect": lambda: socket.socket(),
                  "run": lambda: os.execv("/bin/true", ["true"])}.items():
    try:
        act()
        print("could", name)
    except OSError:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_the_reader_of_a_source_is_confined_and_has_nothing_of_ours(reader, monkeypatch):
    """As the system tells it of the process itself: filtered, bounded, without our environment, terminal or folder."""
    monkeypatch.setenv("OATHWARD_PLANTED", "a secret")
    process = reader(line(1).encode())._process.pid
    of = Path("/proc") / str(process)
    threads = [(one / "status").read_text() for one in (of / "task").iterdir()]
    assert len(threads) > 1
    assert all("\nSeccomp:\t2\n" in one for one in threads)
    assert str(LIMITS["memory_bytes_max"]) in (of / "limits").read_text()
    assert b"PATH=" in (of / "environ").read_bytes()
    assert b"PLANTED" not in (of / "environ").read_bytes()
    assert (os.getsid(process), (of / "cwd").readlink()) == (process, Path("/"))


def test_one_that_ends_is_told(reader, monkeypatch):
    one = reader(line(1).encode())
    one._process.kill()
    with pytest.raises(ReaderError) as error:
        list(one.read())
    assert error.value.reason is Reason.OBSERVED_READER


def test_a_source_that_says_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(line(1).encode())
        one = Reader(ours.fileno(), AROUND, **LIMITS | {"silence_s_max": 0.3})
        with one, pytest.raises(ReaderError, match="nothing came"):
            list(one.read())


class Pieces(io.RawIOBase):
    """A connection on which these come, one by one."""

    def __init__(self, *pieces):
        self.left = list(pieces)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self.left.pop(0) if self.left else b""
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_first_line_that_comes_in_pieces_is_known():
    whole = line(1).encode()
    for cut in (1, 20, len(whole) - 2):
        pieces = Pieces(whole[:cut], whole[cut:], line(2).encode())
        first, known = worker._first(reading.buffered(pieces), "conn.log")
        assert (first, known[0], len(pieces.left)) == (whole, "zeek", 1)
    assert worker._first(reading.buffered(Pieces(whole[:9])), "conn.log") == (whole[:9], None)
    assert worker._first(reading.buffered(Pieces()), "conn.log") == (b"", None)
    endless = Pieces(*[b"x" * 8_192] * 9)
    assert len(worker._first(reading.buffered(endless), "conn.log")[0]) == worker.HEAD_BYTES


def test_a_bound_of_times_goes_on_while_a_source_lasts():
    """A sensor that is connected for weeks is not from the future; and a clock that is set right counts from then on."""
    wall_s = [1.7e9]
    around = Around(realm="r", until_us=1_000)
    ours, theirs = socket.socketpair()
    clock = Clock(wall=lambda: wall_s[0])
    with ours, theirs:
        theirs.sendall(b"x")
        source = reading.buffered(worker._Lasting(ours.fileno(), around, clock))
        assert (source.read1(9), around.until_us) == (b"x", 1_000)
        for passed_us in (2_500_000, -500_000):
            wall_s[0] = 1.7e9 + passed_us / 1e6
            theirs.sendall(b"x")
            assert (source.read1(9), around.until_us) == (b"x", 1_000 + passed_us)
    assert hash(around) == hash(Around(realm="r"))


@pytest.mark.parametrize(
    ("behind_us", "lasting", "counted"),
    [(-60_000_000, True, 1), (3_600_000_000, True, 0), (1, True, 1), (1, False, 0)],
    ids=["in time", "from the future", "in time by now", "a file of then"],
)
def test_what_comes_from_the_future_over_a_connection_is_held_to_a_bound(behind_us, lasting, counted):
    around = Around(realm="r", name="conn.log", until_us=1_700_000_000_000_000 - behind_us)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall((line(0) + line(-7_000)).encode())
        theirs.shutdown(socket.SHUT_WR)
        with Reader(ours.fileno(), around, **LIMITS, lasting=lasting) as one:
            seen = list(one.read())
    flows = sum(part.flows.height for part in seen if part.flows is not None)
    refused = sum(part.refused[Reason.OBSERVED_TIME, "time"] for part in seen)
    assert (flows, refused) == (1 + counted, 1 - counted)


STATEMENT = Statement(
    5, "zeek.dhcp", "r", (Mark(MarkKind.MAC, "00:11:22:33:44:55"),), (Fact("host", "pump", 0.5),), "v", ()
)
CLEAR = Clear(5, "r", "10.0.0.1", "10.0.0.2", "tcp", 2_575, "hl7", {"patient.name": 2})


SITES_OWN = ("person", "gateway", "cmms", "netbox", "inferred", "", "person.x", "Zeek")
SITES_WORD = ("lifecycle", "criticality", "owner", "tag", "care")


def told(**more):
    """What a reader says of one part, with something else in it."""
    head = {"statements": [], "clear": [], "refused": [], "offset": 1, "flows": 0}
    return head | more


def test_a_reader_speaks_for_sensors_alone():
    assert {name.partition("_")[0] for name in observers()} == apart.SENSORS
    assert not apart.SENSORS & {PERSON, INFERRED, OWN, *LISTS}
    words = {name for name, one in ATTRIBUTES.items() if one.group in {"care", "upkeep"}}
    assert words <= apart._NO_SENSORS <= ATTRIBUTES.keys()


def test_flows_of_who_is_no_sensor_end_it(parent_of):
    whole = dict.fromkeys(FLOW_COLUMNS) | {"start_us": 5, "realm": "r"}
    for source, fine in (("pcap.hl7", True), ("", True), ("gateway", False)):
        data = packed(pl.DataFrame([whole | {"source": source}], schema=SCHEMA))
        one = parent_of(told(flows=len(data)), data=data)
        if fine:
            assert one._seen(one._receive(5.0)).flows["source"].to_list() == [source]
        else:
            with pytest.raises(ReaderError, match="cannot be"):
                one._seen(one._receive(5.0))


@pytest.fixture
def parent_of():
    """A reader that says this, whoever it is."""
    made = []

    def make(*said, data=b""):
        ours, theirs = socket.socketpair()
        made.append(ours)
        one = Reader.__new__(Reader)
        one._socket, one._silence_s, one._realm, one._left_s = ours, 5.0, "r", math.inf
        one._process = SimpleNamespace(pid=0, wait=lambda _time_s: 0)
        with theirs:
            for head in said:
                frames.send(theirs, head)
            theirs.sendall(data)
        return one

    yield make
    for one in made:
        one.close()


def test_what_is_sent_is_what_comes():
    flows = pl.DataFrame([dict.fromkeys(FLOW_COLUMNS) | {"start_us": 5, "realm": "r"}], schema=SCHEMA)
    seen = Seen([STATEMENT], flows, [CLEAR], offset=9)
    seen.refused[Reason.OBSERVED_BROKEN, "line"] = 3
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker._send(theirs, seen, 2)
        one = Reader.__new__(Reader)
        one._socket, one._silence_s, one._realm, one._left_s = ours, 5.0, "r", math.inf
        one._process = SimpleNamespace(pid=0)
        got = one._seen(one._receive(5.0))
    assert (got.statements, got.clear, got.refused, got.offset) == ([STATEMENT], [CLEAR], seen.refused, 11)
    assert got.flows["start_us"].to_list() == [5]
    assert got.flows["client"].to_list() == [""]


@pytest.mark.parametrize(
    "head",
    [
        told(statements=[[5, "zeek", "r", "", [["mac", "x"]], []]]),
        told(statements=[[5, "zeek", "r", "", [], [], []]]),
        told(statements=[[-5, "s", "r", "", [["mac", "x"]], [], []]]),
        told(statements=[[5, "zeek", "r", "", [["crown", "x"]], [], []]]),
        told(statements=[[5, 7, "r", "", [["mac", "x"]], [], []]]),
        told(statements=[[5, "zeek", "r", "", [["mac", "x"]], [["host", "x", 7]], []]]),
        told(statements=[[5, "zeek", "r", "", [["tag", "x"]], [], []]]),
        told(statements=[[5, "zeek", "r", "", [["mac", "x"]], [], [["device", "x"]]]]),
        told(statements=[[5, "zeek", "another", "", [["mac", "x"]], [], []]]),
        *(told(statements=[[5, source, "r", "", [["mac", "x"]], [], []]]) for source in SITES_OWN),
        *(
            told(statements=[[5, "zeek.x", "r", "", [["mac", "x"]], [[name, "x", 1]], []]])
            for name in SITES_WORD
        ),
        told(clear=[[5, "another", "a", "b", "tcp", 1, "hl7", {}]]),
        told(clear=[[5, "r", "a", "b", "tcp", 1, "hl7", []]]),
        told(clear=[[1, 2]]),
        told(refused=[["no.such-reason", "line", 1]]),
        told(refused=[["observation.broken", "line", -1]]),
        told(flows=10),
        {},
    ],
)
def test_a_word_that_cannot_be_ends_it(parent_of, head):
    one = parent_of(head, data=b"no JSON at all")
    with pytest.raises(ReaderError):
        one._seen(one._receive(5.0))


def test_flows_of_another_realm_end_it_and_counts_are_bounded(parent_of):
    whole = dict.fromkeys(FLOW_COLUMNS) | {"start_us": 5, "client_bytes": -5, "server_bytes": 2**63 - 1}
    for realm in ("r", "another"):
        data = packed(pl.DataFrame([whole | {"realm": realm}], schema=SCHEMA))
        one = parent_of(told(flows=len(data), offset=2**64 - 1), data=data)
        if realm == "r":
            seen = one._seen(one._receive(5.0))
            assert seen.offset < 2**63
            assert (seen.flows["client_bytes"][0], seen.flows["server_bytes"][0] < 2**53) == (0, True)
        else:
            with pytest.raises(ReaderError, match="cannot be"):
                one._seen(one._receive(5.0))


def test_more_flows_than_a_part_has_are_not_waited_for(parent_of):
    one = parent_of(told(flows=FLOWS_BYTES_MAX + 1), data=b"the first of many")
    with pytest.raises(ReaderError, match="cannot be"):
        one._seen(one._receive(5.0))
    assert one._socket.recv(17) == b"the first of many"


def test_flows_that_cannot_be_kept_are_counted_and_names_are_printable():
    whole = dict.fromkeys(FLOW_COLUMNS) | {"start_us": 5}
    rows = [
        whole,
        whole | {"server_name": "a\x1b[2J"},
        whole | {"server_name": "x" * 4_000},
        whole | {"start_us": None},
        whole | {"end_us": -1},
    ]
    frame, odd = apart._frame(packed(pl.DataFrame(rows, schema=SCHEMA)))
    assert (frame.height, odd) == (1, 4)
    marks = [["host", "a\x00" + "b" * 4_000]]
    said = apart._statement([5, "zeek", "r", "", marks, [], []])
    assert said.marks[0].value.isprintable()
    assert len(said.marks[0].value) <= 200
    assert len(apart._statement([5, "zeek", "r", "", [["host", "x"]] * 1_000, [], []]).marks) == 64
    assert apart._clear(
        [5, "r", "a", "b", "tcp", 1, "hl7", {"patient.name": 1, "a patient's name": 4}]
    ).classes == {"patient.name": 1}


def test_parts_stay_bounded_and_the_offset_goes_with_the_last():
    flows = pl.DataFrame([dict.fromkeys(FLOW_COLUMNS) | {"start_us": 5}], schema=SCHEMA)
    many = Seen([STATEMENT], pl.concat([flows] * (2 * FLOWS_MAX + 1)), offset=9)
    parts = list(worker._parts(many))
    assert [part.flows.height for part in parts] == [FLOWS_MAX, FLOWS_MAX, 1]
    assert [(len(part.statements), part.offset) for part in parts] == [(0, -1), (0, -1), (1, 9)]
    assert reading.HEAD_BYTES == 65_536


def test_what_is_said_beside_flows_is_cut_and_nothing_of_it_is_lost(parent_of):
    """A head that is longer than an honest one may be is not even read."""
    statements = [Statement(at, "zeek", "r", (Mark(MarkKind.MAC, "x"),)) for at in range(1, 8)]
    seen = Seen(statements, None, [CLEAR] * 3, offset=9)
    seen.refused[Reason.OBSERVED_BROKEN, "line"] = 3
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            worker._send(theirs, seen, 0, bytes_max=300)
        found = Seen()
        while (got := frames.receive(ours, bytes_max=300)) is not None:
            part = parent_of()._seen(got[0])
            found.statements += part.statements
            found.clear += part.clear
            found.refused.update(part.refused)
            found.offset = part.offset
    assert (found.statements, found.clear) == (statements, seen.clear)
    assert (found.refused, found.offset) == (seen.refused, 9)
    with pytest.raises(OverflowError):
        worker._send(theirs, Seen(statements[:1]), 0, bytes_max=20)


@pytest.mark.parametrize("head", [{"x": "x" * apart.BESIDE_BYTES_MAX}, {"x": [[]] * (frames.PARTS_MAX + 1)}])
def test_a_head_that_no_honest_one_has_ends_it(head):
    ours, theirs = socket.socketpair()
    one = Reader.__new__(Reader)
    one._socket, one._left_s, one._process = ours, math.inf, SimpleNamespace(pid=0, wait=lambda _time_s: 0)
    sender = threading.Thread(target=_sent, args=(theirs, head))
    sender.start()
    with ours, pytest.raises(ReaderError, match="ended"):
        one._receive(60.0)
    sender.join()


def _sent(theirs, head):
    with theirs, suppress(OSError):
        frames.send(theirs, head)


def test_a_file_that_takes_too_long_is_given_up_and_a_connection_may_last(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "TIME_S_MAX", 0)
    file = tmp_path / "conn.log"
    file.write_text(line(1))
    one, other = socket.socketpair()
    with file.open("rb") as opened, one, other:
        with (
            Reader(opened.fileno(), AROUND, **LIMITS) as reader,
            pytest.raises(ReaderError, match="longer") as error,
        ):
            list(reader.read())
        assert error.value.reason is Reason.LIMIT_EXCEEDED
        other.sendall(line(1).encode())
        other.shutdown(socket.SHUT_WR)
        with Reader(one.fileno(), AROUND, **LIMITS) as reader:
            assert list(reader.read())


def test_a_larger_file_may_take_longer(tmp_path):
    file = tmp_path / "large"
    with file.open("wb") as opened:
        opened.truncate(100 * apart.SLOWEST_BYTES_S)
        assert apart._seconds(opened.fileno()) == apart.TIME_S_MAX + 100
    one, other = os.pipe()
    assert apart._seconds(one) is None
    os.close(one)
    os.close(other)


def test_a_reader_of_many_threads_is_ended_with_its_next_word(parent_of):
    program = f"import threading, time\nfor _ in range({apart.THREADS_MAX}):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('ready', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as many:
        try:
            assert many.stdout.readline() == "ready\n"
            one = parent_of({}, {})
            one._process.pid = os.getpid()
            assert one._receive(5.0) == {}
            one._process.pid = many.pid
            with pytest.raises(ReaderError, match="threads") as error:
                one._receive(5.0)
        finally:
            many.kill()
    assert error.value.reason is Reason.LIMIT_EXCEEDED
