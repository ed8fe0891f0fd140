"""Devices as a CSV file: in by header names, out safe to open in a spreadsheet.

Rules:
- Columns are found by name (``COLUMNS`` lists the spellings); an unknown column is an error, since it might have
  meant something.
- Every error names the line and the column; with any error nothing is imported.
- What a spreadsheet would take for a formula is written with an apostrophe in front, and read without it (``core.spreadsheet``).
- Values that are several words are separated by ``;``.

Deliberately absent: guessing. An empty cell is empty; a kind, an authority or an id is never made up.

Source: RFC 4180.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from dataclasses import dataclass

from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.spreadsheet import guarded, typed
from oathward.inventory.model import SETS, TEXTS, Device, Status, check_fields

ROWS_MAX = 100_000
BYTES_MAX = 64 * 1024 * 1024
ERRORS_MAX = 1_000
COLUMNS_MAX = 100

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "device id", "asset id", "asset tag"),
    "name": ("name", "device name", "description"),
    "kind": ("kind", "type", "device type", "category"),
    "make": ("make", "manufacturer", "maker", "vendor"),
    "model": ("model", "model number", "product"),
    "udi": ("udi", "udi di", "device identifier"),
    "serial": ("serial", "serial number", "serial no"),
    "location": ("location", "room", "site location"),
    "owner": ("owner", "department", "responsible"),
    "status": ("status", "state"),
    "certificates": ("certificates", "certificate", "certificate sha256", "fingerprint"),
    "certificate_names": ("certificate names", "certificate name", "san"),
    "keys": ("keys", "client keys", "jwk", "jwks"),
    "senders": ("senders", "sender", "msh 3", "sending application"),
    "addresses": ("addresses", "address", "ip", "ip address"),
    "equipment": ("equipment", "equipment id", "obx 18", "eui 64", "eui64"),
    "tags": ("tags", "tag", "groups"),
    "message_types": ("message types", "message type", "entitled"),
    "vouches_for": ("vouches for", "vouches"),
    "default_authority": ("default authority", "assigning authority"),
    "default_identifier_type": ("default identifier type", "identifier type"),
    "authoritative_adt": ("authoritative adt", "adt source"),
}
"""Field -> header spellings; case, underscores and dashes do not matter."""

_NAMES = {spelling: field for field, spellings in COLUMNS.items() for spelling in spellings}
_YES, _NO = frozenset(("yes", "true", "1", "y")), frozenset(("no", "false", "0", "n", ""))


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong in one cell; never the cell itself. ``line`` counts lines of the file from 1."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file says. With ``errors`` none of it may be imported.

    ``lines``: of each device. ``stated``: the fields its row says something about; an empty cell empties its
    field, but an empty status says nothing.
    """

    devices: tuple[Device, ...]
    lines: tuple[int, ...]
    stated: tuple[frozenset[str], ...]
    errors: tuple[LineError, ...]


def parse(data: bytes) -> Sheet:
    """Read a CSV file (UTF-8, comma or semicolon or tab, first line the header)."""
    if len(data) > BYTES_MAX:
        return _bad(LineError(0, "", f"at most {BYTES_MAX} bytes"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _bad(LineError(0, "", "must be UTF-8"))
    if "\0" in text:
        return _bad(LineError(0, "", "holds a NUL byte"))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    fields: list[str] = []
    devices: list[Device] = []
    lines: list[int] = []
    stated: list[frozenset[str]] = []
    errors: list[LineError] = []
    try:
        fields = _header(next(reader, []), errors)
        for row in reader if not errors else ():
            line = reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if len(devices) >= ROWS_MAX or len(errors) >= ERRORS_MAX:
                errors.append(LineError(line, "", "too many rows or errors; the rest was not read"))
                break
            device = _device(row, fields, line, errors)
            if device is not None:
                devices.append(device)
                lines.append(line)
                stated.append(_stated(row, fields))
    except csv.Error:
        errors.append(LineError(reader.line_num, "", "not CSV: a quotation mark is open or stands alone"))
    errors += _doubles(devices, lines)
    return Sheet(tuple(devices), tuple(lines), tuple(stated), tuple(sorted(errors, key=lambda e: e.line)))


def parse_apart(data: bytes) -> Sheet:
    """Parse as ``parse``, in a process that can do nothing else. Raises as ``foreign.parsed``."""
    return parsed(parse, data, check=_check)


def _check(sheet: Sheet) -> None:
    if not len(sheet.devices) == len(sheet.lines) == len(sheet.stated):
        raise ValueError("rows")
    for device, stated in zip(sheet.devices, sheet.stated, strict=True):
        check_fields(device)
        if stated - COLUMNS.keys():
            raise ValueError("columns")
    if not sheet.errors and _doubles(list(sheet.devices), list(sheet.lines)):
        raise ValueError("twice")


def write(devices: Iterable[Device]) -> str:
    """Write devices as CSV that ``parse`` reads back the same and no spreadsheet runs."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for device in devices:
        writer.writerow([_cell(getattr(device, field)) for field in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, frozenset):
        return guarded(";".join(sorted(value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return guarded(str(value))


def _header(cells: list[str], errors: list[LineError]) -> list[str]:
    fields: list[str] = []
    if len(cells) > COLUMNS_MAX:
        errors.append(LineError(1, "", f"at most {COLUMNS_MAX} columns"))
        return fields
    for cell in cells:
        name = " ".join(cell.strip().lower().replace("_", " ").replace("-", " ").split())
        field = _NAMES.get(name, "")
        if not field:
            errors.append(LineError(1, _shown(cell), f"unknown column; known: {', '.join(COLUMNS)}"))
        elif field in fields:
            errors.append(LineError(1, field, "stands there twice"))
        fields.append(field)
    if "id" not in fields:
        errors.append(LineError(1, "id", "the file needs this column"))
    return fields


def _device(row: list[str], fields: list[str], line: int, errors: list[LineError]) -> Device | None:
    if len(row) > len(fields):
        errors.append(LineError(line, "", f"{len(row)} cells under {len(fields)} headers"))
        return None
    values: dict[str, object] = {}
    for field, raw in zip(fields, row, strict=False):
        cell = raw.strip()
        cell = typed(cell)
        if field:
            try:
                values |= {field: _value(field, cell)} if cell or field == "authoritative_adt" else {}
            except InputError as error:
                errors.append(LineError(line, field, error.why))
                return None
    try:
        device = Device(**{"id": "", **values})  # type: ignore[arg-type]  # by field, checked below
        check_fields(device)
    except InputError as error:
        errors.append(LineError(line, error.where, error.why))
        return None
    return device


def _stated(row: list[str], fields: list[str]) -> frozenset[str]:
    silent = {f for f, cell in zip(fields, row, strict=False) if f == "status" and not cell.strip()}
    return frozenset(fields[: len(row)]) - silent - {"id", ""}


def _value(field: str, cell: str) -> object:
    if field in SETS:
        return frozenset(part for p in cell.split(";") if (part := p.strip()))
    if field in TEXTS:
        return cell
    if field == "status":
        if cell.lower() not in set(Status):
            raise InputError(field, f"one of {', '.join(Status)}")
        return Status(cell.lower())
    if cell.lower() not in _YES | _NO:
        raise InputError(field, "yes or no")
    return cell.lower() in _YES


def _doubles(devices: list[Device], lines: list[int]) -> list[LineError]:
    first: dict[tuple[str, str], int] = {}
    errors: list[LineError] = []
    for device, line in zip(devices, lines, strict=True):
        places = [("id", device.id)]
        places += [("certificates", c) for c in device.certificates]
        places += [("certificate_names", n) for n in device.certificate_names]
        errors += [
            LineError(line, place[0], f"stands in line {first[place]} already")
            for place in places
            if first.setdefault(place, line) != line
        ]
    return errors


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _shown(cell: str) -> str:
    return "".join(c for c in cell.strip()[:40] if c.isprintable())


def _bad(error: LineError) -> Sheet:
    return Sheet((), (), (), (error,))


assert set(COLUMNS) == {f.name for f in dataclasses.fields(Device)}, "every field of a device has a column"
