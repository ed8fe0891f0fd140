"""Captures of both kinds, in either order of bytes; broken off, lying about lengths, compressed."""

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import captured as write
from tests.seen import whole

from oathward.discovery.observer import observer_of

FRAMES = [write.datagram(b"x" * 40, 30_000 + n, 9_999) for n in range(5)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap_is_read_in_each_form(order, nanoseconds):
    found = whole(write.pcap(FRAMES, order=order, nanoseconds=nanoseconds))
    assert [flow["start_us"] for flow in found.flows] == [write.START_US + 1_000 * n for n in range(5)]
    assert not found.refused


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit", [None, 3, 6, 9])
def test_pcapng_is_read_in_each_form(order, unit):
    found = whole(write.pcapng(FRAMES, order=order, unit=unit))
    assert [flow["start_us"] for flow in found.flows] == [write.START_US + 1_000 * n for n in range(5)]
    assert not found.refused


def test_a_unit_of_a_power_of_two_and_an_offset_of_time():
    ticks = 5 * 2**20 + 2**19
    options = (
        write.option(9, bytes([0x80 | 20])) + write.option(14, struct.pack("<q", 100)) + write.option(0, b"")
    )
    described = write.block(1, struct.pack("<HHL", 1, 0, 0) + options)
    found = whole(write.section() + described + write.enhanced(FRAMES[0], ticks))
    assert found.flows[0]["start_us"] == 105_500_000


def test_interfaces_and_sections_have_their_own_ways():
    raw = write.ip(write.udp(b"y" * 30, 5, 6), 17)
    first = (
        write.section()
        + write.interface()
        + write.interface(101)
        + write.enhanced(FRAMES[0], 10)
        + write.enhanced(raw, 20, 1)
    )
    second = write.section(">") + write.interface(1, ">", unit=9) + write.enhanced(FRAMES[1], 30_000, 0, ">")
    unknown = write.block(0x0BAD, b"whatever")
    found = whole(first + unknown + second)
    assert [(flow["start_us"], flow["port"]) for flow in found.flows] == [(10, 9_999), (20, 6), (30, 9_999)]


def test_simple_and_obsolete_packets_of_pcapng_are_packets():
    simple = write.block(3, struct.pack("<L", len(FRAMES[0])) + FRAMES[0])
    old = write.block(2, struct.pack("<HHLLLL", 0, 0, 0, 77, len(FRAMES[1]), len(FRAMES[1])) + FRAMES[1])
    found = whole(write.section() + write.interface() + old + simple)
    assert [flow["start_us"] for flow in found.flows] == [77, 77]


def test_compressed_captures_are_read_in_one_member_or_several():
    data = write.pcap(FRAMES)
    assert len(whole(gzip.compress(data)).flows) == 5
    assert len(whole(gzip.compress(data[:100]) + gzip.compress(data[100:]) + bytes(512)).flows) == 5


def test_a_compressed_capture_that_breaks_off_gives_what_came_before():
    data = gzip.compress(write.pcap(FRAMES * 200))
    found = whole(data[:-40])
    assert found.flows
    assert found.refused["observation.cut", "file"] == 1


def test_a_capture_that_breaks_off_gives_all_whole_packets():
    found = whole(write.pcap(FRAMES)[:-10])
    assert len(found.flows) == 4
    assert found.refused == {("observation.cut", "packet"): 1}


@pytest.mark.parametrize("size", [4, 12, 23])
def test_half_a_header_is_no_packet(size):
    assert whole(write.pcap(FRAMES)[:size]).refused[("observation.cut", "file")] == 1


@pytest.mark.parametrize("length", [0xFFFFFFFF, 300_000])
def test_a_length_that_lies_is_counted_and_the_next_packets_are_found(length):
    data = bytearray(write.pcap(FRAMES))
    second = 24 + 16 + len(FRAMES[0])
    struct.pack_into("<L", data, second + 8, length)
    found = whole(bytes(data))
    assert len(found.flows) == 4
    assert found.refused[("observation.broken", "packet")] == 1


def test_the_search_finds_nothing_where_time_is_another(monkeypatch):
    """The reverse: without the time of those before, any bytes would be taken for a header."""
    data = bytearray(write.pcap(FRAMES[:1]) + write.pcap(FRAMES[1:], start_us=write.START_US + 10**13)[24:])
    struct.pack_into("<L", data, 24 + 8, 0xFFFFFFFF)
    assert whole(bytes(data)).flows == []


def test_a_block_of_pcapng_that_lies_is_passed_over():
    blocks = [write.enhanced(frame, n) for n, frame in enumerate(FRAMES)]
    broken = bytearray(blocks[1])
    struct.pack_into("<L", broken, 4, len(broken) + 4)
    data = write.section() + write.interface() + blocks[0] + bytes(broken) + b"".join(blocks[2:])
    found = whole(data)
    assert len(found.flows) == 4
    assert found.refused[("observation.broken", "packet")] >= 1


def test_a_packet_of_an_interface_that_nobody_described_is_refused():
    found = whole(
        write.section() + write.interface() + write.enhanced(FRAMES[0], 1, 7) + write.enhanced(FRAMES[1], 2)
    )
    assert len(found.flows) == 1
    assert found.refused == {("observation.broken", "packet"): 1}


def test_packets_of_a_clock_gone_wrong_are_refused():
    found = whole(write.pcap(FRAMES), from_us=write.START_US + 2_500)
    assert len(found.flows) == 2
    assert found.refused == {("observation.time", "packet"): 3}


def test_the_observer_knows_captures_and_nothing_else():
    for head in (
        write.pcap(FRAMES),
        write.pcap(FRAMES, order=">"),
        write.pcapng(FRAMES),
        gzip.compress(write.pcap(FRAMES)),
    ):
        assert observer_of(head[:65_536], "anything")[0] == "pcap"
    for head in (b"", b"\x0a\x0d\x0d\x0a", b"{}", gzip.compress(b"text"), b"\x1f\x8bnot gzip"):
        found = observer_of(head, "a.pcap")
        assert found is None or found[0] != "pcap"


@given(
    st.binary(max_size=3_000),
    st.sampled_from(
        [write.pcap([]), write.pcap([], order=">", nanoseconds=True), write.section() + write.interface()]
    ),
)
def test_any_bytes_behind_a_header_are_read_without_an_error(data, head):
    whole(head + data)


@given(st.integers(0, 600), st.binary(min_size=1, max_size=8), st.sampled_from(["pcap", "pcapng"]))
def test_any_bytes_changed_in_a_capture_are_survived(at, changed, kind):
    data = bytearray(getattr(write, kind)(FRAMES))
    data[at : at + len(changed)] = changed
    whole(bytes(data))
