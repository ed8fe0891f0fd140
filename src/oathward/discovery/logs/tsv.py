r"""Zeek's header of a tab-separated log, and its rows as records.

Source: Zeek, ``base/frameworks/logging/writers/ascii``: ``#separator``, ``#empty_field``, ``#unset_field``, ``#fields``, ``\xNN``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from oathward.core.reasons import Reason
from oathward.discovery.logs.gathering import Gathered

_FIELDS_MAX = 512
_NAMES = {
    "#set_separator": "set_separator",
    "#empty_field": "empty",
    "#unset_field": "unset",
    "#path": "path",
}
_ESCAPED = re.compile(rb"\\x([0-9a-fA-F]{2})")


def plain(text: str) -> str:
    r"""Undo ``\xNN``; bytes that are no UTF-8 are replaced."""
    if "\\x" not in text:
        return text
    raw = _ESCAPED.sub(lambda found: bytes.fromhex(found.group(1).decode()), text.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Header:
    """What the lines with ``#`` said so far."""

    separator: str = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str = ""
    fields: tuple[str, ...] = ()

    def told(self, line: bytes) -> Header:
        """Take one line of a header; what it does not know changes nothing."""
        text = line.strip(b" \r\t").decode("utf-8", "replace")
        if text.startswith("#separator"):
            return replace(self, separator=plain(text[len("#separator") :].strip(" ")) or "\t")
        name, _, said = text.partition(self.separator)
        if name == "#fields":
            return replace(self, fields=tuple(said.split(self.separator, _FIELDS_MAX)))
        changed: dict[str, Any] = {_NAMES[name]: said} if name in _NAMES else {}
        return replace(self, **changed)

    def records(self, data: bytes, gathered: Gathered) -> Iterator[dict[str, object]]:
        """Give rows as records; one with more or fewer columns than the header is counted."""
        fields = [f"id.{name[3:]}" if name.startswith("id_") else name for name in self.fields]
        for line in data.split(b"\n"):
            row = line.rstrip(b"\r")
            if not row.strip():
                continue
            try:
                cells = row.decode("utf-8").split(self.separator)
            except UnicodeDecodeError:
                gathered.refuse(Reason.OBSERVED_BROKEN, "line")
                continue
            if len(cells) != len(fields):
                gathered.refuse(Reason.OBSERVED_BROKEN, "line")
                continue
            yield {
                name: self._value(cell)
                for name, cell in zip(fields, cells, strict=True)
                if cell != self.unset
            }

    def _value(self, cell: str) -> object:
        if cell == self.empty:
            return ""
        if self.set_separator and self.set_separator in cell:
            return (
                [plain(one) for one in cell.split(self.set_separator)]
                if self.set_separator != ","
                else plain(cell)
            )
        return plain(cell)
