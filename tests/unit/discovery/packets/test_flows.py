"""The table of flows: who is the server, when a flow ends, what a full table does, what is counted."""

import pytest
from tests import captured as write
from tests.seen import whole

from oathward.discovery.model import FLOW_COLUMNS, Around
from oathward.discovery.packets.flows import Flows
from oathward.discovery.packets.notes import Notes

SECOND = 1_000_000


def table(packets, flows_max=1_000):
    """Run (seconds, frame) pairs through a table; give it unfinished."""
    flows = Flows(Notes(Around(realm="a-site")), flows_max)
    for _ in flows.run((write.START_US + int(at * SECOND), frame, len(frame), 1) for at, frame in packets):
        pass
    return flows


def test_a_connection_is_one_row_with_all_its_columns():
    talk = write.Talk().say(0, b"q" * 3_000).say(1, b"a" * 500).end()
    (flow,) = whole(write.pcap(talk.frames)).flows
    assert list(flow) == list(FLOW_COLUMNS)
    assert (flow["client"], flow["server"], flow["port"], flow["transport"]) == (
        write.CLIENT,
        write.SERVER,
        2_575,
        "tcp",
    )
    assert (flow["client_mac"], flow["server_mac"]) == (write.CLIENT_MAC, write.SERVER_MAC)
    assert (flow["client_bytes"], flow["server_bytes"]) == (3_000, 500)
    assert flow["client_packets"] + flow["server_packets"] == len(talk.frames)
    assert flow["answered"] is True
    assert (flow["realm"], flow["source"]) == ("a-site", "pcap")
    assert flow["end_us"] - flow["start_us"] == 1_000 * (len(talk.frames) - 1)


@pytest.mark.parametrize(
    ("source", "port", "first", "server"),
    [
        (40_000, 104, 0, 104),  # a known port
        (40_000, 104, 1, 104),
        (40_000, 700, 1, 700),  # below 1024
        (40_000, 50_000, 0, 50_000),  # who spoke first asked
        (40_000, 50_000, 1, 40_000),
    ],
)
def test_without_a_syn_the_server_is_guessed_by_its_port(source, port, first, server):
    talk = write.Talk(source=source, port=port, begin=False).say(first, b"x" * 20).say(1 - first, b"y" * 20)
    assert whole(write.pcap(talk.frames)).flows[0]["port"] == server


def test_a_syn_says_who_is_the_server_whatever_the_ports():
    talk = write.Talk(source=80, port=50_000).say(0, b"x" * 20)
    assert whole(write.pcap(talk.frames)).flows[0]["port"] == 50_000
    answered = write.Talk(source=80, port=50_000)
    assert whole(write.pcap(answered.frames[1:])).flows[0]["port"] == 50_000


def test_a_group_is_always_who_was_asked():
    frame = write.datagram(b"x" * 30, 5_353, 40_000, "10.0.0.1", "224.0.0.251")
    assert whole(write.pcap([frame])).flows[0]["server"] == "224.0.0.251"


def test_a_refused_connection_was_not_answered():
    talk = write.Talk(begin=False)
    talk.add(0, b"", write.SYN)
    talk.add(1, b"", write.RST | write.ACK)
    (flow,) = whole(write.pcap(talk.frames)).flows
    assert flow["answered"] is False


def test_a_flow_ends_after_silence_and_after_its_end():
    open_one = write.Talk().frames[:3]
    ended = write.Talk(source=41_000).end().frames
    other = write.datagram(b"x" * 30, 1, 2)
    begun = [(n / 1_000, frame) for n, frame in enumerate([*open_one, *ended])]
    assert len(table([*begun, (20, other)]).rows) == 1  # the one that ended
    assert len(table([*begun, (200, other)]).rows) == 1
    assert len(table([*begun, (400, other)]).rows) == 2


def test_reverse_without_the_sweep_nothing_ends(monkeypatch):
    monkeypatch.setattr("oathward.discovery.packets.flows.Flows._sweep", lambda *_: None)
    frames = [(n * 400, write.datagram(b"x" * 30, n + 1, 9_999)) for n in range(4)]
    assert table(frames).rows == []


def test_a_long_flow_gives_a_row_now_and_then_and_loses_nothing():
    frame = write.datagram(b"x" * 30, 40_000, 9_999)
    flows = table([(at, frame) for at in range(0, 3_600, 30)])
    assert 3 <= len(flows.rows) <= 4
    flows.finish()
    columns = list(FLOW_COLUMNS)
    assert sum(row[columns.index("client_packets")] for row in flows.rows) == 120
    assert sum(row[columns.index("client_bytes")] for row in flows.rows) == 3_600


def test_time_that_jumps_back_ends_nothing():
    frames = [
        (100, write.datagram(b"x" * 30, 1_111, 9_999)),
        (0, write.datagram(b"x" * 30, 2_222, 9_999)),
    ] * 3
    flows = table(frames)
    assert flows.rows == []
    flows.finish()
    assert len(flows.rows) == 2


def test_a_full_table_gives_out_who_was_silent_longest():
    frames = [(n / 1_000, write.datagram(b"x" * 30, n + 1, 9_999)) for n in range(100)]
    flows = table(frames, flows_max=16)
    assert len(flows) <= 16
    assert len(flows.rows) == 100 - len(flows)
    assert {row[0] for row in flows.rows} == {write.START_US + n * 1_000 for n in range(len(flows.rows))}
    assert sum(flows.notes.refused.values()) >= 1


def test_a_port_used_again_is_another_flow():
    first = write.Talk().say(0, b"x" * 30).end()
    second = write.Talk(numbers=(500_000, 700_000)).say(0, b"y" * 30).end()
    flows = whole(write.pcap([*first.frames, *second.frames])).flows
    assert [flow["client_bytes"] for flow in flows] == [30, 30]


def test_a_syn_sent_again_is_the_same_flow():
    talk = write.Talk()
    again = [talk.frames[0], talk.frames[0], *talk.frames[1:], talk.frames[1]]
    assert len(whole(write.pcap(again)).flows) == 1


def test_something_that_speaks_with_itself_is_one_flow():
    talk = write.Talk("127.0.0.1", "127.0.0.1", 4_000, 4_000, begin=False).say(0, b"x" * 20)
    assert len(whole(write.pcap(talk.frames)).flows) == 1


def test_other_protocols_are_flows_without_ports():
    frames = [write.ethernet(write.ip(b"\x08\0" + bytes(30), 1)), write.ethernet(write.ip(bytes(20), 89))]
    found = whole(write.pcap(frames)).flows
    assert [(flow["transport"], flow["port"], flow["client_bytes"]) for flow in found] == [
        ("icmp", 0, 32),
        ("ip-89", 0, 20),
    ]
