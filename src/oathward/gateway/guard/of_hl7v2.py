"""What an HL7 v2 original says about its persons.

Rules:
- Whole person-bearing segments are taken: every field of PID, NK1, GT1, MRG, and of IN1 what is the insured's.
  This module has its own short list of them and never asks the catalogue: a hole there must not be one here.
- The code and text of a coded element are no tokens.

Deliberately absent: how tokens are made (``makers``).

Source: HL7 v2.8.2 §3.3.2 (PID), §3.3.5 (NK1), §6.5.5 (GT1), §6.5.6 (IN1), §3.3.9 (MRG).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from oathward.gateway.guard import makers
from oathward.gateway.guard.tokens import Tokens, settle
from oathward.protocols.hl7v2.reader import Message

_IDS, _NAMES, _PHONES, _ADDRESSES, _BIRTHS = "id", "name", "phone", "address", "birth"
_FIELDS: dict[bytes, dict[int, str]] = {
    b"PID": {2: _IDS, 3: _IDS, 4: _IDS, 5: _NAMES, 6: _NAMES, 7: _BIRTHS, 9: _NAMES, 11: _ADDRESSES, 13: _PHONES,
             14: _PHONES, 18: _IDS, 19: _IDS, 20: _IDS, 21: _IDS, 40: _PHONES},
    b"NK1": {2: _NAMES, 4: _ADDRESSES, 5: _PHONES, 6: _PHONES, 12: _IDS, 16: _BIRTHS, 26: _NAMES, 30: _NAMES,
             31: _PHONES, 32: _ADDRESSES, 33: _IDS, 37: _IDS, 40: _PHONES, 41: _PHONES},
    b"GT1": {2: _IDS, 3: _NAMES, 4: _NAMES, 5: _ADDRESSES, 6: _PHONES, 7: _PHONES, 8: _BIRTHS, 12: _IDS,
             17: _ADDRESSES, 18: _PHONES, 19: _IDS, 42: _NAMES, 45: _NAMES, 46: _PHONES},
    b"IN1": {16: _NAMES, 18: _BIRTHS, 19: _ADDRESSES, 36: _IDS, 49: _IDS},
    b"MRG": {1: _IDS, 2: _IDS, 3: _IDS, 4: _IDS, 5: _IDS, 6: _IDS, 7: _NAMES},
}  # fmt: skip
PERSON_SEGMENTS = frozenset(_FIELDS)
_BY_SHAPE = PERSON_SEGMENTS - {b"IN1"}
_O = ord("O")

_SYSTEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,24}").fullmatch


def tokens_of(message: Message) -> Tokens:
    """Collect the raw tokens of the person-bearing segments of a message."""
    tokens = Tokens()
    for segment in message.segments:
        if segment[:3] in PERSON_SEGMENTS:
            for kind, place, repetition in _values(message, segment):
                tokens.too_many = tokens.full
                if tokens.too_many:
                    return tokens
                _TAKE[kind](tokens, place, _Parts(message, repetition))
    return settle(tokens, makers.date_of(message.header(7).decode("ascii", "replace")))


def day_of(message: Message) -> bytes:
    """Give the day of a message, ``YYYYMMDD``."""
    return message.header(7)[:8]


def persons_of(message: Message) -> tuple[object, ...]:
    """All that tells which tokens a message has: its persons' segments, how to read them, and the day."""
    segments = message.segments
    return (
        message.header(7)[:8],
        segments[0][3:9],
        message.charset,
        *[one for one in segments if one[0] != _O and one[:3] in PERSON_SEGMENTS],
    )


class _Parts:
    """The components of one repetition as text."""

    __slots__ = ("_message", "_pieces")

    def __init__(self, message: Message, repetition: bytes) -> None:
        self._message = message
        self._pieces = repetition.split(bytes([message.separators.component]))

    def __len__(self) -> int:
        return len(self._pieces)

    def text(self, n: int) -> str:
        """Give component ``n`` from 1; sub-components with spaces between them."""
        if n > len(self._pieces):
            return ""
        piece = self._pieces[n - 1].replace(bytes([self._message.separators.subcomponent]), b" ")
        text = self._message.text(piece).reveal().strip()
        return "" if text == '""' else text

    def all(self) -> Iterator[str]:
        """Give each component that holds something."""
        return (text for n in range(1, len(self._pieces) + 1) if (text := self.text(n)))


def _values(message: Message, segment: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Give kind, place and bytes of every repetition that holds something."""
    name = segment[:3]
    kinds = _FIELDS[name]
    for n, value in enumerate(message.fields(segment)):
        if n == 0 or not value:
            continue
        kind = kinds.get(n) or ("" if name in _BY_SHAPE else None)
        if kind is not None:
            place = f"{name.decode()}-{n}"
            for repetition in message.repetitions(value):
                yield kind, place, repetition


def _take_id(tokens: Tokens, place: str, parts: _Parts) -> None:
    makers.take_identifier(tokens, place, parts.text(1))


def _take_name(tokens: Tokens, place: str, parts: _Parts) -> None:
    makers.take_name(tokens, place, parts.text(1), parts.text(2), parts.text(3))


def _take_phone(tokens: Tokens, place: str, parts: _Parts) -> None:
    country, area, local = parts.text(5), parts.text(6), parts.text(7)
    formatted = makers.without_extension(parts.text(1))
    makers.take_phone(tokens, place, (formatted, country + area + local, area + local, local, parts.text(12)))
    for text in parts.all():
        makers.take_email(tokens, place, text)


def _take_address(tokens: Tokens, place: str, parts: _Parts) -> None:
    makers.take_address(tokens, place, (parts.text(1), parts.text(2)), parts.text(3), parts.text(5))


def _take_birth(tokens: Tokens, place: str, parts: _Parts) -> None:
    makers.take_birth(tokens, place, parts.text(1))


def _take_by_shape(tokens: Tokens, place: str, parts: _Parts) -> None:
    coded = len(parts) >= 3 and _SYSTEM(parts.text(3)) is not None
    for text in parts.all():
        makers.take_by_shape(tokens, place, text, coded=coded)


_TAKE: dict[str, Callable[[Tokens, str, _Parts], None]] = {
    _IDS: _take_id,
    _NAMES: _take_name,
    _PHONES: _take_phone,
    _ADDRESSES: _take_address,
    _BIRTHS: _take_birth,
    "": _take_by_shape,
}
