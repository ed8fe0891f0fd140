"""One number of the site on two rows of one list, with other serials, UDIs or EUI-64s: two devices, and the number in dispute. Pure.

Rules:
- Each row goes to the endpoint with the number that has its serial, UDI or EUI-64; else to one that has none of that kind; else it is a new one. None is
  taken into another, whichever stands first: a retired device must not hide one in use.
- A serial counts without its maker here: lists write makers in many ways, and some do not at all.
- Which numbers a list has twice so is said by whoever reads it (``Picture.disputed``). In a later list with another serial it is a correction, not a dispute.
"""

from __future__ import annotations

from collections.abc import Sequence

from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints.marks import sort_marks
from oathward.endpoints.noting import LISTS, PARTS, is_list
from oathward.endpoints.picture import Known, Picture

Parts = frozenset[tuple[str, str]]
"""Kind and value of serials, UDIs and EUI-64s."""


def parts_of(said: Statement) -> Parts:
    """Give what a row says that two devices do not share."""
    serials = (
        Mark(MarkKind.SERIAL, f"|{one.value.casefold()}") for one in said.facts if one.attribute == "serial"
    )
    return _parts((*sort_marks(said.marks).claims, *sort_marks(tuple(serials)).claims))


def are_two(one: Parts, other: Parts) -> bool:
    """Whether both say a serial, UDI or EUI-64, and nothing that is the same."""
    return bool({kind for kind, _ in one} & {kind for kind, _ in other}) and not one & other


def in_dispute(one: Known, other: Known) -> bool:
    """Whether two endpoints have one number of the site, and are two by what else they have."""
    mine, theirs = ({key for key, _ in each.values(MarkKind.TAG)} for each in (one, other))
    return bool(mine & theirs) and are_two(_parts_of(one), _parts_of(other))


def is_of_other_row(picture: Picture, known: Known, said: Statement) -> bool:
    """Whether a row is about another device than the one that has its number by another row of the same list."""
    tags = [value for kind, value in said.marks if kind is MarkKind.TAG and value in picture.disputed]
    return any((MarkKind.TAG, "", one) in known.marks for one in tags) and are_two(
        parts_of(said), _parts_of(known)
    )


def by_row(holders: Sequence[Known], said: Statement, claim: Mark) -> Sequence[Known]:
    """Order those who have a number: first whom the rest of the row is about, last whom it is not."""
    if claim.kind is not MarkKind.TAG or len(holders) < 2 or not is_list(said):
        return holders
    mine = parts_of(said)
    return sorted(holders, key=lambda one: (not mine & _parts_of(one), are_two(mine, _parts_of(one))))


def check_tags(picture: Picture, known: Known, said: Statement) -> None:
    """Find who else has a number of the site that a row says. Called once what it says is noted."""
    for kind, tag in said.marks:
        for other in picture.having(kind, tag) if kind is MarkKind.TAG else ():
            if other is not known and in_dispute(known, other):
                picture.conflict(known, other, kind, said.at_us)


def _parts_of(known: Known) -> Parts:
    said = {value for name, value, source in known.facts if name == "serial" and source in LISTS}
    serials = tuple(Mark(MarkKind.SERIAL, f"|{one.casefold()}") for one in sorted(said | known.serials))
    return _parts((*(Mark(key[0], key[2]) for key in known.marks), *sort_marks(serials).claims))


def _parts(marks: Sequence[Mark]) -> Parts:
    return frozenset(
        (kind.value, value.rpartition("|")[2] if kind is MarkKind.SERIAL else value)
        for kind, value in marks
        if kind in PARTS
    )
