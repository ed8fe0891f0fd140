"""Promises about connections of sensors: several are read at once, none hinders another, and what is lost is counted."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest
from tests.zeek import conn

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.discovery import reading
from oathward.network import views
from oathward.network.model import ConversationFilters
from oathward.observing import connections
from oathward.observing.connections import Connections, Limits
from oathward.observing.living import Living
from oathward.observing.run import Run

END_S = 60.0


class Door:
    """A listener on loopback, and sensors that connect to it."""

    def __init__(self, site, stack, **limits):
        self.run = Run(site, "r", Living(site, "p-1"))
        self.socket = stack.enter_context(reading.tcp("127.0.0.1", 0))
        self.said = []
        self.serving = Connections(self.run, self.socket, self.said.append, Limits(**limits))
        self.stack = stack

    def sensor(self, *said, host="127.0.0.1"):
        one = self.stack.enter_context(socket.create_connection(self.socket.getsockname(), END_S, (host, 0)))
        for text in said:
            one.sendall(text.encode())
        return one

    def serve(self, until):
        """Serve until something is so; each look may do something too."""
        end_s = time.monotonic() + END_S
        self.serving.serve(lambda: until() or time.monotonic() > end_s)

    @property
    def told(self):
        return sum(
            seen.flows.height
            for source in self.serving._sources.values()
            for seen in source.group
            if seen.flows is not None
        ) + sum(source.report.flows for source in self.serving._sources.values())

    @property
    def refused(self):
        return self.run.report.refused


@pytest.fixture
def door(site):
    with ExitStack() as stack:
        yield lambda **limits: Door(site, stack, **limits)


def flows(site):
    with read(site.engine) as db:
        return sum(
            one.sums.flows for one in views.conversations(db, site.site, ConversationFilters(), limit=100)
        )


def closed(sensor):
    """Whether it was hung up on."""
    return sensor.recv(1) == b""


def test_who_is_silent_and_who_stops_in_a_line_hinder_nobody(site, door):
    one = door()
    silent = one.sensor()
    one.sensor(conn(0)[:40])
    one.sensor(conn(1), conn(2))
    one.sensor(conn(3))
    one.serve(lambda: one.told == 3)
    assert flows(site) == 3
    assert closed(silent), "at the end"
    assert one.refused == {(Reason.OBSERVED_CUT.code, "line"): 1}, "the line that was not whole at the end"


def test_a_first_line_in_two_segments_is_known(site, door):
    one = door()
    sensor, rest = one.sensor(conn(1)[:30]), [conn(1)[30:] + conn(2)]

    def until():
        if rest and any(live.held for live in one.serving._live):  # the first has come by itself
            sensor.sendall(rest.pop().encode())
        return one.told == 2

    one.serve(until)
    assert (flows(site), one.refused) == (2, {})
    assert [source.observer for source in one.run.report.sources] == ["zeek"]


@pytest.mark.parametrize(
    ("limits", "said", "reason"),
    [
        ({"idle_s": 0.2}, "", None),
        ({"line_s": 0.2}, "x", Reason.OBSERVED_CUT),
        ({"line_bytes": 500}, "x" * 900, Reason.OBSERVED_SIZE),
        ({"line_s": 0.2}, conn(1) + "x", Reason.OBSERVED_CUT),
        ({"line_bytes": 500}, conn(1) + "x" * 900, Reason.OBSERVED_SIZE),
    ],
)
def test_one_that_is_idle_or_does_not_end_its_line_is_ended(site, door, limits, said, reason):
    one = door(**limits)
    late, ends = one.sensor(said), []
    threading.Thread(target=lambda: ends.append(closed(late)), daemon=True).start()
    one.serve(lambda: bool(ends) and not one.serving._live)
    assert ends == [True]
    counted = {(reason.code, "connection"): 1, (Reason.OBSERVED_CUT.code, "line"): 1} if reason else {}
    assert one.refused == counted
    assert flows(site) == said.startswith("{")
    assert bool(one.said) == bool(reason)


def test_beyond_the_most_connections_one_is_turned_away(door):
    one = door(connections=2)
    for _ in range(2):
        one.sensor()
    late = one.sensor()
    one.serve(lambda: bool(one.refused))
    assert closed(late)
    assert one.refused == {(Reason.OBSERVED_FULL.code, "connection"): 1}


def test_who_was_silent_long_enough_gives_its_place(site, door):
    one = door(connections=2, gives_way_s=0.0)
    silent, speaks, late = one.sensor(), one.sensor(conn(1)), []

    def until():
        if one.told == 1 and not late:
            late.append(one.sensor(conn(2)))
        return one.told == 2

    one.serve(until)
    assert closed(silent)
    assert one.refused == {(Reason.OBSERVED_FULL.code, "connection"): 1}
    assert (flows(site), speaks.fileno() > 0) == (2, True)


def test_one_address_leaves_places_for_others(site, door):
    one = door(connections=9, of_peer=2)
    for _ in range(3):
        one.sensor()
    one.sensor(conn(1), host="127.0.0.2")
    one.serve(lambda: one.told == 1 and bool(one.refused))
    assert one.refused == {(Reason.OBSERVED_FULL.code, "connection"): 1}
    assert flows(site) == 1


def test_a_reader_that_is_lost_ends_its_own_connection_alone(site, door, monkeypatch):
    one, readers = door(), []
    make = one.run.reader
    monkeypatch.setattr(Run, "reader", lambda _, *a, **more: readers.append(make(*a, **more)) or readers[-1])
    one.sensor(conn(1))
    second = []

    def until():
        if one.told == 1 and not second:
            readers[0]._process.kill()
            second.append(one.sensor(conn(2)))
        return one.told == 2 and bool(one.refused)

    one.serve(until)
    assert one.refused == {(Reason.OBSERVED_READER.code, "source"): 1}
    assert flows(site) == 2


def test_what_nobody_reads_is_told(door):
    one = door()
    one.sensor("hello\n").shutdown(socket.SHUT_WR)
    one.serve(lambda: bool(one.refused))
    assert one.refused == {(Reason.OBSERVED_UNKNOWN.code, "connection"): 1}


def test_connections_of_one_address_are_one_source_and_sources_are_bounded(site, door, monkeypatch):
    monkeypatch.setattr(connections, "SOURCES_MAX", 1)
    one = door()
    for n, host in enumerate(("127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3")):
        one.sensor(conn(n), host=host)
    one.serve(lambda: one.told == 4)
    assert sorted(source.flows for source in one.run.report.sources) in ([1, 3], [2, 2])
    with read(site.engine) as db:
        assert sorted((row.flows, row.finished) for row in views.sources(db, site.site)) in (
            [(1, True), (3, True)],
            [(2, True), (2, True)],
        )
