"""People as a list: a CSV file, or SCIM users as JSON; what each row says about whom, and every mistake at once.

Rules:
- Columns are found by name; an unknown column is an error, since it might have meant something.
- Every error names the line and the column; with any error nothing is imported.
- A column that is there says something: an empty cell empties its field. An empty state says nothing.
- Values that are several words are parted by ``;``. A cell with a leading apostrophe is read without it.
- Every row has a number: it says whose row it is.

Deliberately absent: guessing; and writing people out again.

Source: RFC 4180; OWASP "CSV Injection" (cells that begin with = + - @ tab or CR).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.reasons import Reason
from oathward.people import scim
from oathward.people.model import COLUMN, check
from oathward.people.scim_words import DIRECTORY
from oathward.policy.people import Person

ROWS_MAX = 50_000
BYTES_MAX = 64 * 1024 * 1024
ERRORS_MAX = 1_000
COLUMNS_MAX = 100

COLUMNS: dict[str, tuple[str, ...]] = {
    "number": ("number", "employee number", "personnel number", "external id"),
    "name": ("name", "full name", "display name"),
    "mail": ("mail", "e mail", "email"),
    "state": ("state", "status"),
    "party": ("party", "employer", "company"),
    "makes": ("makes", "make", "products"),
    "units": ("units", "unit", "wards", "ward"),
    "staff_ids": ("staff ids", "staff id", "staff numbers"),
    "sign_ins": ("provider subject", "subject", "sub"),
}
"""Field -> header spellings; case, underscores and dashes do not matter."""

_NAMES = {spelling: field for field, spellings in COLUMNS.items() for spelling in spellings}
_SETS = ("makes", "units", "staff_ids")
_WORDS = frozenset(("number", "name", "mail", "state", "party", "directory"))
_ROLES = ("roles", "role", "groups", "group")
_GRANTED = (
    "a list gives nobody a role: leave this column out; then `oathward people grant PERSON ROLE --why …` "
    "proposes one, and another person approves it"
)


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong in one cell; never the cell itself. ``line`` counts lines of the file from 1; 0 is all of it."""

    line: int
    column: str
    why: str
    reason: str = Reason.INPUT_INVALID.code


@dataclass(frozen=True, slots=True)
class Stated:
    """What one row says: fields of a person by name; those it does not speak of are not there."""

    line: int
    number: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file says. With ``errors`` none of it may be imported."""

    rows: tuple[Stated, ...]
    errors: tuple[LineError, ...]


def parse(data: bytes, issuer: str = "") -> Sheet:
    """Read a CSV file (UTF-8, comma or semicolon or tab, first line the header).

    Args:
        issuer: of the provider that subjects without an issuer belong to.
    """
    if len(data) > BYTES_MAX:
        return _bad(f"at most {BYTES_MAX} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _bad("must be UTF-8")
    if "\0" in text:
        return _bad("holds a NUL byte")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[Stated] = []
    errors: list[LineError] = []
    try:
        fields = _header(next(reader, []), errors)
        for cells in reader if not errors else ():
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) >= ROWS_MAX or len(errors) >= ERRORS_MAX:
                errors.append(
                    LineError(reader.line_num, "", "too many rows or errors; the rest was not read")
                )
                break
            if len(cells) > len(fields):
                why = f"{len(cells)} cells under {len(fields)} headers"
                errors.append(LineError(reader.line_num, "", why))
                continue
            values = _values(dict(zip(fields, cells, strict=False)), issuer, reader.line_num, errors)
            rows += checked(reader.line_num, values, errors)
    except csv.Error:
        errors.append(LineError(reader.line_num, "", "not CSV: a quotation mark is open or stands alone"))
    return made(rows, errors)


def parse_scim(data: bytes, issuer: str = "") -> Sheet:
    """Read a JSON list of SCIM users, or a SCIM list response; a row's line is its place in the list, from 1."""
    if len(data) > BYTES_MAX:
        return _bad(f"at most {BYTES_MAX} bytes")
    try:
        found = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return _bad("not JSON")
    users = found.get("Resources") if isinstance(found, dict) else found
    if not isinstance(users, list) or len(users) > ROWS_MAX:
        return _bad(f"must be a list of at most {ROWS_MAX} SCIM users")
    rows: list[Stated] = []
    errors: list[LineError] = []
    for line, user in enumerate(users, 1):
        try:
            values = scim.with_number(scim.stated(user, issuer))
        except InputError as error:
            errors.append(LineError(line, error.where, error.why))
            continue
        rows += checked(line, values, errors)
    return made(rows, errors)


def table_apart(data: bytes) -> tuple[tuple[str, ...], ...]:
    """Read as ``table``, in a process that can do nothing else. Raises as ``foreign.parsed``."""
    return parsed(table, data)


def table(data: bytes) -> tuple[tuple[str, ...], ...]:
    """Read the cells of a CSV file.

    Raises:
        InputError: it is none, or has more than ``ROWS_MAX`` lines or ``BYTES_MAX``.
    """
    if len(data) > BYTES_MAX:
        raise InputError("file", f"at most {BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        rows = tuple(tuple(cells) for cells in islice(reader, ROWS_MAX + 1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("file", "must be CSV in UTF-8") from error
    if len(rows) > ROWS_MAX:
        raise InputError("file", f"at most {ROWS_MAX} lines", reason=Reason.LIMIT_EXCEEDED)
    return rows


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a row says as it is sent from where it was parsed: words, sets of words, and sign-ins where it speaks of some."""

    line: int
    number: str
    words: Mapping[str, str]
    sets: Mapping[str, frozenset[str]]
    sign_ins: frozenset[tuple[str, str]] | None


@dataclass(frozen=True, slots=True)
class _SentSheet:
    rows: tuple[_Sent, ...]
    errors: tuple[LineError, ...]


def parse_apart(data: bytes, issuer: str = "") -> Sheet:
    """Parse as ``parse_scim`` what begins as JSON does, else as ``parse``, in a process that can do nothing else. Raises as ``foreign.parsed``."""
    found = parsed(sent, data, issuer, check=_check)
    return Sheet(tuple(map(_stated, found.rows)), found.errors)


def sent(data: bytes, issuer: str) -> _SentSheet:
    """Parse a list, as it is sent."""
    as_users = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"[", b"{"}
    sheet = (parse_scim if as_users else parse)(data, issuer)
    rows = []
    for row in sheet.rows:
        words = {name: value for name, value in row.values.items() if isinstance(value, str)}
        sets = {name: row.values[name] for name in _SETS if name in row.values}
        rows.append(_Sent(row.line, row.number, words, sets, row.values.get("sign_ins")))
    return _SentSheet(tuple(rows), sheet.errors)


def _stated(row: _Sent) -> Stated:
    signs = {} if row.sign_ins is None else {"sign_ins": row.sign_ins}
    return Stated(row.line, row.number, {**row.words, **row.sets, **signs})


def _check(sheet: _SentSheet) -> None:
    for row in sheet.rows:
        named = not (row.sets.keys() - set(_SETS) or row.words.keys() - _WORDS)
        if not named or row.words.get("number") != row.number:
            raise ValueError("fields")
        if not checked(row.line, dict(_stated(row).values), []):
            raise ValueError("row")
    if not sheet.errors and made(list(map(_stated, sheet.rows)), []).errors:
        raise ValueError("twice")


def checked(line: int, values: dict[str, Any], errors: list[LineError]) -> list[Stated]:
    """Check what one row says; gives it, or nothing and says why in ``errors``."""
    number = values.get("number", "")
    if not number:
        errors.append(LineError(line, "number", "says whose row it is, and must not be empty"))
        return []
    mistakes = []
    for field, value in values.items():
        if field == "directory":
            field, value = "sign_ins", frozenset({(DIRECTORY, value)})
        # Each field by itself, so that every mistake of a row is told at once; a name alone may be missing.
        try:
            check(Person(id="x", **{"name": "x", field: value}))
        except InputError as error:
            mistakes.append(LineError(line, error.where, error.why))
    errors += mistakes
    return [] if mistakes else [Stated(line, number, values)]


def made(rows: Sequence[Stated], errors: list[LineError]) -> Sheet:
    """Put a list together; who stands there twice is an error."""
    first: dict[str, int] = {}
    for row in rows:
        key = row.number.casefold()
        if first.setdefault(key, row.line) != row.line:
            why = f"stands in line {first[key]} already"
            errors.append(LineError(row.line, "number", why, Reason.PERSON_TWICE.code))
    return Sheet(tuple(rows), tuple(sorted(errors, key=lambda e: (e.line, e.column))))


def sign_ins(text: str, issuer: str) -> frozenset[tuple[str, str]]:
    """Read sign-ins at providers: ``issuer|subject`` or, at the site's own provider, the subject alone.

    Raises:
        InputError: a subject without an issuer, and the site has no provider.
    """
    found = set()
    for part in filter(None, map(str.strip, text.split(";"))):
        named, bar, subject = part.partition("|")
        if bar and named.startswith(("https://", "http://")):
            found.add((named.strip(), subject.strip()))
        elif issuer:
            found.add((issuer, part))
        else:
            raise InputError(COLUMN["sign_ins"], "issuer|subject: this site has no provider ([oidc] issuer)")
    return frozenset(found)


def _values(cells: Mapping[str, str], issuer: str, line: int, errors: list[LineError]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, raw in cells.items():
        cell = raw.strip().removeprefix("'")
        if field in _SETS:
            values[field] = frozenset(part for p in cell.split(";") if (part := p.strip()))
        elif field == "sign_ins":
            try:
                values[field] = sign_ins(cell, issuer)
            except InputError as error:
                errors.append(LineError(line, error.where, error.why))
        elif field == "state":
            values |= {field: cell.lower()} if cell else {}
        else:
            values[field] = cell
    return values


def _header(cells: list[str], errors: list[LineError]) -> list[str]:
    fields: list[str] = []
    if len(cells) > COLUMNS_MAX:
        errors.append(LineError(1, "", f"at most {COLUMNS_MAX} columns"))
        return fields
    for cell in cells:
        name = " ".join(cell.strip().lower().replace("_", " ").replace("-", " ").split())
        field = _NAMES.get(name, "")
        if name in _ROLES:
            errors.append(LineError(1, _shown(cell), _GRANTED))
        elif not field:
            known = ", ".join(COLUMN.get(one, one) for one in COLUMNS)
            errors.append(LineError(1, _shown(cell), f"unknown column; known: {known}"))
        elif field in fields:
            errors.append(LineError(1, COLUMN.get(field, field), "stands there twice"))
        fields.append(field)
    if "number" not in fields:
        errors.append(LineError(1, "number", "the file needs this column"))
    return fields


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _shown(cell: str) -> str:
    return "".join(c for c in cell.strip()[:40] if c.isprintable())


def _bad(why: str) -> Sheet:
    return Sheet((), (LineError(0, "", why),))
