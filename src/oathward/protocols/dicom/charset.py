"""Texts of a file in the character sets it names.

Rules:
- Sets without code extensions are read by Python's codecs, those with them (ISO 2022) by pydicom's.
- What cannot be read is told as such: nobody may pass a text that nobody could read.
- A new text is written in the set the old one was in; what is put in a place is ASCII, which all sets can hold.

Source: DICOM PS3.3 §C.12.1.1.2 (Specific Character Set), PS3.5 §6.1.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

_PYTHON = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "iso8859-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 166": "iso8859-11",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
ESCAPE = b"\x1b"
_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}
_PN_DELIMITERS = {0x5C, 0x5E, 0x3D}


class UnreadableError(ValueError):
    """A text is not what its character set says, or nobody knows the set."""


@lru_cache(maxsize=64)
def _sets(named: bytes) -> tuple[str, ...]:
    return tuple(word.strip() for word in named.decode("ascii", "replace").strip("\0 ").split("\\"))


def text_of(value: bytes, named: bytes, vr: bytes = b"LO") -> str:
    """Give the text of a value.

    Args:
        value: as in the file, padding included.
        named: the value of (0008,0005) that holds there; empty: the default repertoire.
        vr: PN has delimiters of its own.

    Raises:
        UnreadableError: it cannot be read.
    """
    if ESCAPE not in value and value.isascii():
        # ISO_IR 13 has a yen sign where ASCII has a backslash: what stands there separates values all the same.
        return value.decode("ascii").rstrip("\0 ")
    sets = _sets(named)
    if len(sets) == 1 and sets[0] in _PYTHON:
        try:
            return value.decode(_PYTHON[sets[0]]).rstrip("\0 ")
        except UnicodeDecodeError as error:
            raise UnreadableError(named) from error
    return _extended(value, sets, vr)


def bytes_of(text: str, named: bytes) -> bytes:
    """Write a text in a character set, unpadded.

    Raises:
        UnreadableError: the set cannot hold it.
    """
    if text.isascii():
        return text.encode("ascii")
    sets = _sets(named)
    if len(sets) == 1 and sets[0] in _PYTHON:
        try:
            return text.encode(_PYTHON[sets[0]])
        except UnicodeEncodeError as error:
            raise UnreadableError(named) from error
    from pydicom.charset import encode_string

    try:
        return encode_string(text, list(_codecs(sets)))
    except (ValueError, LookupError) as error:
        raise UnreadableError(named) from error


def _extended(value: bytes, sets: tuple[str, ...], vr: bytes) -> str:
    """Read a text with code extensions."""
    from pydicom.charset import decode_bytes

    delimiters = _PN_DELIMITERS if vr == b"PN" else _DELIMITERS
    try:
        text = decode_bytes(value, list(_codecs(sets)), delimiters)
    except (ValueError, LookupError) as error:
        raise UnreadableError(sets) from error
    if "\ufffd" in text or "\x1b" in text:
        raise UnreadableError(sets)
    return text.rstrip("\0 ")


@lru_cache(maxsize=64)
def _codecs(sets: tuple[str, ...]) -> tuple[str, ...]:
    """Give pydicom's codecs of the sets.

    Raises:
        UnreadableError: one of them is no set of the standard.
    """
    from pydicom.charset import python_encoding

    try:
        found = tuple(python_encoding[name] for name in sets)
    except KeyError as error:
        raise UnreadableError(sets) from error
    for name in found:
        if not name.startswith("iso2022"):
            codecs.lookup(name)
    return found
