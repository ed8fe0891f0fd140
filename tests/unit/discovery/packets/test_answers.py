"""Answers of DNS: the same again is not read again, and says the same; long ones are not remembered."""

import struct

import pytest
from tests import captured as write

from oathward.discovery.packets import answers as module
from oathward.discovery.packets.answers import Answer, answers


@pytest.fixture(autouse=True)
def _forgotten():
    module._answers.cache_clear()


def test_an_answer_under_another_number_says_the_same_and_is_not_read_again():
    first = write.dns_answer("archive.hospital.example", write.SERVER)
    again = struct.pack(">H", 4_711) + first[2:]

    assert answers(first) == answers(again) == (Answer("archive.hospital.example", 1, write.SERVER),)
    assert module._answers.cache_info().hits == 1


def test_an_answer_that_differs_anywhere_behind_its_number_is_read():
    first = write.dns_answer("archive.hospital.example", write.SERVER)
    moved = write.dns_answer("archive.hospital.example", write.CLIENT)
    broken = first[:-1]

    assert answers(first) != answers(moved)
    assert answers(broken) is None


def test_a_long_answer_is_read_and_not_remembered():
    """Else whoever answers decides how much of a process his answers fill."""
    text = bytes((100,)) + b"x" * 100
    record = b"\xc0\x0c" + struct.pack(">HHLH", 16, 1, 60, 6 * len(text)) + 6 * text
    long = (
        struct.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0) + write.dns_name("a.example") + struct.pack(">HH", 1, 1)
    )
    long += record

    assert answers(long) == (Answer("a.example", 16, "", ("x" * 100,) * 6),)
    assert module._answers.cache_info().currsize == 0
