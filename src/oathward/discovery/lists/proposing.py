"""Proposes which column of a list is what, by its header and by what stands in its cells. Pure: for the command line and the console.

Rules:
- A proposal is for a person to look at; nothing is imported by one alone.
- Content outranks no clear header, but a header that its cells contradict is not proposed.
- Days and months that could be either are said to be undecided, never guessed.
- Cells of a column that names a patient are neither looked at nor shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from oathward.core.errors import InputError
from oathward.core.spreadsheet import unguarded
from oathward.discovery import udi
from oathward.discovery.cards import eui64, mac
from oathward.discovery.lists.attributes import ATTRIBUTES, Kind, folded, named, names_patient
from oathward.discovery.lists.cells import LIFECYCLE, MIXED, day, is_either
from oathward.discovery.lists.mapping import UNDECIDED, Column, ColumnMap
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.rows import Shape, sample, shape_of
from oathward.discovery.values import address, printable

FITS_MIN = 0.6
"""Share of filled cells that must be what their column should hold."""
SHOWN_MAX = 3

FORMS = ("iso", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%Y%m%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S")  # fmt: skip
"""Forms of dates that are tried; a mapping may name any other."""

_HOST = re.compile(r"(?=.*[a-z])[a-z0-9_-]+(\.[a-z0-9_-]+){2,}\.?", re.IGNORECASE)


class Proposed(NamedTuple):
    """What is proposed for one column.

    Args:
        name: its header, or ``#`` and its number. header: as it stands. attribute: empty where none. why: in words.
        filled: cells of ``rows`` that hold something. fits: share of those that are what it should hold. samples: at most three cells.
    """

    name: str
    header: str
    attribute: str
    date: str
    why: str
    filled: int
    fits: float
    samples: tuple[str, ...]


class Proposal(NamedTuple):
    """A mapping to look at. ``rows``: how many were looked at; ``undecided``: columns whose dates a person must decide."""

    shape: Shape
    columns: tuple[Proposed, ...]
    rows: int
    undecided: tuple[str, ...]

    def mapping(self, list_: str = "cmms", vendor: str = "") -> ColumnMap:
        """Give it as a mapping; columns nobody knows stand in it with an empty attribute."""
        columns = tuple(Column(one.name, one.attribute, one.date) for one in self.columns)
        delimiter, encoding = self.shape.delimiter, self.shape.encoding
        return ColumnMap(list_, columns, delimiter, encoding, self.shape.header_line, vendor)


def propose(source: Source, said: ColumnMap | None = None, list_: str = "cmms") -> Proposal:
    """Look at the first bytes of a list and propose a mapping.

    Args:
        said: dialect and header, where they are known. list_: ``cmms`` or ``vendor``, whose words mean other things.

    Raises:
        InputError: it has no header.
    """
    shape = shape_of(source, said)
    rows = sample(source, shape)
    repeated = {name for name, times in Counter(shape.names).items() if times > 1}
    found: list[Proposed] = []
    for at, header in enumerate(shape.names):
        name = f"#{at + 1}" if header in repeated or not header or header.startswith("#") else header
        found.append(_column(name, header, [row[at] for row in rows], list_))
    best: dict[str, Proposed] = {}
    for one in found:
        if one.attribute and (one.attribute not in best or _rank(one) < _rank(best[one.attribute])):
            best[one.attribute] = one
    found = [_alone(one, best) for one in found]
    undecided = tuple(one.name for one in found if one.date == UNDECIDED)
    return Proposal(shape, tuple(found), len(rows), undecided)


def _rank(one: Proposed) -> int:
    """Say how well a header names its attribute: its own name first, then as the table has them, content alone last."""
    words = (one.attribute.replace("-", " "), *ATTRIBUTES[one.attribute].headers)
    word = folded(one.header)
    return words.index(word) if word in words else len(words)


def _alone(one: Proposed, best: dict[str, Proposed]) -> Proposed:
    """Leave an attribute to the column that names it best; another may be a second thing its word means."""
    if not one.attribute or best[one.attribute] is one or ATTRIBUTES[one.attribute].kind in _SEVERAL:
        return one
    second = _SECOND.get(folded(one.header), "")
    if second and second not in best:
        best[second] = one
        return one._replace(attribute=second)
    return one._replace(attribute="", date="", why=f"{one.why}; another column is that already")


_SEVERAL = frozenset((Kind.MAC, Kind.ADDRESS))
_SECOND = {"department": "unit", "dept": "unit", "abteilung": "unit", "hub": "behind", "hub id": "behind"}
"""Header -> what it is where a better one has its first meaning."""


def _column(name: str, header: str, cells: Sequence[str], list_: str) -> Proposed:
    if names_patient(header):
        return Proposed(name, header, "", "", "names a patient: never read", 0, 0.0, ())
    filled = [text for cell in cells if (text := unguarded(cell.strip()))]
    shown = tuple(dict.fromkeys(printable(text)[:40] for text in filled))[:SHOWN_MAX]
    attribute, why = named(header, list_), "by its header"
    if not attribute:
        attribute, why = _by_content(filled)
    date, fits = "", 1.0
    if attribute:
        kind = ATTRIBUTES[attribute].kind
        if kind in {Kind.DATE, Kind.MOMENT}:
            date, fits = _form(filled)
        elif kind in _FITS:
            fits = _share(filled, _FITS[kind])
        if filled and fits < FITS_MIN:
            why = f"its header says {attribute}, but its cells hold something else"
            attribute = date = ""
    return Proposed(
        name,
        header,
        attribute,
        date,
        why if attribute or filled else "empty",
        len(filled),
        round(fits, 2),
        shown,
    )


def _by_content(filled: Sequence[str]) -> tuple[str, str]:
    """Name what cells hold that have a form of their own; a text may be anything, so it is not named."""
    if filled:
        for attribute, fits in (("mac", _FITS[Kind.MAC]), ("address", _FITS[Kind.ADDRESS]), ("eui64", _FITS[Kind.EUI64]), ("udi", _carrier), ("host", _HOST.fullmatch)):  # fmt: skip
            if _share(filled, fits) >= 0.9:
                return attribute, "by what stands in it"
    return "", "not known"


def _share(filled: Sequence[str], fits: Callable[[str], object]) -> float:
    return sum(bool(fits(text)) for text in filled) / len(filled) if filled else 1.0


def _carrier(text: str) -> bool:
    """A UDI in a column nobody named so: with its signs, for any 14 digits may be a GTIN."""
    return text[:1] in {"(", "+", "=", "]"} and _is_udi(text)


def _is_udi(text: str) -> bool:
    try:
        udi.parse(text, 2000)
    except InputError:
        return False
    return True


_FITS: dict[Kind, Callable[[str], object]] = {
    Kind.MAC: lambda text: mac(re.split(r"[;,|\n]", text)[0]),
    Kind.ADDRESS: lambda text: address(re.split(r"[;,|\n/ ]", text)[0]),
    Kind.EUI64: eui64,
    Kind.UDI: _is_udi,
    Kind.LIFECYCLE: lambda text: text.casefold() in LIFECYCLE,
}


def _form(filled: Sequence[str]) -> tuple[str, float]:
    """Find the form most cells have, and the share; ``mixed`` where others are dates of another form; undecided where days and months could be either."""
    if not filled:
        return "iso", 1.0
    shares = {form: _share(filled, lambda text, form=form: _is_day(text, form)) for form in FORMS}  # type: ignore[misc]  # bound at once
    best = max(shares.values())
    if (
        best < FITS_MIN
        and _share(filled, lambda text: _is_day(text, "excel") and 20_000 < float(text) < 80_000) >= FITS_MIN
    ):
        return "excel", 1.0
    dated = _share(filled, lambda text: is_either(text) or _is_day(text, MIXED))
    if best < dated:
        return MIXED, dated
    forms = [form for form, share in shares.items() if share == best]
    alike = {form.replace("%d", "?").replace("%m", "?") for form in forms}
    return (forms[0] if len(alike) == len(forms) else UNDECIDED), best


def _is_day(text: str, form: str) -> bool:
    try:
        day(text, form)
    except InputError:
        return False
    return True
