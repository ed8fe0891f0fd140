"""Segments in any order, twice, overlapping, lost: a message is read once, or counted as lost; memory stays bounded."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import captured as write
from tests.seen import whole

from oathward.discovery.model import Around
from oathward.discovery.packets import notes as noting
from oathward.discovery.packets.flows import Flows

MESSAGES = b"".join(write.mllp(write.HL7_MESSAGE.replace(b"|77|", b"|%d|" % n)) for n in range(20))


def of_hl7(frames):
    found = whole(write.pcap(frames))
    return sum(one.classes.get("patient.name", 0) for one in found.clear), found


NAMES = 2 * 20
"""Two parts of a name in each message."""


@pytest.mark.parametrize("size", [1, 7, 100, 1_448])
def test_messages_are_read_over_segments_of_any_size(size):
    assert of_hl7(write.Talk().say(0, MESSAGES, size).frames)[0] == NAMES


@given(st.integers(0, 2**32), st.sampled_from([3, 8, 20]))
def test_segments_out_of_order_and_twice_are_read_once(seed, reach):
    """Each moves at most ``reach`` places."""
    random = Random(seed)
    frames = write.Talk().say(0, MESSAGES, 200).frames
    data = frames[3:] + random.sample(frames[3:], 10)
    data.sort(key=lambda frame: int.from_bytes(frame[38:42], "big") // 200 + random.uniform(0, reach))
    assert of_hl7([*frames[:3], *data])[0] == NAMES


def test_overlapping_segments_give_each_byte_once():
    talk = write.Talk()
    start = talk.numbers[0]
    frames = [
        talk.frame(0, MESSAGES[at : at + 300], number=start + at) for at in range(0, len(MESSAGES), 100)
    ]
    assert of_hl7([*talk.frames, *frames])[0] == NAMES


def test_sequence_numbers_wrap():
    talk = write.Talk(numbers=(2**32 - 900, 5)).say(0, MESSAGES, 500)
    assert of_hl7(talk.frames)[0] == NAMES


def test_a_lost_segment_costs_its_message_and_no_other():
    frames = write.Talk().say(0, MESSAGES * 30, 1_000).frames
    del frames[30]
    names, found = of_hl7(frames)
    assert 30 * NAMES - 6 <= names < 30 * NAMES
    assert sum(found.refused.values()) == 1


def test_a_flow_seen_from_its_middle_is_read_from_the_next_message_on():
    frames = write.Talk().say(0, MESSAGES, 500).frames[4:]
    names, found = of_hl7(frames)
    assert names >= NAMES - 4
    assert found.services == ["hl7"]


def test_a_snap_length_costs_what_it_cut():
    talk = write.Talk().say(0, MESSAGES, 1_448)
    found = whole(write.pcap(talk.frames, snap=96))
    assert found.flows[0]["client_bytes"] == len(MESSAGES)
    assert ("application", "PUMP|ICU") not in found.marks("pcap.hl7")


def test_what_waits_for_a_gap_is_bounded_and_given_back():
    flows = Flows(noting.Notes(Around(realm="a-site")))
    talk = write.Talk()
    ahead = [talk.frame(0, bytes(1_400), number=talk.numbers[0] + 2_000 + 3_000 * n) for n in range(500)]
    most = 0
    for frame in [*talk.frames, *ahead]:
        for _ in flows.run(iter([(write.START_US, frame, len(frame), 1)])):
            pass
        most = max(most, flows.notes.held_bytes)
    assert 0 < most <= 160 * 1_024
    flows.finish()
    assert flows.notes.held_bytes == 0


def test_all_flows_together_keep_no_more_than_their_bound(monkeypatch):
    for place in ("notes", "streams", "heads.hl7"):
        monkeypatch.setattr(f"oathward.discovery.packets.{place}.HELD_BYTES_MAX", 50_000)
    flows = Flows(noting.Notes(Around(realm="a-site")))
    for n in range(40):
        talk = write.Talk(source=20_000 + n).say(0, b"\x0bMSH|" + b"x" * 9_000, 1_400)
        for _ in flows.run((write.START_US, frame, len(frame), 1) for frame in talk.frames):
            pass
        assert flows.notes.held_bytes <= 52_000
    assert flows.notes.refused
    flows.finish()
    assert flows.notes.held_bytes == 0
