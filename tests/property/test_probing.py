"""Whatever a device answers, a talk ends, tells only what its kind may, and nothing that does not print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.discovery.packets.notes import VALUE_LENGTH_MAX
from oathward.discovery.probing.probe import OUTCOMES, probes

TALKS = {name: one for name, one in probes().items() if one.talk}
HEADS = {
    "tls": b"\x16\x03\x03\x00\x40\x02\x00\x00\x3c\x03\x03",
    "http": b"HTTP/1.1 200 OK\r\nServer: ",
    "dicom-echo": b"\2\0\0\0\0\x60\0\1\0\0",
}


@pytest.mark.parametrize("kind", sorted(TALKS))
@given(parts=st.lists(st.binary(max_size=300), max_size=6), own=st.booleans(), called=st.text(max_size=20))
def test_any_bytes_end_in_words(kind, parts, own, called):
    probe = TALKS[kind]
    talk = probe.talk("10.0.0.1", 80, called)
    assert talk.begin()
    for part in ([HEADS[kind]] if own else []) + parts:
        if part and not talk.done:
            assert isinstance(talk.take(part), bytes)
    told = talk.told()
    assert told.outcome in OUTCOMES
    assert {fact.attribute for fact in told.facts} <= probe.says
    if not called:
        assert all(fact.value.isprintable() and len(fact.value) <= VALUE_LENGTH_MAX for fact in told.facts)
