"""A merge that waits for a person: who its two subjects are called, and the signature on what that person said.

| operation | action | for |
|---|---|---|
| ``merge_cards`` | ``merge.confirm`` | both cards, opened on record like a patient's page (basis ``merge``) |
| ``merge_sign`` | ``merge.confirm`` | the confirmation of that edge and its two subjects, and of nothing else |

Rules:
- An edge is believed by its stamped tie alone: nobody has cards of two patients opened by naming an edge there is not.
- Each opening counts for its person, and is a record of each subject.

Deliberately absent: undoing a merge (``patients.actions``), and which merges wait (``patients.views``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.access import Thing
from oathward.vault import cards, care_rows
from oathward.vault.care_rows import Stamps
from oathward.vault.keeper import allowing, asking, keyring, opening, signing, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, Operation
from oathward.vault.keeper.proof import Caller

BASIS = "merge"
_KIND = "merge"


def merge_cards(
    keeper: Keeper, caller: Caller, edge: str, child: str, parent: str, proof: Mapping[str, str]
) -> dict[str, Any]:
    """Open the cards of the two subjects of a merge; one that has none, or was erased, is None.

    Raises:
        KeeperError: as ``asking.session``; ``NOT_FOUND``: there is no such edge; ``RATE_OF_OPENING``.
    """
    session = asking.session(keeper, caller, proof, "merge.confirm", Thing("patient", edge))
    _check(keeper, edge, child, parent)
    if not keeper.confirmed:
        raise KeeperError("witness", "has not been asked since the start", reason=Reason.KEEPER_UNAVAILABLE)
    found: dict[str, Any] = {}
    records: list[Record] = []
    who = {
        "basis": BASIS,
        "edge": edge,
        "person": session.visitor.person_id or session.person,
        "process": f"{caller.role} uid {caller.uid}",
        "purpose": Purpose.HOPERAT.value,
        "session": session.id,
        "unit": "",
    }
    allowing.count(keeper, session.visitor.person_id, 2)
    for name, subject in (("child", child), ("parent", parent)):
        found[name] = None
        if subjects.is_erased(keeper.store, keeper.site, subject):
            continue
        with read(keeper.engine) as db:
            card = cards.newest(db, keeper.site, (subject,))
        if card is not None:
            found[name] = plain.original(opening.open_card(keeper, card))
            told = {"card": True, "first": "", "last": "", "opened": 0}
            records.append(Record("keeper.opened", who | told, keeper.now_us(), subject))
    if records:
        keeper.record(records)  # before anything is told
    return found


def merge_sign(
    keeper: Keeper, caller: Caller, edge: str, child: str, parent: str, proof: Mapping[str, str]
) -> dict[str, Any]:
    """Sign that the two subjects of a merge are one.

    Raises:
        KeeperError: as ``asking.person`` and ``signing.sign``; ``NOT_FOUND``: there is no such edge.
    """
    who = asking.person(keeper, caller, proof, "merge.confirm", Thing("patient", edge))
    _check(keeper, edge, child, parent)
    row = {"child": child, "edge": edge, "parent": parent}
    body = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    [signed] = signing.sign(keeper, [signing.Wanted(_KIND, edge, 0, body)], [who])
    return plain.document(signed)


def _check(keeper: Keeper, edge: str, child: str, parent: str) -> None:
    stamps = Stamps(keyring.site_keys(keeper.store, keeper.site)["index"], keeper.site)
    with read(keeper.engine) as db:
        ties = care_rows.ties_of(db, keeper.site, child, stamps)
    if not any((one.edge, one.child, one.parent) == (edge, child, parent) for one in ties):
        raise KeeperError("edge", "there is no such merge", reason=Reason.NOT_FOUND)


_EDGE = shapes.table(edge=ID, child=ID, parent=ID, proof=shapes.proof)

TABLE: Mapping[str, Operation] = {
    "merge_cards": Operation(merge_cards, _EDGE),
    "merge_sign": Operation(merge_sign, _EDGE),
}
"""Of the app's socket, and of the command line's."""
