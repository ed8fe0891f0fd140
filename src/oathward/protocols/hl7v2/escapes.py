r"""Separators of a message, and the escape sequences that let values hold them.

Rules:
- ``escape_bytes`` is the only way a value gets into a field: separators, the escape character and every
  control character become escape sequences, so no value makes a component, a field, a segment or a frame.
- ``unescape(escape(x)) == x`` for every text.
- Reading: ``\F\ \S\ \T\ \R\ \E\ \P\`` give the separator, ``\Xhh..\`` the bytes, ``\.br\`` and ``\.sp\`` a line
  feed, ``\H\`` and ``\N\`` nothing. Kept as they stand: ``\Cxxyy\`` and ``\Mxxyyzz\`` (other character sets),
  ``\Z..\`` (local), other formatting commands, anything unknown or unfinished.
- A separator the message does not define is ``ABSENT``: a byte that no message holds. Without an escape
  character a value's separators are written as spaces, because nothing can stand for them.

Deliberately absent: reflow of formatted text (``\.in\``, ``\.ce\`` …).

Source: HL7 v2.8.2 §2.5.4 (delimiters), §2.7 (escape sequences).
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

ABSENT = 0
"""The byte of an undefined separator; ``decode`` refuses a message that holds it."""


@dataclass(frozen=True, slots=True)
class Separators:
    """The byte values that MSH-1 and MSH-2 define; ``ABSENT`` where they define none."""

    field: int
    component: int
    repetition: int
    escape: int = ABSENT
    subcomponent: int = ABSENT
    truncation: int | None = None


USUAL = Separators(*b"|^~\\&")

_SPACE = b" "
_CONTROL = bytes(range(0x20)) + b"\x7f"


def escape_bytes(value: bytes, separators: Separators = USUAL) -> bytes:
    """Write a value for a field, component or sub-component; ASCII-transparent character sets only."""
    pattern, replace = _writer(separators)
    return pattern.sub(replace, value)


def unescape_bytes(value: bytes, separators: Separators = USUAL) -> bytes:
    """Read a value of a field that holds no further structure; in the message's character set."""
    if separators.escape not in value or separators.escape == ABSENT:
        return value
    pattern, replace = _reader(separators)
    return pattern.sub(replace, value)


def escape(text: str, separators: Separators = USUAL) -> str:
    """Write a text value; see ``escape_bytes``."""
    return escape_bytes(text.encode("utf-8", "surrogatepass"), separators).decode("utf-8", "surrogatepass")


def unescape(text: str, separators: Separators = USUAL) -> str:
    r"""Read a text value; bytes of ``\X..\`` are taken as UTF-8, and shown as ``\xhh`` where they are not."""
    raw = unescape_bytes(text.encode("utf-8", "surrogatepass"), separators)
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace")


@lru_cache(maxsize=256)
def _writer(separators: Separators) -> tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]]:
    mark = bytes([separators.escape])
    letters = _letters(separators)
    table: dict[bytes, bytes] = {}
    for code in _CONTROL:
        table[bytes([code])] = b"%bX%02X%b" % (mark, code, mark)
    for letter, code in letters.items():
        table[bytes([code])] = mark + letter + mark
    if separators.escape == ABSENT:
        table = dict.fromkeys(table, _SPACE)
    specials = re.compile(b"[" + b"".join(re.escape(special) for special in table) + b"]")
    return specials, lambda match: table[match[0]]


@lru_cache(maxsize=256)
def _reader(separators: Separators) -> tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]]:
    mark = re.escape(bytes([separators.escape]))
    table = {letter: bytes([code]) for letter, code in _letters(separators).items()}
    table |= {b"H": b"", b"N": b"", b".br": b"\n", b".BR": b"\n", b".sp": b"\n", b".SP": b"\n"}

    def replace(match: re.Match[bytes]) -> bytes:
        name = match[1]
        known = table.get(name)
        if known is not None:
            return known
        return unhexlify(name[1:]) if name[:1] in b"Xx" and len(name) % 2 else match[0]

    names = rb"([FSTREPHN]|\.(?:br|BR|sp|SP)|[Xx](?:[0-9A-Fa-f]{2})+)"
    return re.compile(mark + names + mark), replace


def _letters(separators: Separators) -> dict[bytes, int]:
    letters = {
        b"F": separators.field,
        b"S": separators.component,
        b"T": separators.subcomponent,
        b"R": separators.repetition,
        b"E": separators.escape,
    }
    if separators.truncation is not None:
        letters[b"P"] = separators.truncation
    return {letter: code for letter, code in letters.items() if code != ABSENT}
