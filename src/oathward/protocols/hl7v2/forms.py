"""What a value must look like to be what its element says it is.

Rules:
- All forms read the *normal form* of a value: each digit is ``0``. So no verdict depends on a digit, and one
  verdict may be kept for all values that differ in digits only.
- HL7's explicit null (two quotation marks) fits every form.
- A value that does not fit is whatever somebody typed: its class becomes ``note.text``.

Deliberately absent: value sets. A form keeps sentences and most names out of coded elements, not every word.
"""

from __future__ import annotations

import re
from collections.abc import Callable

NUMBER, TIME, TOKEN, WORDS, DI, UNIT, RANGE, ANY = (
    "number",
    "time",
    "token",
    "words",
    "di",
    "unit",
    "range",
    "",
)

_NUMBER = rb"[+-]?(?:0{1,10}(?:\.0{0,10})?|\.0{1,10})(?:[eE][+-]?0{1,3})?"
_TIME = (
    rb"0{4}(?:-?00(?:-?00)?)?(?:[T ]?00(?::?00(?::?00(?:\.0{1,6})?)?)?)?(?:Z|[+-]00:?00)?"
    rb"|00(?::?00(?::?00(?:\.0{1,6})?)?)?(?:[+-]0000)?"
)
_TOKEN = rb"[A-Za-z0_.:/%+*()\[\]{}'<>=,#!-]{1,32}|[0.]{1,64}"
_PATTERNS: dict[str, bytes] = {
    NUMBER: _NUMBER,
    TIME: _TIME,
    TOKEN: _TOKEN,
    WORDS: rb"[A-Za-z0_.:/ -]{1,40}",
    DI: rb"[A-Za-z0+$./%-]{1,25}",
    UNIT: rb"[A-Za-z0%/.*()\[\]{}'_+-]{1,32}",
    RANGE: rb"[<>=]{0,2} ?" + _NUMBER + rb"(?: ?(?:-|to) ?" + _NUMBER + rb")?|[A-Za-z0_.+-]{1,12}",
}
NULL = b'""'

FITS: dict[str, Callable[[bytes], object]] = {
    name: re.compile(b"(?:" + pattern + b")|" + NULL).fullmatch for name, pattern in _PATTERNS.items()
}
"""Name of a form -> whether a normal value has it (a match, or None). ``ANY`` is not in it."""

WIDER: tuple[str, ...] = (NUMBER, TIME, TOKEN, ANY)
"""Forms from narrow to wide: the union of two is the wider one, of two narrow ones a token."""


def union(one: str, other: str) -> str:
    """Give the form that values of either form have."""
    if one == other:
        return one
    if ANY in (one, other):
        return ANY
    return TOKEN


def numbers(separators: bytes, *, integer_digits_max: int) -> Callable[[bytes], object]:
    """Make the test for numbers with any of ``separators`` between them.

    Args:
        separators: byte values, e.g. of the repetition and the component separator.
        integer_digits_max: more digits before the point are an identifier, not a measurement.
    """
    number = _NUMBER.replace(b"0{1,10}(?:", b"0{1,%d}(?:" % integer_digits_max, 1)
    one = b"(?: ?(?:" + number + b"|" + NULL + b")? ?)"
    between = b"[" + re.escape(separators) + b"]"
    return re.compile(one + b"(?:" + between + one + b")*").fullmatch


def structured_numbers(
    repetition: int, component: int, *, integer_digits_max: int
) -> Callable[[bytes], object]:
    """Make the test for SN: comparator, number, separator, number.

    Source: HL7 v2.8.2 §2A.2.72.
    """
    number = b"(?:" + _NUMBER.replace(b"0{1,10}(?:", b"0{1,%d}(?:" % integer_digits_max, 1) + b")?"
    between = re.escape(bytes([component]))
    pieces = (b"(?:[<>=]{0,2})", number, b"[-/:.+]?", number)
    one = b"(?:" + pieces[0] + b"".join(b"(?:" + between + piece for piece in pieces[1:]) + b")?" * 3 + b")"
    return re.compile(one + b"(?:" + re.escape(bytes([repetition])) + one + b")*").fullmatch
