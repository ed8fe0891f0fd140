"""What a frame carries, however it is wrapped: each way gives the same flow."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import captured as write
from tests.seen import whole

from oathward.discovery.packets.layers import SLL, SLL2, unwrapped

INNER = write.ip(write.udp(b"p" * 30, 40_000, 9_999), 17)
INNER6 = write.ip(write.udp(b"p" * 30, 40_000, 9_999), 17, "fd00::5", "fd00::9")
FRAME = write.ethernet(INNER)


def extension(kind: int, body: bytes) -> bytes:
    return bytes([kind, len(body) // 8 - 1]) + body[2:]


def six(first: int, headers: bytes, payload: bytes) -> bytes:
    return write.ip(headers + payload, first, "fd00::5", "fd00::9")


WRAPPED = {
    "ethernet": (1, FRAME),
    "options": (
        1,
        write.ethernet(write.ip(write.udp(b"p" * 30, 40_000, 9_999), 17, options=b"\x01\x01\x01\x00")),
    ),
    "padding": (1, FRAME + bytes(20)),
    "raw": (101, INNER),
    "raw 4": (228, INNER),
    "null little": (0, struct.pack("<L", 2) + INNER),
    "null big": (0, struct.pack(">L", 2) + INNER),
    "loop": (108, struct.pack(">L", 2) + INNER),
    "cooked": (SLL, struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0800) + INNER),
    "cooked 2": (SLL2, struct.pack(">HHLHBB8s", 0x0800, 0, 3, 1, 0, 6, bytes(8)) + INNER),
    "mpls": (1, write.ethernet(b"\0\0\x10\x40" + b"\0\0\x21\x40" + INNER, 0x8847)),
    "pppoe": (1, write.ethernet(struct.pack(">BBHHH", 0x11, 0, 7, len(INNER) + 2, 0x0021) + INNER, 0x8864)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_each_wrapping_gives_the_same_flow(name):
    link, frame = WRAPPED[name]
    (flow,) = whole(write.pcap([frame], link=link)).flows
    assert (flow["client"], flow["server"], flow["port"], flow["transport"]) == (
        write.CLIENT,
        write.SERVER,
        9_999,
        "udp",
    )
    assert (flow["client_bytes"], flow["client_packets"]) == (30, 1)


@pytest.mark.parametrize(
    "packet",
    [
        INNER6,
        six(0, extension(17, bytes(8)), INNER6[40:]),
        six(60, extension(43, bytes(16)) + extension(17, bytes(8)), INNER6[40:]),
        six(44, struct.pack(">BBHL", 17, 0, 0x0001, 9), INNER6[40:]),
        six(51, bytes([17, 4]) + bytes(22), INNER6[40:]),
    ],
)
def test_extensions_of_ipv6_are_stepped_over(packet):
    (flow,) = whole(write.pcap([packet], link=229)).flows
    assert (flow["client"], flow["server"], flow["port"], flow["client_bytes"]) == (
        "fd00::5",
        "fd00::9",
        9_999,
        30,
    )


@pytest.mark.parametrize(
    ("vlans", "segment"), [((), ""), ((12,), "vlan 12"), ((100, 12), "vlan 100.12"), ((0,), "")]
)
def test_tags_name_the_segment(vlans, segment):
    (flow,) = whole(write.pcap([write.ethernet(INNER, vlans=vlans)])).flows
    assert flow["segment"] == segment
    assert whole(write.pcap([write.ethernet(INNER)]), segment="tap 3").flows[0]["segment"] == "tap 3"


def outer(payload: bytes, protocol: int) -> bytes:
    return write.ethernet(write.ip(payload, protocol, "172.16.0.1", "172.16.0.2"))


@pytest.mark.parametrize(
    ("frame", "segment"),
    [
        (outer(INNER, 4), ""),
        (outer(INNER6, 41), ""),
        (outer(struct.pack(">HH", 0, 0x0800) + INNER, 47), ""),
        (outer(struct.pack(">HHL", 0x2000, 0x6558, 9) + FRAME, 47), ""),
        (
            outer(write.udp(b"\x08\0\0\0" + (700).to_bytes(3, "big") + b"\0" + FRAME, 55_555, 4_789), 17),
            "vxlan 700",
        ),
        (
            outer(
                write.udp(
                    struct.pack(">BBH", 1, 0, 0x6558) + (8).to_bytes(3, "big") + b"\0" + bytes(4) + FRAME,
                    5,
                    6_081,
                ),
                17,
            ),
            "geneve 8",
        ),
    ],
)
def test_a_tunnel_and_what_it_carries_are_two_flows(frame, segment):
    flows = whole(write.pcap([frame, frame])).flows
    assert len(flows) == 2
    inner = next(flow for flow in flows if flow["client"] != "172.16.0.1")
    assert (inner["port"], inner["client_bytes"], inner["segment"]) == (9_999, 60, segment)


def test_tunnels_in_tunnels_end_somewhere():
    packet = INNER
    for _ in range(8):
        packet = write.ip(packet, 4)
    found = whole(write.pcap([write.ethernet(packet)]))
    assert found.refused == {("observation.full", "packet"): 1}


def test_tunnels_over_udp_in_each_other_end_too():
    frame = FRAME
    for _ in range(100):
        frame = outer(write.udp(b"\x08\0\0\0\0\0\x07\0" + frame, 55_555, 4_789), 17)
    assert whole(write.pcap([frame])).refused == {("observation.full", "packet"): 1}


def test_later_fragments_are_counted_by_themselves():
    first = write.ethernet(write.ip(write.udp(b"p" * 32, 40_000, 9_999), 17, fragment=0x2000))
    later = write.ethernet(write.ip(b"p" * 40, 17, fragment=0x0005))
    found = whole(write.pcap([first, later]))
    assert [flow["client_packets"] for flow in found.flows] == [1]
    assert found.refused == {("observation.fragment", "packet"): 1}


@pytest.mark.parametrize("cut", [10, 20, 33, 40])
def test_a_packet_cut_short_is_refused(cut):
    found = whole(write.pcap([FRAME[:cut]]))
    assert found.flows == []
    assert found.refused == {("observation.cut", "packet"): 1}


@pytest.mark.parametrize("change", [(14, b"\x42"), (14, b"\x65"), (16, b"\0\x05")])
def test_headers_that_lie_are_refused(change):
    at, value = change
    found = whole(write.pcap([FRAME[:at] + value + FRAME[at + len(value) :]]))
    assert found.refused == {("observation.broken", "packet"): 1}


def test_an_unknown_link_type_is_refused_packet_by_packet():
    assert whole(write.pcap([FRAME], link=105)).refused == {("observation.unknown", "packet"): 1}


def test_the_short_way_and_the_long_way_agree():
    """A usual packet, and the same with a tag, which takes the long way."""
    talks = []
    for vlans in ((), (0,)):
        talk = (
            write.Talk(vlans=vlans)
            .say(0, write.mllp(write.HL7_MESSAGE))
            .say(1, write.mllp(write.HL7_ACK))
            .end()
        )
        talks.append(whole(write.pcap(talk.frames)))
    assert talks[0].flows == talks[1].flows
    assert talks[0].statements == talks[1].statements
    assert talks[0].clear == talks[1].clear


@given(st.binary(max_size=200), st.sampled_from([0, 1, 12, 101, 105, 108, 113, 228, 229, 276]))
def test_any_bytes_are_something_or_nothing(data, link):
    unwrapped(data, link)
    whole(write.pcap([data], link=link))


@given(st.binary(max_size=120))
def test_any_bytes_behind_a_version_6_header(data):
    head = struct.pack(">LHBB", 6 << 28, len(data), 0, 64) + ip_address("fd00::5").packed * 2
    whole(write.pcap([head + data], link=101))


def mixed() -> list[bytes]:
    """A bit of everything that takes the short way, all begun and ended, some cut short."""
    talks = [
        write.Talk(source=40_001)
        .say(0, write.mllp(write.HL7_MESSAGE))
        .say(1, write.mllp(write.HL7_ACK))
        .end(),
        write.Talk(source=40_002, port=443)
        .say(0, write.client_hello("a.example"))
        .say(1, b"\x17\x03\x03\0\x02ab")
        .end(),
        write.Talk(source=40_003, begin=False).say(0, b"q" * 90).say(1, b"a"),
    ]
    frames = [frame for talk in talks for frame in talk.frames]
    frames += [
        write.datagram(write.dns_question("pump.example"), 40_004, 53),
        write.datagram(write.dns_answer("pump.example", "10.0.0.7"), 53, 40_004, write.SERVER, write.CLIENT),
        FRAME,
        FRAME + bytes(20),
    ]
    return frames + [frame[:70] for frame in frames]


MIXED = mixed()


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(12, 60), st.binary(min_size=1, max_size=2)), max_size=12
    )
)
def test_whatever_a_packet_says_the_short_way_and_the_long_way_agree(changes):
    """The short way reads where the order of bytes is the usual one; the other order takes the long way."""
    frames = list(MIXED)
    for number, at, value in changes:
        frame = frames[number % len(frames)]
        frames[number % len(frames)] = frame[:at] + value + frame[at + len(value) :]
    short, long = (whole(write.pcap(frames, order=order)) for order in "<>")
    assert short == long
