"""Beats are heard, silence is counted in looks, and what comes through the pipe is not believed blindly."""

import os

import pytest

from oathward.core import pulse
from oathward.core.pulse import FD_VARIABLE, Beats, Pulse

LIMITS = {"silent_s_max": 3.0, "start_s_max": 10.0}


@pytest.fixture
def line(monkeypatch):
    ours, its_end = os.pipe()
    os.set_blocking(ours, False)
    monkeypatch.setenv(FD_VARIABLE, str(its_end))
    yield ours
    os.close(ours)
    os.close(its_end)


def looked(heard, seconds):
    for _ in range(seconds):
        heard.look(1.0)
    return heard.silent(**LIMITS)


def test_a_part_that_stands_still_is_named(line):
    beats, heard = Beats(), Pulse(1.0)
    for _ in range(5):
        beats.moved("work")
        beats.moved("writer")
        beats.send()
        heard.read(os.read(line, 4096))
        assert looked(heard, 1) is None
    for _ in range(3):
        beats.moved("work")
        beats.send()
        heard.read(os.read(line, 4096))
        heard.look(1.0)
    assert heard.silent(**LIMITS) is None, "it may wait for another: half as long again"
    beats.moved("work")
    beats.send()
    heard.read(os.read(line, 4096))
    heard.look(1.0)
    assert heard.silent(**LIMITS) == ("writer", 5.0, False)


def test_who_never_spoke_has_longer(line):
    heard = Pulse(1.0)
    assert looked(heard, 10) is None
    assert not heard.heard
    assert looked(heard, 1) == ("start", 11.0, True)


def test_a_machine_that_stood_still_is_one_short_look():
    heard = Pulse(1.0)
    heard.read(b'{"work":1}\n')
    heard.look(3_600.0)
    assert heard.silent(**LIMITS) is None


def test_without_the_cap_it_would_be_silence():
    heard = Pulse(1e9)
    heard.read(b'{"work":1}\n')
    heard.look(3_600.0)
    assert heard.silent(**LIMITS) == ("process", 3_600.0, True)


def test_lines_may_come_in_pieces_and_nonsense_is_left_out():
    heard = Pulse(1.0)
    for piece in (b'{"wo', b'rk":1}\n[1]\nnot json\n{"x":"y"}\n{"work":', b"2}\n"):
        heard.read(piece)
    assert heard.heard
    assert looked(heard, 4) == ("process", 4.0, True)
    heard.read(b"x" * 1_000_000)
    heard.read(b"\n" + b"".join(b'{"p%d":1}\n' % n for n in range(1_000)))
    assert len(heard._counts) <= pulse._PARTS_MAX


def test_nobody_waits_for_a_supervisor_that_does_not_read(line):
    beats = Beats()
    for _ in range(20_000):
        beats.send()
    os.read(line, 65_536)


def test_without_a_supervisor_nothing_is_sent(monkeypatch):
    monkeypatch.delenv(FD_VARIABLE, raising=False)
    Beats().send()


def test_a_part_has_a_short_plain_name():
    """It stands in the supervisor's log and in the ledger, and a captured process chooses it."""
    heard = Pulse(1.0)
    for name in ("Doe^Jane", "x\\nkeeper: hangs", "a" * 33, ""):
        heard.read(b'{"%b":1}\n' % name.encode())
    assert not heard.heard
    heard.read(b'{"work":1}\n')
    assert heard.heard
