"""Which column of a list is what: read from TOML, written as TOML, checked.

```toml
list = "cmms"
delimiter = ";"            # each of these three may be left out: it is found out
encoding = "windows-1252"
header_line = 4

[columns]
"Asset No" = "tag"
"#7" = "serial"            # the seventh column, where headers repeat
"Last PM" = { attribute = "last-maintenance", date = "%d.%m.%Y" }
```

Rules:
- Unknown keys, attributes, encodings and forms of dates are errors, each named by its place.
- A column that names a patient is never read.
- A form of dates that was not decided (``"?"``) is an error: half the dates of a list would be wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.reasons import Reason
from oathward.discovery.lists.attributes import ATTRIBUTES, Kind, names_patient
from oathward.discovery.lists.lines import ENCODINGS

BYTES_MAX = 256 * 1024
COLUMNS_MAX = 500
DELIMITERS = ",;\t|"
UNDECIDED = "?"
_FORM = re.compile(r"(?:%[dmyYbBHMSjzfIp]|[ ./:,T-])+")


class Column(NamedTuple):
    """One column. ``name``: its header, or ``#`` and its number from 1; ``date``: its form, as in ``FORMS`` of ``cells`` or ``%d.%m.%Y``."""

    name: str
    attribute: str
    date: str = ""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """What the columns of a list are.

    Args:
        list: name of the format. header_line: from 1; 0 to find it. vendor: of the accounts in it. make: of all devices in it.
    """

    list: str
    columns: tuple[Column, ...]
    delimiter: str = ""
    encoding: str = ""
    header_line: int = 0
    vendor: str = ""
    make: str = ""


def read(data: bytes) -> ColumnMap:
    """Read a mapping.

    Raises:
        InputError: names key or column, and what is expected.
    """
    if len(data) > BYTES_MAX:
        raise InputError("mapping", f"at most {BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
    try:
        said = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError("mapping", "is not TOML in UTF-8") from error
    if unknown := said.keys() - {"list", "columns", "delimiter", "encoding", "header_line", "vendor", "make"}:
        raise InputError(f"mapping: {min(unknown)}", "is no key of a mapping")
    columns = said.get("columns")
    if not isinstance(columns, dict) or not columns:
        raise InputError("mapping: columns", "says which column is what")
    header_line = said.get("header_line", 0)
    if not isinstance(header_line, int) or isinstance(header_line, bool) or not 0 <= header_line <= 1000:
        raise InputError("mapping: header_line", "is a number of a line, from 1")
    found = ColumnMap(
        _text(said, "list") or "cmms",
        tuple(_column(name, one) for name, one in columns.items()),
        _text(said, "delimiter"),
        _text(said, "encoding"),
        header_line,
        _text(said, "vendor"),
        _text(said, "make"),
    )
    check(found)
    return found


def read_apart(data: bytes) -> ColumnMap:
    """Read as ``read``, in a process that can do nothing else. Raises as ``foreign.parsed``."""
    return parsed(read, data, check=check)


def check(columns: ColumnMap) -> None:
    """Check what a mapping says.

    Raises:
        InputError: names key or column.
    """
    if columns.delimiter and columns.delimiter not in DELIMITERS:
        raise InputError("mapping: delimiter", "is a comma, semicolon, tab or |")
    if columns.encoding and columns.encoding not in ENCODINGS:
        raise InputError("mapping: encoding", f"one of {', '.join(ENCODINGS)}")
    if len(columns.columns) > COLUMNS_MAX:
        raise InputError("mapping: columns", f"at most {COLUMNS_MAX}", reason=Reason.LIMIT_EXCEEDED)
    for column in columns.columns:
        _check_column(column)


def _check_column(column: Column) -> None:
    where = f"mapping: columns.{column.name}"
    if not column.attribute:
        return
    if column.attribute not in ATTRIBUTES:
        raise InputError(where, f"one of {', '.join(ATTRIBUTES)}; empty for a column that is not read")
    if names_patient(column.name):
        raise InputError(where, "names a patient: such columns are not read", reason=Reason.NOT_PERMITTED)
    dated = ATTRIBUTES[column.attribute].kind in {Kind.DATE, Kind.MOMENT}
    if column.date == UNDECIDED:
        raise InputError(where, "say the form of its dates: day first, %d/%m/%Y, or month first, %m/%d/%Y")
    if column.date and not dated:
        raise InputError(where, "has no dates")
    if column.date not in {"", "iso", "excel", "unix", "mixed"} and not _FORM.fullmatch(column.date):
        raise InputError(where, "a form of dates as in %d.%m.%Y, or iso, excel, unix, mixed")


def write(columns: ColumnMap) -> str:
    """Write a mapping as ``read`` reads it."""
    lines = [f"list = {_quoted(columns.list)}"]
    lines += [
        f"{key} = {_quoted(value)}"
        for key in ("delimiter", "encoding", "vendor", "make")
        if (value := getattr(columns, key))
    ]
    if columns.header_line:
        lines.append(f"header_line = {columns.header_line}")
    lines += ["", "# Column = what it is; empty: it is not read.", "[columns]"]
    for column in columns.columns:
        what = _quoted(column.attribute)
        if column.date:
            what = f"{{ attribute = {what}, date = {_quoted(column.date)} }}"
        lines.append(f"{_quoted(column.name)} = {what}")
    return "\n".join(lines) + "\n"


def _column(name: str, said: Any) -> Column:
    if isinstance(said, str):
        return Column(name, said)
    where = f"mapping: columns.{name}"
    if not isinstance(said, dict) or said.keys() - {"attribute", "date"}:
        raise InputError(where, 'is an attribute, or { attribute = "…", date = "…" }')
    return Column(name, _text(said, "attribute", where), _text(said, "date", where))


def _text(said: Mapping[str, Any], key: str, where: str = "mapping") -> str:
    value = said.get(key, "")
    if not isinstance(value, str) or len(value) > 100:
        raise InputError(f"{where}: {key}", "is a text of at most 100 characters")
    return value


def _quoted(text: str) -> str:
    """Write a text as TOML's basic string."""
    kept = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08X}" for c in text)
    return f'"{kept}"'
