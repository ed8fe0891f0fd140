"""What a value must look like to be what its element says it is.

Rules:
- All forms read the *normal form* of a value: each digit is ``0``. So no verdict depends on a digit, and one
  verdict may be kept for all values that differ in digits only.
- HL7's explicit null (two quotation marks) fits every form.
- A value that does not fit is whatever somebody typed: its class becomes ``note.text``.
- No pattern can read a value two ways: who writes the value would choose how long we look at it. So each takes
  time in proportion to its length (``test_hostile`` measures it).
- A code of no published table that has five letters in a row is a word (``LOCAL``, ``LABEL``), unless it is one of HL7's own.
- What tells results of one code apart (``SUB_ID``) may have one beside a digit: without it the result would go.
- A number of more than seven digits, and a code with five digits in a row, is more likely an identifier in the
  wrong place; codes of observations (``CODE``) may have eight, those of standard systems any number.

Deliberately absent: value sets. A form keeps sentences and numbers of people out of coded elements, not every word.
"""

from __future__ import annotations

import re
from collections.abc import Callable

NUMBER, TIME, TOKEN, CODE, LOCAL, SUB_ID, LABEL, VERSION, WORDS, PROFILE, CHARSET, DI, UNIT, RANGE, ANY = (
    "number",
    "time",
    "token",
    "code",
    "local",
    "sub-id",
    "label",
    "version",
    "words",
    "profile",
    "charset",
    "di",
    "unit",
    "range",
    "",
)

_NUMBER = rb"[+-]?(?:0{1,7}(?:\.0{0,10})?|\.0{1,10})(?:[eE][+-]?0{1,3})?"
_TIME = (
    rb"0{4}(?:-?00(?:-?00)?)?(?:[T ]?00(?::?00(?::?00(?:\.0{1,6})?)?)?)?(?:Z|[+-]00:?00)?"
    rb"|00(?::?00(?::?00(?:\.0{1,6})?)?)?(?:[+-]0000)?"
)
_CODE = rb"[A-Za-z0_.:/%+*()\[\]{}'<>=,#!-]{1,32}"
_OID = rb"0(?:\.0{1,10}){3,20}"
_NO_RUN_OF_5 = rb"(?!.*0{5})"
_NO_WORD = rb"(?!.*[A-Za-z]{5})"
_TABLE_WORDS = (
    rb"EQUIP|SHAMPOO|Routine|Walkin|Checkup|Followup|Emergency|Normal|Complete|Pending|Waitlist|Booked|Started"
    rb"|Cancelled|Deleted|Blocked|Overbook|Noshow"
)
"""Codes of five letters and more that fields have without a system. Source: HL7 tables 0912, 0162, 0276, 0277, 0278."""

_SIGNS = rb"\xc2?[\xb0\xb5]|\xce\xbc"
"""The signs of degree and micro, in Latin-1 and UTF-8."""

_UNIT_WORDS = (
    rb"beats?|breaths?|[Mm]inutes?|[Hh]ours?|[Ss]econds?|[Mm]onths?|[Ww]eeks?|[Yy]ears?|[Pp]ercent|[Dd]egrees?|Celsius"
    rb"|Fahrenheit|[Ss]cores?|nominal|unitless|[Cc]ounts?|[Cc]opies|[Cc]ells|[Uu]nits|[Ii]ndex|[Rr]atio|[Tt]iter|[Tt]ablets?"
    rb"|[Cc]apsules?|[Dd]rops|[Dd]oses?|[Pp]uffs|[Ss]prays?|steps|strides|events?|episodes?|points?|litres?|liters?|grams?"
    rb"|metres?|meters?|inch(?:es)?|pounds?|ounces?|calories|volts?|watts?|joules?|pulses?|cmHgs?|mmolL?|mcmol|titre|lumen"
)
UNIT_PATTERN = (
    rb"(?=.{1,32}\Z)"
    + _NO_RUN_OF_5
    + rb"(?:(?:"
    + _UNIT_WORDS
    + rb")(?![A-Za-z])|[A-Za-z]{1,4}(?![A-Za-z])|[0%/.*()\[\]{}'_+-]|"
    + _SIGNS
    + rb"){1,32}"
)
"""A unit, UCUM's or as it is spoken: a word of five letters or more is one of these, or somebody's text."""

_PATTERNS: dict[str, bytes] = {
    NUMBER: _NUMBER,
    TIME: _TIME,
    TOKEN: _NO_RUN_OF_5 + _CODE + rb"|" + _OID,
    CODE: rb"(?!.*0{9})" + _CODE + rb"|" + _OID,
    LOCAL: _NO_RUN_OF_5 + _NO_WORD + _CODE + rb"|" + _OID + rb"|" + _TABLE_WORDS,
    SUB_ID: _NO_RUN_OF_5 + rb"(?:" + _NO_WORD + rb"|(?=[^0]*0))" + _CODE + rb"|" + _OID,
    LABEL: rb"(?!.*0{9})" + _NO_WORD + _CODE + rb"|" + _OID,
    VERSION: rb"[A-Za-z]{0,2}[ .-]?0{1,8}(?:[._-]0{1,8}){0,6}(?:[ ._+-]?(?:alpha|beta|rc|build|[A-Za-z])[.-]?0{0,4})?",
    WORDS: rb"[A-Za-z0_.:/ -]{1,40}",
    PROFILE: _NO_RUN_OF_5 + _CODE + rb"|" + _OID + rb"|IHE [A-Z]{2,5}",
    # Names of table 0211 have spaces, and digits in a row.
    CHARSET: _NO_RUN_OF_5
    + _CODE
    + rb"|"
    + _OID
    + rb"|UNICODE UTF-?0{1,2}|ISO IR0{1,3}|ISO 0000-0000|GB 00000-0000|KS X 0000|CNS 00000-0000",
    DI: rb"[A-Za-z0+$./%-]{1,25}",
    UNIT: UNIT_PATTERN,
    RANGE: rb"[<>=]{0,2} ?" + _NUMBER + rb"(?: ?(?:-|to) ?" + _NUMBER + rb")?|[A-Za-z_.+-]{1,12}",
}
NULL = b'""'

FITS: dict[str, Callable[[bytes], object]] = {
    name: re.compile(b"(?:" + pattern + b")|" + NULL).fullmatch for name, pattern in _PATTERNS.items()
}
"""Name of a form -> whether a normal value has it (a match, or None). ``ANY`` is not in it."""


def union(one: str, other: str) -> str:
    """Give a form that values of either form have; that of codes where they differ."""
    if one == other:
        return one
    if ANY in (one, other):
        return ANY
    return LABEL if LOCAL in (one, other) else CODE


def numbers(separators: bytes, *, integer_digits_max: int) -> Callable[[bytes], object]:
    """Make the test for numbers with any of ``separators`` between them.

    The value is split first and each piece matched alone: a pattern over the whole value could read one
    separator two ways (``.``, ``-`` or ``"`` may be separators), and then tries all of them.

    Args:
        separators: byte values, e.g. of the repetition and the component separator.
        integer_digits_max: more digits before the point are an identifier, not a measurement.
    """
    fits = re.compile(b" ?(?:(?:" + _number(integer_digits_max) + b"|" + NULL + b") ?)?").fullmatch
    mark = separators[:1]
    table = bytes.maketrans(separators, mark * len(separators))

    def all_fit(value: bytes) -> bool:
        return all(map(fits, set(value.translate(table).split(mark))))

    return all_fit


def structured_numbers(
    repetition: int, component: int, *, integer_digits_max: int
) -> Callable[[bytes], object]:
    """Make the test for SN: comparator, number, separator, number.

    Source: HL7 v2.8.2 §2A.2.72.
    """
    number = re.compile(b"(?:" + _number(integer_digits_max) + b")?").fullmatch
    pieces = (re.compile(rb"[<>=]{0,2}").fullmatch, number, re.compile(rb"[-/:.+]?").fullmatch, number)
    between, inner = bytes([repetition]), bytes([component])

    def one_fits(value: bytes) -> bool:
        found = value.split(inner, len(pieces))
        return len(found) <= len(pieces) and all(
            fits(piece) for fits, piece in zip(pieces, found, strict=False)
        )

    return lambda value: all(map(one_fits, set(value.split(between))))


def _number(integer_digits_max: int) -> bytes:
    return _NUMBER.replace(b"0{1,7}(?:", b"0{1,%d}(?:" % integer_digits_max, 1)
