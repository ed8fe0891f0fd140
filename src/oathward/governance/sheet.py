"""Entries and agreements as CSV files: in by header names, with every mistake at once; out safe to open in a spreadsheet.

Rules:
- Columns are found by name; an unknown column is an error, since it might have meant something.
- Every error names the line and the column; with any error nothing is imported.
- What a spreadsheet would take for a formula is written with an apostrophe in front, and read without it (``core.spreadsheet``).
- Values that are several words are separated by ``;``. Dates are days, ``2027-05-31``, UTC. An empty cell says nothing.

Deliberately absent: guessing.

Source: RFC 4180.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.spreadsheet import guarded, typed
from oathward.governance.actions import Wanted, agreement_mistakes, merged, mistakes
from oathward.governance.derive import Key
from oathward.governance.model import AgreementKind, AgreementRow, EntryKind, EntryRow, Lifecycle

ROWS_MAX = 20_000
BYTES_MAX = 16 * 1024 * 1024
ERRORS_MAX = 1_000
COLUMNS_MAX = 100

ENTRY_COLUMNS = ("kind", "id", "title", "owner", "steward", "state", "classification", "review_due")
AGREEMENT_COLUMNS = (
    "id", "party", "kind", "purposes", "destinations", "classes", "sub_recipients", "country",
    "safeguards", "from", "until", "review_due",
)  # fmt: skip
_AGREEMENT_NEEDS = ("id", "party", "kind", "purposes", "destinations", "classes", "from")

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong in one cell; never the cell itself. ``line`` counts lines of the file from 1."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Sheet(Generic[Row]):
    """What a file says. With ``errors`` none of it may be imported."""

    rows: tuple[Row, ...]
    errors: tuple[LineError, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """What stands in a file: each row's line, and its cells by column."""

    rows: tuple[tuple[int, Mapping[str, str]], ...]
    errors: tuple[LineError, ...]


Read = Callable[[bytes, tuple[str, ...], tuple[str, ...]], Cells]


def day_us(text: str) -> int:
    """Read a day, ``2027-05-31``, as its beginning in UTC.

    Raises:
        ValueError: it is none.
    """
    return micros(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))


def entries(
    data: bytes, known: Mapping[Key, EntryRow], living: Collection[str], *, read: Read | None = None
) -> Sheet[Wanted]:
    """Read entries, each checked against what stands now.

    Args:
        known: entries as they stand, or as they follow from the bundle. read: what parses the file; ``cells_of`` by default.
    """
    found: list[Wanted] = []
    said = (read or cells_of)(data, ENTRY_COLUMNS, ("kind", "id"))
    errors = list(said.errors)
    first: dict[Key, int] = {}
    for line, cells in said.rows:
        try:
            wanted = _wanted(cells)
        except InputError as error:
            errors.append(LineError(line, error.where, error.why))
            continue
        key = (wanted.kind, wanted.id)
        if first.setdefault(key, line) != line:
            errors.append(LineError(line, "id", f"stands in line {first[key]} already"))
        before = known.get(key) or EntryRow(wanted.kind, wanted.id)
        errors += [
            LineError(line, field.removesuffix("_us"), why)
            for field, why, _ in mistakes(before, wanted, living)
        ]
        if merged(before, wanted) != before or not before.version:
            found.append(wanted)
    return Sheet(tuple(found), _sorted(errors))


def agreements(data: bytes, *, read: Read | None = None) -> Sheet[AgreementRow]:
    """Read agreements. ``read``: as in ``entries``."""
    found: list[AgreementRow] = []
    said = (read or cells_of)(data, AGREEMENT_COLUMNS, _AGREEMENT_NEEDS)
    errors = list(said.errors)
    first: dict[str, int] = {}
    for line, cells in said.rows:
        try:
            row = agreement(cells)
        except InputError as error:
            errors.append(LineError(line, error.where, error.why))
            continue
        if first.setdefault(row.id, line) != line:
            errors.append(LineError(line, "id", f"stands in line {first[row.id]} already"))
        errors += [LineError(line, field, why) for field, why in agreement_mistakes(row)]
        found.append(row)
    return Sheet(tuple(found), _sorted(errors))


def agreement(cells: Mapping[str, str], *, digest: str = "", file: str = "") -> AgreementRow:
    """Make an agreement of words: of a row, a form or options.

    Raises:
        InputError: names the column and what is wanted.
    """
    return AgreementRow(
        id=cells.get("id", ""),
        party=cells.get("party", ""),
        kind=_one_of(AgreementKind, "kind", cells.get("kind", "")),
        purposes=_words(cells.get("purposes", "")),
        destinations=_words(cells.get("destinations", "")),
        classes=_words(cells.get("classes", "")),
        sub_recipients=_words(cells.get("sub_recipients", "")),
        country=cells.get("country", "").upper(),
        safeguards=cells.get("safeguards", ""),
        from_us=_day("from", cells.get("from", "")) or _missing("from"),
        until_us=_day("until", cells.get("until", "")),
        review_due_us=_day("review_due", cells.get("review_due", "")) or 0,
        digest=digest,
        file=file,
    )


def _wanted(cells: Mapping[str, str]) -> Wanted:
    state, words = cells.get("state", ""), cells.get("classification", "")
    return Wanted(
        kind=_one_of(EntryKind, "kind", cells.get("kind", "")),
        id=cells.get("id", ""),
        title=cells.get("title") or None,
        owner=cells.get("owner") or None,
        steward=cells.get("steward") or None,
        state=_one_of(Lifecycle, "state", state) if state else None,
        classification=tuple(sorted(_words(words))) if words else None,
        review_due_us=_day("review_due", cells.get("review_due", "")),
    )


wanted_of = _wanted
"""Make what is wanted of an entry of words: of a form or options."""


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write CSV that no spreadsheet runs."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow([guarded(str(cell)) for cell in row])
    return out.getvalue()


def cells_apart(data: bytes, columns: tuple[str, ...], needed: tuple[str, ...]) -> Cells:
    """Read as ``cells_of``, in a process that can do nothing else. Raises as ``foreign.parsed``."""

    def check(found: Cells) -> None:
        if any(cells.keys() - set(columns) for _, cells in found.rows):
            raise ValueError("columns")

    return parsed(cells_of, data, columns, needed, check=check)


def cells_of(data: bytes, columns: tuple[str, ...], needed: tuple[str, ...]) -> Cells:
    """Read a file's rows as words by column."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Cells((), (LineError(0, "", "must be UTF-8"),))
    if len(data) > BYTES_MAX or "\0" in text:
        return Cells((), (LineError(0, "", f"at most {BYTES_MAX} bytes, without NUL"),))
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    errors: list[LineError] = []
    try:
        fields = _header(next(reader, []), columns, needed, errors)
        for row in reader if not errors else ():
            if len(rows) >= ROWS_MAX or len(errors) >= ERRORS_MAX:
                errors.append(LineError(reader.line_num, "", "too many rows; the rest was not read"))
                break
            if len(row) > len(fields):
                why = f"{len(row)} cells under {len(fields)} headers"
                errors.append(LineError(reader.line_num, "", why))
            elif any(cell.strip() for cell in row):
                cells = [typed(cell.strip()) for cell in row]
                rows.append((reader.line_num, dict(zip(fields, cells, strict=False))))
    except csv.Error:
        errors.append(LineError(reader.line_num, "", "not CSV: a quotation mark is open or stands alone"))
    return Cells(tuple(rows), tuple(errors))


def _header(
    cells: list[str], columns: Sequence[str], needed: Sequence[str], errors: list[LineError]
) -> list[str]:
    if len(cells) > COLUMNS_MAX:
        errors.append(LineError(1, "", f"at most {COLUMNS_MAX} columns"))
        return []
    fields = ["_".join(cell.strip().lower().replace("_", " ").replace("-", " ").split()) for cell in cells]
    for cell, field in zip(cells, fields, strict=True):
        if field not in columns:
            shown = "".join(c for c in cell.strip()[:40] if c.isprintable())
            errors.append(LineError(1, shown, f"unknown column; known: {', '.join(columns)}"))
        elif fields.count(field) > 1:
            errors.append(LineError(1, field, "stands there twice"))
    errors += [LineError(1, name, "the file needs this column") for name in needed if name not in fields]
    return fields


_Word = TypeVar("_Word", bound=StrEnum)


def _one_of(words: type[_Word], column: str, text: str) -> _Word:
    for known in words:
        if known.lower() == text.strip().lower():
            return known
    raise InputError(column, f"one of {', '.join(words)}")


def _words(text: str) -> frozenset[str]:
    return frozenset(word for part in text.replace("\n", ";").split(";") if (word := part.strip()))


def _day(column: str, text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return day_us(text.strip())
    except ValueError as error:
        raise InputError(column, "a day such as 2027-05-31") from error


def _missing(column: str) -> Any:
    raise InputError(column, "a day such as 2027-05-31")


def _sorted(errors: list[LineError]) -> tuple[LineError, ...]:
    return tuple(sorted(errors, key=lambda error: error.line))
