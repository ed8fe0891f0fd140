"""What a message loses on the way to FHIR, told before it is mapped: the published list, applied.

Rules:
- ``explain`` says of one value whether it is lost, and by which row of ``losses.tsv``; None: it comes back. It looks at
  the message alone, so that a gateway can say what a link will not get.
- A row without a condition holds always. The words of conditions are functions here, one each.
- Rows name places and reasons, never values.

Deliberately absent: values that come back in another spelling (``FORMS``); they are not lost.

Source: ``tables/losses.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from oathward.core import code_systems
from oathward.core.code_systems import HL7_TABLES
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.v2fhir import tables
from oathward.protocols.v2fhir.codes import TRIPLETS, uri_of
from oathward.protocols.v2fhir.composites import parts_of
from oathward.protocols.v2fhir.engine import Row, every
from oathward.protocols.v2fhir.leaves import of_message, place
from oathward.protocols.v2fhir.observation import SUB_ID_PARTS

FORMS = {
    "zone": "a time without a zone comes back with that of MSH-7",
    "alias": "another name of a coding system comes back as its name of table 0396",
    "spaces": "spaces around a code or an authority, or doubled in it, do not come back",
}
"""Spellings that change, and what becomes of them."""

MAPPED = frozenset(("MSH", "EVN", "PID", "PD1", "NK1", "MRG", "PV1", "PV2", "OBR", "OBX", "NTE"))
TEXTS = frozenset(("ST", "TX", "FT"))
PL_DESCRIPTION = 9
_PLACE = re.compile(r"([A-Z0-9:a-z]+)\[(\d+)\]-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?").fullmatch
_ONCE = frozenset((("OBR", 7), *(("OBX", n) for n in (2, 3, 4, 6, 7, 11, 14, 18))))
_CODED = frozenset((("OBX", 3), ("OBX", 6), ("OBX", 8), ("OBX", 11), ("OBX:device", 3)))
_TABLES = {("OBX", 8): "0078", ("OBX", 11): "0085"}


class Leaf(NamedTuple):
    """One place, taken apart."""

    role: str
    occurrence: int
    field: int
    repetition: int
    component: int
    sub: int

    def beside(self, component: int, field: int = 0) -> str:
        """Write the place of another component or field."""
        if field:
            return place(self.role, self.occurrence, field)
        return place(self.role, self.occurrence, self.field, self.repetition, str(component))


class Loss(NamedTuple):
    """One row of the list."""

    place: str
    when: str
    reason: str


@cache
def every_loss() -> tuple[Loss, ...]:
    """Give the list, one place a row."""
    return tuple(
        Loss(name, when, reason)
        for places, when, reason in tables.rows("losses.tsv", 3)
        for name in places.split(" ")
    )


@cache
def _by_place() -> dict[str, tuple[Loss, ...]]:
    found: dict[str, list[Loss]] = {}
    for loss in every_loss():
        found.setdefault(loss.place, []).append(loss)
    return {name: tuple(losses) for name, losses in found.items()}


@cache
def _rows() -> dict[tuple[str, int], Row]:
    return {(row.segment, row.field): row for row in every()}


def parsed(where: str) -> Leaf:
    """Take a place apart.

    Raises:
        ValueError: not a place.
    """
    match = _PLACE(where)
    if match is None:
        raise ValueError("a place is like PID[1]-3[2].4.1")
    role, *numbers = match.groups()
    return Leaf(role, *(int(number or 1) for number in numbers))


def row_of(leaf: Leaf) -> Row | None:
    """Find the row that maps a field."""
    segment = "NTE" if leaf.role == "NTE:order" else leaf.role
    return _rows().get((segment, leaf.field))


def explain(where: str, there: Mapping[str, str]) -> Loss | None:
    """Say by which row a value is lost; None for one that comes back.

    Args:
        where: its place.
        there: every value of the message (``leaves.of_message``).
    """
    leaf = parsed(where)
    names = [leaf.role, f"{leaf.role}-{leaf.field}"]
    row = row_of(leaf)
    if row is not None:
        datatype = datatype_of(row, leaf, there)
        if datatype == "CWE" or (row.segment, row.field) != ("OBX", 5):
            names.append(f"{datatype}.{leaf.component}")
    for name in (*names, "*"):
        for loss in _by_place().get(name, ()):
            if not loss.when or _CONDITIONS[loss.when](leaf, row, there):
                return loss
    return None


def of(message: Message) -> dict[str, Loss]:
    """List what a message loses: place -> the row of the list."""
    there = of_message(message)
    return {where: loss for where in there if (loss := explain(where, there))}


def datatype_of(row: Row, leaf: Leaf, there: Mapping[str, str]) -> str:
    """Name the datatype whose components a field has."""
    if (row.segment, row.field) in _CODED or row.kind.startswith(("CC", "CODING:", "map:")):
        return "CWE"
    if (row.segment, row.field) == ("OBX", 5):
        told = there.get(leaf.beside(1, 2), "")
        return "CWE" if told in {"CE", "CWE", "CNE", "CF", "IS", "ID"} else "" if told in TEXTS else told
    return {"=equipment": "EI", "=place": "OG"}.get(row.kind, row.kind)


# --- conditions


def _prior(there: Mapping[str, str]) -> str:
    """Say what MRG names in this message."""
    event = tables.events().get(f"{there.get('MSH[1]-9', '')}^{there.get('MSH[1]-9.2', '')}")
    return event.prior if event else ""


def _not_a_merge(_leaf: Leaf, _row: Row | None, there: Mapping[str, str]) -> bool:
    return _prior(there) != "merge"


def _not_a_move(_leaf: Leaf, _row: Row | None, there: Mapping[str, str]) -> bool:
    return _prior(there) != "visit"


def _birth_order(leaf: Leaf, _row: Row | None, there: Mapping[str, str]) -> bool:
    return leaf.beside(1, 25) in there


def _time_of_death(leaf: Leaf, _row: Row | None, there: Mapping[str, str]) -> bool:
    return leaf.beside(1, 29) in there


def _other_segment(leaf: Leaf, _row: Row | None, _there: Mapping[str, str]) -> bool:
    return leaf.role.partition(":")[0] not in MAPPED


def _once(leaf: Leaf, row: Row | None, _there: Mapping[str, str]) -> bool:
    if leaf.repetition == 1 or row is None:
        return False
    return (row.segment.partition(":")[0], row.field) in _ONCE or not (
        row.repeats or row.kind.startswith("=")
    )


def _another_part(leaf: Leaf, row: Row | None, there: Mapping[str, str]) -> bool:
    if row is None or row.kind == "XTN":
        return False
    if row.place:
        return not _is_place(leaf, row.place)
    datatype = datatype_of(row, leaf, there)
    if (row.segment, row.field) == ("OBX", 5) and datatype != "CWE":
        return False
    if datatype in {"CWE", "OG"}:
        return leaf.sub > 1 or (datatype == "OG" and leaf.component > len(SUB_ID_PARTS))
    if datatype == "PL":
        return leaf.sub > (3 if leaf.component < PL_DESCRIPTION else 1)  # HD has three
    simple = (leaf.component, leaf.sub) == (1, 1)
    return not (_is_known(leaf, datatype) if parts_of(datatype) else simple)


def _is_place(leaf: Leaf, wanted: tuple[int, ...]) -> bool:
    return (leaf.component, leaf.sub)[: len(wanted)] == wanted and (len(wanted) > 1 or leaf.sub == 1)


def _is_known(leaf: Leaf, datatype: str) -> bool:
    for part in parts_of(datatype):
        if part.kind == "HDX" and part.component <= leaf.component < part.component + 3:
            return leaf.sub == 1
        if part.component == leaf.component and (part.sub or 1) == leaf.sub:
            return True
        if part.kind == "HD" and part.component == leaf.component:
            return leaf.sub <= 3
    return False


def _own_table(leaf: Leaf, row: Row | None, there: Mapping[str, str]) -> bool:
    if row is None or leaf.sub > 1:
        return False
    table = _TABLES.get((row.segment, row.field)) or row.kind.partition(":")[2]
    at = {at + 3: at + 1 for at, _ in TRIPLETS}.get(leaf.component)
    if not table or at is None or leaf.beside(at) not in there:
        return False
    return uri_of(there[leaf.beside(leaf.component)].strip()) == f"{HL7_TABLES}{table}"


def _second_id(leaf: Leaf, row: Row | None, there: Mapping[str, str]) -> bool:
    return row is not None and leaf.beside(10) in there


_CONDITIONS: dict[str, Callable[[Leaf, Row | None, Mapping[str, str]], bool]] = {
    "not-a-merge": _not_a_merge,
    "not-a-move": _not_a_move,
    "birth-order": _birth_order,
    "time-of-death": _time_of_death,
    "other-segment": _other_segment,
    "once": _once,
    "another-part": _another_part,
    "own-table": _own_table,
    "second-id": _second_id,
}
"""Word of ``when`` -> whether it holds of a value."""


def same(text: str, again: str, zone: str = "") -> str | None:
    """Say whether a value came back: empty for exactly, else the word of ``FORMS``; None for another value."""
    if text == again:
        return ""
    if zone and again == text + zone:
        return "zone"
    if again in {text.strip(), " ".join(text.split())}:
        return "spaces"
    if code_systems.uri_of(text.strip()) and code_systems.canonical(text.strip()) == again:
        return "alias"
    return None
