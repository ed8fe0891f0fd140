"""Stamp what people say of who cares for whom: shifts and assignments, for those who may say so.

Rules:
- Only a stamped assignment gives a relation; the keeper stamps for a person who may change care, and records how many.
- Nobody says of themselves whom they care for.
- An assignment names a person who is here, a unit or a patient, and an end.

Deliberately absent: storing (the command does), and reading of lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.vault.care_rows import Assignment, Stamps, assignment_stamp
from oathward.vault.keeper import asking, keyring, roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, Operation
from oathward.vault.keeper.proof import Caller

ROWS_MAX = 1_000
SPAN_US_MAX = 366 * 86_400_000_000


def stamp(
    keeper: Keeper, caller: Caller, rows: Sequence[Mapping[str, Any]], proof: Mapping[str, str]
) -> list[str]:
    """Stamp assignments, in order.

    Raises:
        KeeperError: ``INPUT_INVALID``; or not for this person, as ``asking.person``.
    """
    by = asking.person(keeper, caller, proof, "care.change", Thing("patient"))
    assignments = [Assignment(**row) for row in rows]
    for one in assignments:
        _check(keeper, one)
        if one.person == by.name:
            raise KeeperError("assignment", "is your own; another person says it", reason=Reason.ACCESS_OWN)
    stamps = Stamps(keyring.site_keys(keeper.store, keeper.site)["index"], keeper.site)
    people = sorted({one.person for one in assignments})
    body = {"by": by.name, "count": len(assignments), "people": people[:100]}
    keeper.note("care.assigned", body | {"until": max(one.until_us for one in assignments)})
    return [plain.b64(assignment_stamp(stamps, keeper.site, one)) for one in assignments]


def _check(keeper: Keeper, one: Assignment) -> None:
    person = roles.person_of(keeper, one.person)
    if person is None or person.state != "active":
        raise KeeperError("person", "is not here", reason=Reason.NOT_FOUND)
    if bool(one.unit) is bool(one.subject):
        raise KeeperError("assignment", "is of a unit or of a patient", reason=Reason.INPUT_INVALID)
    if not one.from_us <= one.until_us <= one.from_us + SPAN_US_MAX:
        raise KeeperError("assignment", "ends after it begins, within a year", reason=Reason.INPUT_INVALID)


_TIME = shapes.number(0, 2**53)
_ROW = shapes.table(
    id=ID,
    person=shapes.text(128),
    unit=shapes.text(200, empty=True),
    subject=shapes.text(empty=True),
    from_us=_TIME,
    until_us=_TIME,
    source=shapes.text(100),
)

TABLE: Mapping[str, Operation] = {
    "care_stamp": Operation(
        stamp, shapes.table(rows=shapes.listed(_ROW, ROWS_MAX, least=1), proof=shapes.proof)
    ),
}
"""Of the admin socket."""
