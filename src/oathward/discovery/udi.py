"""Unique Device Identification as it is written on devices: UDI-DI and what comes with it, by the three issuing agencies.

Rules:
- Check digits are checked. What does not fit is refused with its place, never guessed: a wrong serial would name another device.
- Only a *serial* tells one device from the next of its kind; a lot does not.
- The text may be the scanned one (FNC1 as GS, a symbology identifier in front) or the one for people (``(01)…(21)…``).

Source: 21 CFR 830; GS1 General Specifications §3.2, §7.2.7, §7.9.1, §7.12; ANSI/HIBC 2.6; ICCBBA ST-017 and ST-001 (ISBT 128).
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

LENGTH_MAX = 200
"""Characters of a UDI; the longest of the three agencies has 141."""

_GS = "\x1d"
_ANY_YEAR = 2000
"""Where no day is kept, only its form is looked at."""
_BEGINS = re.compile(r"\(01\)[0-9]{14}|01[0-9]{15}|\+[A-Z0-9]{6}|=/").match
"""How a whole UDI begins: GS1 with and without brackets, HIBCC, ICCBBA. A number alone may be anybody's."""


@dataclass(frozen=True, slots=True)
class Udi:
    """What a UDI says.

    Args:
        agency: ``GS1``, ``HIBCC`` or ``ICCBBA``. di: the UDI-DI as GUDID writes it: 14 digits, or without ``+`` and ``=/``.
        serial, lot, donation: as written; empty where it has none. expiry, made: ISO dates.
    """

    agency: str
    di: str
    serial: str = ""
    lot: str = ""
    expiry: str = ""
    made: str = ""
    donation: str = ""


def parse(text: str, year: int) -> Udi:
    """Read a UDI.

    Args:
        year: of now; years of two digits are meant within 50 of it.

    Raises:
        InputError: it is none; ``where`` names the part (``(17)``, ``check character`` …), never what stands in it.
    """
    text = text.strip().strip(_GS)
    if len(text) > LENGTH_MAX:
        raise _bad("UDI", f"at most {LENGTH_MAX} characters", Reason.LIMIT_EXCEEDED)
    if not text.isascii():
        raise _bad("UDI", "has only letters, digits and signs of ASCII")
    text = re.sub(r"^\](C1|d2|Q3|e0|J1)", "", text).lstrip(_GS)
    if text.startswith("+"):
        return _hibcc(text.upper(), year)
    if text.startswith("="):
        return _iccbba(text, year)
    return _gs1(text, year)


def is_whole(text: str) -> bool:
    """Say whether text is a UDI with its UDI-DI, by its form and check digits: what stands where one is expected may be anything."""
    try:
        parse(text, _ANY_YEAR)
    except InputError:
        return False
    return _BEGINS(text.strip()) is not None


def gtin(text: str) -> str | None:
    """Write a GTIN of 8, 12, 13 or 14 digits with 14, once its check digit holds; None where it is none."""
    if not (text.isascii() and text.isdigit()) or len(text) not in {8, 12, 13, 14}:
        return None
    digits = text.zfill(14)
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits[:13]))
    return digits if (total + int(digits[13])) % 10 == 0 else None


# --- GS1

_FIXED = {"00": 18, "01": 14, "02": 14, "03": 14, "04": 16, "20": 2} | {f"{n}": 6 for n in range(11, 20)}
"""Application identifier -> digits of its value; these need no separator behind them."""
_FIXED_FOUR = {f"{n}": 6 for n in range(31, 37)} | {"41": 13}
"""First two digits of an identifier of four (41: three) with a value of fixed length."""
_VARIABLE = {"10": 20, "21": 20, "22": 20, "30": 8, "37": 8, "235": 28, "240": 30, "241": 30, "242": 6, "243": 20, "250": 30, "251": 30, "253": 30, "254": 20}  # fmt: skip
_VARIABLE |= {str(n): 90 for n in range(91, 100)} | {"90": 30}
_BRACKETS = re.compile(r"\((\d{2,4})\)([^()]*(?:\((?!\d{2,4}\))[^()]*)*)")


def _gs1(text: str, year: int) -> Udi:
    if alone := gtin(text):
        return Udi("GS1", alone)
    said: dict[str, str] = {}
    for ai, value in _bracketed(text) if text.startswith("(") else _plain(text):
        if ai in said:
            raise _bad(f"({ai})", "stands there twice", Reason.ELEMENT_REPEATED)
        said[ai] = _checked(ai, value)
    if "01" not in said:
        raise _bad("(01)", "is missing: no UDI-DI", Reason.ELEMENT_MISSING)
    days = {ai: _yymmdd(said[ai], year, f"({ai})") if ai in said else "" for ai in ("11", "17")}
    return Udi("GS1", said["01"], said.get("21", ""), said.get("10", ""), days["17"], days["11"])


def _checked(ai: str, value: str) -> str:
    where = f"({ai})"
    longest = _FIXED.get(ai) or _VARIABLE.get(ai) or LENGTH_MAX
    if not value or len(value) > longest or (ai in _FIXED and len(value) != longest):
        raise _bad(where, f"{'exactly' if ai in _FIXED else 'at most'} {longest} characters")
    if ai in _FIXED and not value.isdigit():
        raise _bad(where, "is of digits")
    if ai == "01" and gtin(value) is None:
        raise _bad(where, "its check digit does not hold")
    return value


def _bracketed(text: str) -> list[tuple[str, str]]:
    parts, end = [], 0
    for match in _BRACKETS.finditer(text):
        if match.start() != end:
            break
        parts.append((match[1], match[2].strip()))
        end = match.end()
    if end != len(text):
        raise _bad("UDI", "is not made of (application identifier)value")
    return parts


def _plain(text: str) -> list[tuple[str, str]]:
    parts, at = [], 0
    while at < len(text):
        ai, length = _identifier(text[at : at + 4])
        at += len(ai)
        if length:
            value = text[at : at + length]
            at += length
        else:
            value, _, _ = text[at:].partition(_GS)
            at += len(value)
        if text[at : at + 1] == _GS:
            at += 1
        parts.append((ai, value))
    return parts


def _identifier(text: str) -> tuple[str, int]:
    """Give the application identifier at the front, and the length of its value where that is fixed."""
    two = text[:2]
    if two in _FIXED:
        return two, _FIXED[two]
    if two in _FIXED_FOUR and text.isdigit() and len(text) == 4:
        return (text[:3] if two == "41" else text), _FIXED_FOUR[two]
    for ai in (two, text[:3]):
        if ai in _VARIABLE:
            return ai, 0
    raise _bad("UDI", "has an application identifier that no UDI has")


# --- HIBCC

_HIBCC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
_PRIMARY = re.compile(r"[A-Z][A-Z0-9]{3}[A-Z0-9]{1,18}[0-9]")


def _hibcc(text: str, year: int) -> Udi:
    if any(c not in _HIBCC for c in text):
        raise _bad("UDI", "has a character that HIBCC has not")
    if _HIBCC[sum(map(_HIBCC.index, text[:-1])) % 43] != text[-1]:
        raise _bad("check character", "does not hold")
    primary, *others = text[1:-1].split("/")
    if not _PRIMARY.fullmatch(primary):
        raise _bad("primary", "is labeller, product and unit of measure: 6 to 23 letters and digits")
    found = Udi("HIBCC", primary)
    for number, part in enumerate(others, 1):
        found = _secondary(found, part, f"secondary {number}", year)
    return found


def _secondary(found: Udi, part: str, where: str, year: int) -> Udi:
    if part.startswith(("14D", "16D")):
        try:
            day = date.fromisoformat(part[3:]).isoformat() if len(part) == 11 else ""
        except ValueError:
            day = ""
        if not day:
            raise _bad(where, "is a date YYYYMMDD")
        return replace(found, expiry=day) if part.startswith("14D") else replace(found, made=day)
    if part.startswith("$"):
        expiry, rest = "", part.lstrip("$")
        serial = rest.startswith("+")
        rest = rest.removeprefix("+")
        if part.startswith("$$"):
            expiry, rest = _hibcc_expiry(rest, where, year)
        found = replace(found, expiry=expiry or found.expiry)
        return replace(found, serial=rest) if serial else replace(found, lot=rest)
    if part.startswith("S"):
        return replace(found, serial=part[1:])
    if part[:1] in {"Q", "L"}:
        return found  # quantity, place of storage
    if part[:5].isdigit() and len(part) >= 5:
        return replace(found, expiry=_yyjjj(part[:5], year, where), lot=part[5:])
    raise _bad(where, "is no part that HIBCC has")


_EXPIRY = {"0": (0, 4), "1": (0, 4), "2": (1, 7), "3": (1, 7), "4": (1, 9), "5": (1, 6), "6": (1, 8)}
"""Flag in front of a date -> where the date begins, where the lot or serial does: MMYY, MMDDYY, YYMMDD, YYMMDDHH, YYJJJ, YYJJJHH."""


def _hibcc_expiry(text: str, where: str, year: int) -> tuple[str, str]:
    """Read quantity and date behind ``$$``; gives the date and what is left."""
    text = text[{"8": 3, "9": 6}.get(text[:1], 0) :]
    flag = text[:1]
    if flag not in _EXPIRY:
        return "", text.removeprefix("7")
    begin, end = _EXPIRY[flag]
    told, rest = text[begin:end], text[end:]
    if flag in {"0", "1"}:
        return _day(told[2:4], told[:2], "00", year, where), rest
    if flag == "2":
        return _day(told[4:6], told[:2], told[2:4], year, where), rest
    if flag in {"3", "4"}:
        return _yymmdd(told, year, where), rest
    return _yyjjj(told[:5], year, where), rest


# --- ICCBBA

_ISBT = re.compile(r"=/|=,|=>|=\}|&,1|=(?=[A-Z0-9])")
_ISBT_DI = re.compile(r"[A-Z0-9]{16}")


def _iccbba(text: str, year: int) -> Udi:
    _ = year  # its years have three digits
    found = Udi("ICCBBA", "")
    marks = list(_ISBT.finditer(text))
    if not marks or marks[0].start():
        raise _bad("UDI", "begins with a data identifier of ISBT 128")
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        value = text[mark.end() : after.start() if after else len(text)]
        where = mark[0]
        match where:
            case "=/":
                if not _ISBT_DI.fullmatch(value):
                    raise _bad(where, "is of 16 letters and digits")
                found = replace(found, di=value)
            case "=,":
                found = replace(found, serial=_sized(value, 6, where))
            case "=>":
                found = replace(found, expiry=_cyyjjj(value, where))
            case "=}":
                found = replace(found, made=_cyyjjj(value, where))
            case "&,1":
                found = replace(found, lot=_sized(value, 18, where))
            case _:
                found = replace(found, donation=_donation(value))
    if not found.di:
        raise _bad("=/", "is missing: no UDI-DI", Reason.ELEMENT_MISSING)
    return found


def _donation(value: str) -> str:
    """Check a donation identification number: 13 characters and two flags, from 60 on a check by ISO 7064 mod 37-2."""
    value = _sized(value, 15, "=")
    flags = value[13:]
    if flags.isdigit() and int(flags) >= 60:
        letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
        total = 0
        for character in value[:13]:
            total = (total + letters.index(character)) * 2 % 37
        if (38 - total) % 37 != int(flags) - 60:
            raise _bad("=", "its check characters do not hold")
    return value


def _sized(value: str, length: int, where: str) -> str:
    if len(value) != length or not re.fullmatch(r"[A-Z0-9]+", value):
        raise _bad(where, f"is of {length} letters and digits")
    return value


# --- dates


def _yymmdd(text: str, year: int, where: str) -> str:
    return _day(text[:2], text[2:4], text[4:6], year, where)


def _day(yy: str, mm: str, dd: str, year: int, where: str) -> str:
    """Write a day; day 00 is the last of its month (GS1 General Specifications §3.4)."""
    try:
        full = _century(int(yy), year)
        return date(full, int(mm), int(dd) or monthrange(full, int(mm))[1]).isoformat()
    except ValueError as error:
        raise _bad(where, "is no date") from error


def _yyjjj(text: str, year: int, where: str) -> str:
    if len(text) != 5 or not text.isdigit():
        raise _bad(where, "is no year and day of it")
    return _day_of(_century(int(text[:2]), year), int(text[2:]), where)


def _cyyjjj(text: str, where: str) -> str:
    if len(text) != 6 or not text.isdigit():
        raise _bad(where, "is a century's digit, year and day of it")
    century = 1000 if text[0] == "9" else 2000
    return _day_of(century + int(text[:3]), int(text[3:]), where)


def _day_of(year: int, day: int, where: str) -> str:
    found = date(year, 1, 1) + timedelta(days=day - 1)
    if found.year != year:
        raise _bad(where, "is no day of that year")
    return found.isoformat()


def _century(yy: int, year: int) -> int:
    """Give the year that two digits mean (GS1 General Specifications §7.12): within 50 of now."""
    full = year - year % 100 + yy
    if full - year > 50:
        return full - 100
    return full + 100 if full - year < -49 else full


def _bad(where: str, why: str, reason: Reason = Reason.VALUE_INVALID) -> InputError:
    return InputError(where, why, reason=reason)
