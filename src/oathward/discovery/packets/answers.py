"""The answers of a DNS message: which name has which address, and what services a host offers.

Rules:
- Names are read under bounds: pointers only go back, so that no loop is possible; a message with more records is read in part.
- Questions are stepped over: what somebody looks for is no statement of anybody.
- A short message that is the same again but for its number, as a zone's own server and those who announce themselves send it, is not read again.

Source: RFC 1035 §4.1 (messages), §4.1.4 (compression), RFC 3596 (AAAA), RFC 2782 (SRV), RFC 6763 §6 (TXT of a service).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from oathward.discovery.packets.notes import text, written

A, PTR, TXT, AAAA, SRV = 1, 12, 16, 28, 33
_KINDS = frozenset((A, PTR, TXT, AAAA, SRV))
RECORDS_MAX = 64
NAME_LENGTH_MAX = 255
_header = Struct(">HHHHHH").unpack_from
_record = Struct(">HHLH").unpack_from
_QUESTION_AT, _TO_QUESTION = 12, b"\xc0\x0c"
_REMEMBERED_MAX = 16_384
_REMEMBERED_BYTES_MAX = 80
_MESSAGES_MAX, _MESSAGE_BYTES_MAX = 4_096, 512
"""Messages that are remembered: how many, and how long one may be."""


class Answer(NamedTuple):
    """One record: name, type, and its address, target or texts."""

    name: str
    kind: int
    value: str
    texts: tuple[str, ...] = ()


def looks(data: bytes) -> bool:
    """Say whether a payload can be a message of DNS: counts that its length can hold, no bits that must be zero."""
    if len(data) < 12:
        return False
    _, flags, questions, found, authority, more = _header(data)
    return (
        questions <= 16
        and 5 * questions + 11 * (found + authority + more) <= len(data) - 12 + 11
        and not flags & 0x0040
    )


def is_answer(data: bytes) -> bool:
    """Say whether a message is an answer with records."""
    return len(data) >= 12 and bool(data[2] & 0x80) and data[3] & 15 == 0 and data[6:12] != b"\0\0\0\0\0\0"


def answers(data: bytes) -> tuple[Answer, ...] | None:
    """Read the records of an answer; None where it breaks off or lies about a length."""
    return _answers(data[2:]) if len(data) <= _MESSAGE_BYTES_MAX else _records(data)


@lru_cache(_MESSAGES_MAX)
def _answers(unnumbered: bytes) -> tuple[Answer, ...] | None:
    return _records(b"\0\0" + unnumbered)


def _records(data: bytes) -> tuple[Answer, ...] | None:
    _, _, questions, found, authority, more = _header(data)
    listed: list[Answer] = []
    at, size_all = _QUESTION_AT, len(data)
    for _ in range(questions):
        at = _past(data, at) + 4
    for _ in range(min(found + authority + more, RECORDS_MAX)):
        begin = at
        at = _past(data, at)
        if at + 10 > size_all:
            return None
        kind, _class, _ttl, size = _record(data, at)
        at += 10
        end = at + size
        if end > size_all:
            return None
        if kind in _KINDS:
            answer = _answer(data, begin, kind, at, end)
            if answer is not None:
                listed.append(answer)
        at = end
    return tuple(listed)


def _answer(data: bytes, begin: int, kind: int, at: int, end: int) -> Answer | None:
    """Read one record: its name stands at ``begin``, what it says from ``at`` to ``end``; None where it says nothing that is looked at."""
    size = end - at
    if kind in (A, AAAA):
        if size != (4 if kind == A else 16):
            return None
        return Answer(name_at(data, begin), kind, written(data[at:end]))
    if kind == PTR:
        return Answer(name_at(data, begin), kind, name_at(data, at))
    if kind == TXT:
        return Answer(name_at(data, begin), kind, "", _texts(data, at, end))
    return Answer(name_at(data, begin), kind, name_at(data, at + 6)) if size > 6 else None


def _past(data: bytes, at: int) -> int:
    """Step over a name; beyond the end where it is none."""
    while at < len(data):
        size = data[at]
        if size == 0:
            return at + 1
        if size >= 0xC0:
            return at + 2
        if size >= 0x40:
            break
        at += 1 + size
    return len(data) + 1


def name_at(data: bytes, at: int) -> str:
    """Read a name, in lower case; what of it can be read."""
    begin = _QUESTION_AT if at > _QUESTION_AT and data[at : at + 2] == _TO_QUESTION else at
    end = data.find(b"\0", begin, begin + _REMEMBERED_BYTES_MAX)
    found = _whole(data[begin:end]) if end > begin else None
    return _name_at(data, at) if found is None else found


@lru_cache(_REMEMBERED_MAX)
def _whole(labels: bytes) -> str | None:
    """Read a name whose labels are all here, without its last, empty one; None where it is another way."""
    at = 0
    while at < len(labels) and labels[at] < 0x40:
        at += 1 + labels[at]
    return _name_at(labels, 0) if at == len(labels) else None


def _name_at(data: bytes, at: int) -> str:
    labels: list[bytes] = []
    lowest, length = at, 0
    while at < len(data):
        size = data[at]
        if size >= 0xC0:
            if at + 1 >= len(data):
                break
            at = (size & 0x3F) << 8 | data[at + 1]
            if at >= lowest:  # only back: each pointer leads before all that was read
                break
            lowest = at
            continue
        if size == 0 or size >= 0x40 or (length := length + 1 + size) > NAME_LENGTH_MAX:
            break
        labels.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    joined = b".".join(labels)
    try:
        plain = joined.decode("ascii")
    except UnicodeDecodeError:
        return text(joined).lower()
    return plain.lower() if plain.isprintable() and len(plain) <= 200 else text(plain).lower()


def _texts(data: bytes, at: int, end: int) -> tuple[str, ...]:
    found: list[str] = []
    while at < end and len(found) < 32:
        size = data[at]
        if size and at + 1 + size <= end:
            found.append(text(data[at + 1 : at + 1 + size]))
        at += 1 + size
    return tuple(found)
