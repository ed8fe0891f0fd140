"""Consent facts as a CSV file: one statement a row, found by header names.

Rules:
- A row names a patient by identifier and assigning authority; no authority is ever guessed.
- A permit names purposes, recipients and classes; ``*`` is any. A denial may leave them empty: of everything.
- Every error names line and column, never a value; with any error nothing is imported.
- Times are ISO 8601 with a zone, or days (from their first to their last moment, UTC).

Deliberately absent: names of patients, and matching by them.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from oathward.consent.model import Statement, statement
from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.phi import Phi

ROWS_MAX = 200_000
BYTES_MAX = 64 * 1024 * 1024
ERRORS_MAX = 1_000
COLUMNS_MAX = 100

COLUMNS: dict[str, tuple[str, ...]] = {
    "identifier": ("identifier", "patient identifier", "mrn", "patient id"),
    "authority": ("authority", "assigning authority"),
    "type": ("type", "identifier type"),
    "permit": ("permit", "decision", "answer"),
    "purposes": ("purposes", "purpose"),
    "recipients": ("recipients", "recipient"),
    "classes": ("classes", "class", "data"),
    "from": ("from", "start", "valid from"),
    "until": ("until", "end", "valid until", "to"),
    "source": ("source", "evidence", "form"),
}
"""Field -> header spellings; case, underscores and dashes do not matter."""

_NAMES = {spelling: field for field, spellings in COLUMNS.items() for spelling in spellings}
_CARETS = 4
"""Of an identifier as in PID-3: its number and the four components behind it."""
_NEEDED = ("identifier", "authority", "permit")
_WORDS = {
    "yes": True,
    "permit": True,
    "true": True,
    "1": True,
    "no": False,
    "deny": False,
    "false": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong in one cell; never the cell itself."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """One statement of one patient. ``identifier`` in the form of PID-3: ``12345^^^HOSP^MR``."""

    line: int
    identifier: Phi[str]
    statement: Statement


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file says; with ``errors`` none of it may be imported."""

    rows: tuple[Row, ...]
    errors: tuple[LineError, ...]


def parse(data: bytes) -> Sheet:
    """Read a CSV file (UTF-8, comma or semicolon or tab, first line the header)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Sheet((), (LineError(0, "", "must be UTF-8"),))
    if len(data) > BYTES_MAX or "\0" in text:
        return Sheet((), (LineError(0, "", f"at most {BYTES_MAX} bytes, none of them NUL"),))
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
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
            try:
                rows.append(_row(dict(zip(fields, cells, strict=False)), reader.line_num))
            except InputError as error:
                errors.append(LineError(reader.line_num, error.where, error.why))
    except csv.Error:
        errors.append(LineError(reader.line_num, "", "not CSV: a quotation mark is open or stands alone"))
    return Sheet(tuple(rows), tuple(errors))


def parse_apart(data: bytes) -> Sheet:
    """Parse as ``parse``, in a process that can do nothing else. Raises as ``foreign.parsed``."""
    return parsed(parse, data, check=_check)


def _check(sheet: Sheet) -> None:
    for row in sheet.rows:
        identifier, said = row.identifier.reveal(), row.statement
        made = statement(
            permit=said.fact.permit,
            purposes=said.fact.purposes,
            recipients=said.fact.recipients,
            classes=said.fact.classes,
            start_us=said.fact.start_us,
            end_us=said.fact.end_us,
            source=said.source,
            id_=said.fact.id,
        )
        if made != said or identifier.count("^") != _CARETS or not identifier.isprintable():
            raise ValueError("row")


def moment(text: str, column: str, *, end: bool) -> int | None:
    """Read a time in microseconds UTC; None for an empty one.

    Args:
        end: a day counts to its end.

    Raises:
        InputError: not ISO 8601, or a time of day without zone.
    """
    if not text:
        return None
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return micros(day + timedelta(days=1) if end else day)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InputError(column, "a day (2026-01-31) or a time with zone (2026-01-31T08:00:00Z)") from error
    if at.tzinfo is None:
        raise InputError(column, "a time needs its zone, such as Z")
    return micros(at)


def _row(cells: dict[str, str], line: int) -> Row:
    cell = {name: value.strip().removeprefix("'") for name, value in cells.items()}
    identifier, authority = cell.get("identifier", ""), cell.get("authority", "")
    for name, value in (("identifier", identifier), ("authority", authority)):
        if not value or "^" in value or not value.isprintable():
            raise InputError(name, "must be given, and is one word of PID-3, without ^")
    permit = _WORDS.get(cell.get("permit", "").lower())
    if permit is None:
        raise InputError("permit", "permit or deny (yes or no)")
    said = statement(
        permit=permit,
        purposes=_words(cell.get("purposes", "")),
        recipients=_words(cell.get("recipients", "")),
        classes=_words(cell.get("classes", "")),
        start_us=moment(cell.get("from", ""), "from", end=False),
        end_us=moment(cell.get("until", ""), "until", end=True),
        source=cell.get("source", ""),
    )
    return Row(line, Phi(f"{identifier}^^^{authority}^{cell.get('type', '') or 'MR'}"), said)


def _words(cell: str) -> list[str]:
    return [word for part in cell.split(";") if (word := part.strip())]


def _header(cells: list[str], errors: list[LineError]) -> list[str]:
    fields: list[str] = []
    if len(cells) > COLUMNS_MAX:
        errors.append(LineError(1, "", f"at most {COLUMNS_MAX} columns"))
        return fields
    for number, cell in enumerate(cells, 1):
        name = " ".join(cell.strip().lower().replace("_", " ").replace("-", " ").split())
        field = _NAMES.get(name, "")
        if not field or field in fields:
            errors.append(
                LineError(1, f"column {number}", f"unknown, or there twice; known: {', '.join(COLUMNS)}")
            )
        fields.append(field)
    errors += [LineError(1, n, "the file needs this column") for n in _NEEDED if n not in fields]
    return fields
