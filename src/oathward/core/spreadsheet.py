"""Cells of CSV files that people open in a spreadsheet: none is a formula, and each comes back as it went.

Rules:
- What a spreadsheet would take for a formula gets an apostrophe in front: at the beginning of a cell, and behind a separator or line end
  inside it, for where another separator is usual the file is cut there, and quotation marks within a line count for nothing.

Source: OWASP "CSV Injection" (cells that begin with = + - @ tab CR; Excel takes the full-width signs too).
"""

from __future__ import annotations

import re

_FORMULA = r"(?=[=+\-@\t\r\n'\uff1d\uff0b\uff0d\uff20])"
_BEGIN = r"(^|[;,|\t\r\n] *)"
_UNSAFE = re.compile(_BEGIN + _FORMULA)
_GUARDED = re.compile(_BEGIN + "'" + _FORMULA)


def guarded(cell: str) -> str:
    """Write a cell so that no spreadsheet takes it, or a part of it behind a separator, for a formula: an apostrophe in front."""
    return _UNSAFE.sub(r"\1'", cell)


def unguarded(cell: str) -> str:
    """Take off the apostrophes that ``guarded`` put in."""
    return _GUARDED.sub(r"\1", cell) if "'" in cell else cell


def typed(cell: str) -> str:
    """Read a cell of a list that people write: as ``unguarded``, and without the apostrophe with which they say that ``007`` is no number."""
    found = unguarded(cell)
    return found[1:] if cell.startswith("'") and not _GUARDED.match(cell) else found
