"""What a reader remembers so as not to say it again is bounded: a network that never says the same twice fills no memory."""

import pytest

from oathward.discovery.logs import gathering
from oathward.discovery.model import Around, Fact, Mark, MarkKind
from oathward.discovery.packets import notes


def marks(number):
    return [Mark(MarkKind.HOST, f"host-{number}")]


def test_a_capture_s_notes(monkeypatch):
    monkeypatch.setattr(notes, "SAID_MAX", 4)
    monkeypatch.setattr(notes, "NAMES_MAX", 4)
    one = notes.Notes(Around(realm="r"))
    for number in range(20):
        one.say(number, "dns", marks(number), [Fact("host", "x", 0.5)])
        one.named(f"10.0.0.{number}", "a.example")
        assert len(one._said) <= 4 >= len(one.names)
    assert len(one.statements) == 20
    one.say(20, "dns", marks(19), [Fact("host", "x", 0.5)])
    assert len(one.statements) == 20, "it does remember"


def test_a_log_s_gathering(monkeypatch):
    monkeypatch.setattr(gathering, "SAID_MAX", 4)
    one = gathering.Gathered(Around(realm="r"))
    for number in range(20):
        one.say(number, "zeek.dns", marks(number))
        assert len(one._said) <= 4
    before = len(one._statements)
    one.say(20, "zeek.dns", marks(19))
    assert len(one._statements) == before == 20


@pytest.mark.parametrize("make", [notes.Notes, gathering.Gathered])
def test_what_marks_nobody_is_not_remembered(make):
    one = make(Around(realm="r"))
    one.say(1, "x", [Mark(MarkKind.HOST, "")], [Fact("host", "x", 0.5)])
    assert not one._said
