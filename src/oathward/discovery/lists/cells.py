"""One cell as marks and facts, one row as a statement.

Rules:
- A cell that is not what its column should hold is refused, and the rest of its row is read; a row without any mark is refused.
- A formula's guard (a leading apostrophe before = + - @) is taken off: so exports are read back the same.
- A serial number without a maker tells nobody from anybody: it is a fact, and no mark.
- Words of the site's own list have confidence 1; what others wrote in it of the network (addresses, host names, versions) less.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.spreadsheet import unguarded
from oathward.discovery import udi
from oathward.discovery.cards import eui64, mac, serial
from oathward.discovery.lists.attributes import ATTRIBUTES, Kind
from oathward.discovery.model import VALUE_LENGTH_MAX, Fact, Mark, MarkKind, Statement
from oathward.discovery.values import address, host, printable

SEVERAL_MAX = 32
"""Cards or addresses in one cell."""

CONFIDENCE = {"host": 0.7, "firmware": 0.7, "software": 0.7, "os": 0.7, "switch-port": 0.7}
"""What a list may have from long ago; other attributes of the site's own list have 1."""

_LIFECYCLE = {
    "in-use": ("in use", "inuse", "active", "in service", "deployed", "installed", "operational", "available", "online", "aktiv", "in betrieb", "actif", "en service", "activo"),
    "loan": ("loan", "loaner", "on loan", "rental", "rented", "demo", "leihgerat", "leihgerät"),
    "repair": ("repair", "in repair", "out for repair", "out for service", "maintenance", "defective", "broken", "failed", "offline", "in reparatur", "defekt"),
    "stored": ("stored", "in storage", "storage", "spare", "inventory", "staged", "planned", "lager", "reserve"),
    "retired": ("retired", "disposed", "decommissioned", "decommissioning", "inactive", "scrapped", "sold", "lost", "missing", "ausgemustert", "ausser betrieb", "réformé", "baja"),
}  # fmt: skip
LIFECYCLE = {word: state for state, words in _LIFECYCLE.items() for word in (state, *words)}
"""Words of lists -> ``endpoints``' states of an endpoint's life."""

_YES = frozenset(("yes", "y", "true", "1", "x", "ja", "oui", "si", "sí"))
_NO = frozenset(("no", "n", "false", "0", "nein", "non"))
_NOTHING = frozenset(("", "-", "--", "n/a", "na", "none", "null", "unknown", "tbd", "?", "#n/a"))
_EXCEL_DAY_0 = date(1899, 12, 30)
MIXED = "mixed"
_ALONE = tuple(f"{day}{time}" for day in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y") for time in ("", " %H:%M", " %H:%M:%S"))  # fmt: skip
_DAY_OR_MONTH = re.compile(r"0?(\d{1,2})[/-]0?(\d{1,2})[/-]\d{4}(?: .*)?", re.ASCII)
_SEPARATED = re.compile(r"[;,|\n]|\s{2,}|\s(?=\S*[:.]\S*[:.])")


class Refusal(NamedTuple):
    """What is wrong with one cell."""

    column: str
    reason: Reason
    why: str


class Row:
    """Gathers what the cells of one row say.

    Args:
        source: of the statement. year: of the list, for dates with two digits.
    """

    def __init__(self, source: str, year: int, make: str = "", vendor: str = "") -> None:
        self.source, self.year, self.vendor = source, year, vendor
        self.marks: list[Mark] = []
        self.facts: list[Fact] = []
        self.behind: list[Mark] = []
        self.refused: list[Refusal] = []
        self.segment = ""
        self.at_us = 0
        self._serial = ""
        self._make = make

    def add(self, attribute: str, cell: str, column: str, form: str = "") -> None:
        """Read one cell; what it should not hold is noted as refused."""
        cell = unguarded(cell.strip())
        if cell.casefold() in _NOTHING:
            return
        if len(cell) > 4 * VALUE_LENGTH_MAX:
            why = f"at most {4 * VALUE_LENGTH_MAX} characters"
            self.refused.append(Refusal(column, Reason.LIMIT_EXCEEDED, why))
            return
        try:
            self._add(attribute, cell, form)
        except InputError as error:
            self.refused.append(Refusal(column, error.reason, _said(error)))

    def _add(self, attribute: str, cell: str, form: str) -> None:
        info = ATTRIBUTES[attribute]
        match info.kind:
            case Kind.MAC | Kind.ADDRESS | Kind.EUI64:
                self._several(info.kind, cell)
            case Kind.UDI:
                self._udi(cell)
            case Kind.SERIAL:
                self._serial = printable(cell)
                self._fact("serial", cell)
            case Kind.HOST:
                self.marks.append(Mark(MarkKind.HOST, host(cell)))
                self._fact("host", host(cell))
            case Kind.DATE:
                self._fact(attribute, day(cell, form))
            case Kind.MOMENT:
                self.at_us = moment(cell, form)
            case Kind.YES_NO:
                self._fact(attribute, _yes_no(cell))
            case Kind.LIFECYCLE:
                self._fact(attribute, _lifecycle(cell))
            case Kind.TEXT:
                self._text(attribute, cell)

    def _text(self, attribute: str, cell: str) -> None:
        info = ATTRIBUTES[attribute]
        text = printable(cell)
        if attribute == "segment":
            self.segment = text
        elif attribute == "behind":
            self.behind.append(Mark(MarkKind.ACCOUNT, self._account(text)))
        elif attribute == "account":
            self.marks.append(Mark(MarkKind.ACCOUNT, self._account(text)))
        elif attribute == "certificate":
            digits = text.replace(":", "").casefold()
            if not re.fullmatch(r"[0-9a-f]{64}", digits):
                raise InputError("", "64 hexadecimal digits of SHA-256", reason=Reason.VALUE_INVALID)
            self.marks.append(Mark(MarkKind.CERTIFICATE, digits))
        elif info.mark is not None:
            self.marks.append(Mark(info.mark, text))
        if attribute == "make":
            self._make = text
        if info.fact:
            self._fact(attribute, text)

    def _account(self, text: str) -> str:
        return f"{self.vendor}|{text}".casefold()

    def _several(self, kind: Kind, cell: str) -> None:
        parts = [cell] if _one(kind, cell) else [p for part in _SEPARATED.split(cell) if (p := part.strip())]
        found = [_one(kind, part) for part in parts[: SEVERAL_MAX + 1]]
        if not all(found) or len(found) > SEVERAL_MAX:
            raise InputError("", _EXPECTED[kind], reason=Reason.VALUE_INVALID)
        self.marks += [Mark(MarkKind(kind.value), one) for one in found]

    def _udi(self, cell: str) -> None:
        said = udi.parse(cell, self.year)
        self._fact("udi-di", said.di)
        if said.di != cell:
            self._fact("udi", cell)
        if said.serial:
            self.marks.append(Mark(MarkKind.UDI, cell))
            if not self._serial:
                self._serial = said.serial
                self._fact("serial", said.serial)
        for attribute, value in (("lot", said.lot), ("expiry", said.expiry), ("made", said.made)):
            if value:
                self._fact(attribute, value)

    def _fact(self, attribute: str, value: str) -> None:
        value = printable(value)
        if value:
            self.facts.append(Fact(attribute, value, CONFIDENCE.get(attribute, 1.0)))

    def statement(self, realm: str, at_us: int) -> Statement | None:
        """Give what the row says; None where nothing in it tells which endpoint it is."""
        marks = [mark for mark in self.marks if mark.value]
        if self._serial and self._make:
            marks.append(Mark(MarkKind.SERIAL, serial(self._make, self._serial)))
        if not marks:
            return None
        facts = dict.fromkeys(self.facts)
        return Statement(
            at_us=self.at_us or at_us,
            source=self.source,
            realm=realm,
            marks=tuple(dict.fromkeys(marks)),
            facts=tuple(facts),
            segment=self.segment,
            behind=tuple(self.behind),
        )


_EXPECTED = {
    Kind.MAC: f"numbers of at most {SEVERAL_MAX} network cards, as in 00:1b:c5:00:0a:1f",
    Kind.ADDRESS: f"at most {SEVERAL_MAX} IP addresses",
    Kind.EUI64: "an EUI-64: 16 hexadecimal digits",
}


def _one(kind: Kind, text: str) -> str:
    if kind is Kind.MAC:
        return mac(text) or ""
    if kind is Kind.EUI64:
        return eui64(text) or ""
    return address(text.partition("/")[0])  # NetBox and others write the prefix's length behind it


def day(cell: str, form: str) -> str:
    """Write a day as ISO does.

    Args:
        form: ``iso`` (where empty), ``excel`` (days since 1899-12-30), ``unix`` (seconds), ``mixed`` (each as it can be read alone), or as in ``%d.%m.%Y``.

    Raises:
        InputError: it is none of that form.
    """
    return _time(cell, form).date().isoformat()


def moment(cell: str, form: str) -> int:
    """Give a moment in microseconds UTC; a day is its first moment. Raises as ``day``."""
    return micros(_time(cell, form))


def _time(cell: str, form: str) -> datetime:
    try:
        found = _in_form(cell, form)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError("", f"a date: {form or 'iso'}", reason=Reason.VALUE_INVALID) from error
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if not 1950 <= found.year <= 2199:
        raise InputError("", "a year between 1950 and 2199", reason=Reason.OBSERVED_TIME)
    return found


def _in_form(cell: str, form: str) -> datetime:
    if form in {"", "iso"}:
        return datetime.fromisoformat(cell)
    if form == "excel":
        whole = float(cell)
        return datetime.combine(_EXCEL_DAY_0, datetime.min.time()) + timedelta(days=whole)
    if form == "unix":
        return datetime.fromtimestamp(float(cell), UTC)
    if form == MIXED:
        return _mixed(cell)
    return datetime.strptime(cell, form)  # noqa: DTZ007  a list's dates have no zone; UTC is set where none stands


def is_either(cell: str) -> bool:
    """Whether a date's day and month could be taken for each other: ``03/04/2026``."""
    numbers = _DAY_OR_MONTH.fullmatch(cell)
    return numbers is not None and numbers[1] != numbers[2] and max(int(numbers[1]), int(numbers[2])) <= 12


def _mixed(cell: str) -> datetime:
    """Read a date in the one form it can have. Raises ``InputError`` where day and month could be either, ``ValueError`` where it is none."""
    if is_either(cell):
        why = "a date whose day and month cannot be taken for each other, as in 2026-04-03 or 03.04.2026"
        raise InputError("", why, reason=Reason.VALUE_INVALID)
    for form in ("iso", *_ALONE):
        try:
            return _in_form(cell, form)
        except ValueError:
            continue
    raise ValueError("none of the forms")


def _yes_no(cell: str) -> str:
    if cell.casefold() in _YES:
        return "yes"
    if cell.casefold() in _NO:
        return "no"
    raise InputError("", "yes or no", reason=Reason.VALUE_INVALID)


def _lifecycle(cell: str) -> str:
    """Give the state a list's word means.

    Raises:
        InputError: a word nobody knows; it must not become "in use".
    """
    found = LIFECYCLE.get(cell.casefold())
    if found is None:
        raise InputError("", f"a word for one of {', '.join(_LIFECYCLE)}", reason=Reason.VALUE_INVALID)
    return found


def _said(error: InputError) -> str:
    return f"{error.where}: {error.why}" if error.where else error.why
