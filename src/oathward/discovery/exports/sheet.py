"""The inventory as CSV: a row an endpoint, or a row a word of a source.

Rules:
- What a spreadsheet would take for a formula gets an apostrophe in front; ``core.spreadsheet.unguarded`` takes it off.
- Several values in one cell stand with ``; `` between.
- Headers are such as the wizard of imports knows.

Source: RFC 4180.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from oathward.core.clock import from_micros, iso
from oathward.core.spreadsheet import guarded
from oathward.discovery.exports.entry import Entry
from oathward.discovery.lists.attributes import ATTRIBUTES
from oathward.discovery.model import MarkKind

_MARKS = {
    "mac": MarkKind.MAC,
    "address": MarkKind.ADDRESS,
    "eui64": MarkKind.EUI64,
    "account": MarkKind.ACCOUNT,
    "certificate": MarkKind.CERTIFICATE,
    "ae-title": MarkKind.AE_TITLE,
    "application": MarkKind.APPLICATION,
}
_SKIPPED = frozenset(("behind", "last-heard", "segment"))
COLUMNS = (
    "id",
    "realm",
    "segment",
    "first seen",
    "last seen",
    *(f"{name.replace('-', ' ')}" for name in ATTRIBUTES if name not in _SKIPPED),
)
WORD_COLUMNS = ("id", "attribute", "value", "source", "first", "last", "confidence", "shown")


def rows(entries: Iterable[Entry]) -> Iterator[str]:
    """Write a header and a line an endpoint."""
    yield _line(COLUMNS)
    for one in entries:
        cells = [one.id, one.realm, one.segment, _time(one.first_us), _time(one.last_us)]
        cells += [_cell(one, name) for name in ATTRIBUTES if name not in _SKIPPED]
        yield _line(guarded(cell) for cell in cells)


def words(entries: Iterable[Entry]) -> Iterator[str]:
    """Write a header and a line for each word of each source."""
    yield _line(WORD_COLUMNS)
    for one in entries:
        for word in one.words:
            times = (_time(word.first_us), _time(word.last_us))
            cells = (
                one.id,
                word.attribute,
                word.value,
                word.source,
                *times,
                f"{word.confidence:g}",
                "yes" if word.shown else "no",
            )
            yield _line(guarded(cell) for cell in cells)


def _cell(one: Entry, name: str) -> str:
    if name == "tag":
        return one.tag
    if name == "serial":
        return one.serial
    if name in _MARKS:
        values = one.marks.get(_MARKS[name], ())
        if name == "account":
            values = tuple(value.rpartition("|")[2] for value in values)
        return "; ".join(values or one.shown.get(name, ()))
    if name == "udi":
        return one.value("udi") or one.mark(MarkKind.UDI) or one.value("udi-di")
    return "; ".join(one.shown.get(name, ()))


def _time(at_us: int) -> str:
    return iso(from_micros(at_us)) if at_us else ""


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(list(cells))
    return out.getvalue()
