"""Proposals as the keeper keeps them: their form, their states, the rows in its own store.

Rules:
- A proposal is one canonical JSON document of known form; it never changes, only its state does.
- Its id, and those of what it is about, are short and plain: they stand in records, pages and addresses.
- A state is left once: who comes second is told so.
- What waits is bounded, for all and for one person; nothing that waits is in an emergency's way.

Deliberately absent: who may (``apart``), and what follows from a state (``changes``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from oathward.core.errors import KeeperError
from oathward.core.ids import is_id
from oathward.core.reasons import Reason
from oathward.policy.people import GRANT, SERVICE
from oathward.vault.keeper.keeper import Keeper

BUNDLE, ACTIVE = "bundle", "active"
UNASSESSED, TAKEN_BACK = "unassessed", "taken-back"
"""States of an emergency that one person made and nobody agreed to; a word for each, as rows hold it."""

DOCUMENT_BYTES_MAX = 65_536
OPEN_MAX = 500
"""Proposals that wait; one more is refused. An emergency is none of these: it waits for nobody."""

OPEN_OF_ONE_MAX = 100
"""Of one person: nobody fills the room of all others. Their emergencies that were never signed have the same number apart."""

_DRY_RUN = re.compile(r"(?:[0-9a-f]{64})?")
_FIELDS = {"attachments", "base_version", "documents", "dry_run", "emergency", "id", "kind", "reason"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What it takes to change one kind of document; ``activate``: empty where either of the two may have it signed."""

    propose: str
    approve: str
    thing: str
    activate: str = ""


KINDS = {
    BUNDLE: Kind("policy.propose", "policy.approve", "policy", "policy.activate"),
    GRANT: Kind("grant.propose", "grant.approve", "person"),
    SERVICE: Kind("service.propose", "grant.approve", "service"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change and where it stands.

    Args:
        state: ``proposed``, ``approved``, ``signed``, ``unassessed`` (an emergency), ``assessed``, ``taken-back`` (an
            emergency that another person took back, and nobody assessed), ``withdrawn``, ``refused``.
        version: the one it was signed as; 0 before.
    """

    id: str
    kind: str
    body: bytes
    state: str
    proposer: str
    proposed_us: int
    approver: str = ""
    approved_us: int = 0
    version: int = 0

    @property
    def stated(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found


def absent() -> KeeperError:
    """Make the refusal of a proposal there is not, or not for whoever asks."""
    return KeeperError("proposal", "there is no such proposal", reason=Reason.NOT_FOUND)


def of(keeper: Keeper, id_: str) -> Proposal:
    """Read a proposal.

    Raises:
        KeeperError: ``NOT_FOUND``.
    """
    found = find(keeper, id_)
    if found is None:
        raise absent()
    return found


def find(keeper: Keeper, id_: str) -> Proposal | None:
    """Read a proposal; nothing where there is none."""
    row = keeper.store.one("SELECT * FROM proposal WHERE id = ?", id_)
    return Proposal(*row) if row is not None else None


def listed(keeper: Keeper, *, open_only: bool = False, limit: int = 200) -> list[Proposal]:
    """List proposals, the newest first."""
    where = " WHERE state IN ('proposed', 'approved', 'unassessed')" if open_only else ""
    rows = keeper.store.rows(f"SELECT * FROM proposal{where} ORDER BY proposed_us DESC LIMIT ?", limit)  # noqa: S608  our own words
    return [Proposal(*row) for row in rows]


def check_room(keeper: Keeper, person: str, *, emergency: bool) -> None:
    """See that one more may wait: an emergency goes first, however many wait, so long as one person has not too many of them.

    Raises:
        KeeperError: ``LIMIT_EXCEEDED``.
    """
    rows = keeper.store.rows(
        "SELECT proposer, COUNT(*) FROM proposal WHERE state IN ('proposed', 'approved')"
        " AND json_extract(CAST(body AS TEXT), '$.emergency') = ? GROUP BY proposer",
        int(emergency),
    )
    waiting = {str(one): int(count) for one, count in rows}
    if waiting.get(person, 0) >= OPEN_OF_ONE_MAX:
        why = f"{OPEN_OF_ONE_MAX} of yours wait: withdraw what is not wanted any more"
        raise KeeperError("proposals", why, reason=Reason.LIMIT_EXCEEDED)
    if not emergency and sum(waiting.values()) >= OPEN_MAX:
        raise KeeperError("proposals", "too many wait", reason=Reason.LIMIT_EXCEEDED)


def shaped(body: bytes) -> dict[str, Any]:
    """Read a proposal's document: canonical JSON of known form.

    Raises:
        KeeperError: ``INPUT_INVALID``.
    """
    try:
        stated = orjson.loads(body)
        fine = (
            len(body) <= DOCUMENT_BYTES_MAX
            and isinstance(stated, dict)
            and set(stated) == _FIELDS
            and orjson.dumps(stated, option=orjson.OPT_SORT_KEYS) == body
            and stated["kind"] in KINDS
            and isinstance(stated["emergency"], bool)
            and type(stated["base_version"]) is int
            and isinstance(stated["reason"], str)
            and len(stated["reason"]) <= 500
            and _DRY_RUN.fullmatch(stated["dry_run"]) is not None
            and is_id(stated["id"])
            and 1 <= len(stated["documents"]) <= 1 + 499 * (stated["kind"] != BUNDLE)
            and all(_is_row(row) for name in ("documents", "attachments") for row in stated[name])
            and all(row[0] == stated["kind"] and is_id(row[1]) for row in stated["documents"])
            and (stated["kind"] != BUNDLE or stated["documents"][0][1] == ACTIVE)
            and (not stated["emergency"] or stated["kind"] == BUNDLE)
        )
    except (ValueError, KeyError, TypeError):
        fine = False
    if not fine:
        raise KeeperError("proposal", "is not of that form", reason=Reason.INPUT_INVALID)
    return stated  # type: ignore[no-any-return]  # seen to be a dict above


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 3
        and all(isinstance(one, str) and 0 < len(one) <= 256 and one.isprintable() for one in row)
    )


def move(keeper: Keeper, was: Proposal, state: str, approver: str = "", *, version: int = 0) -> None:
    """Bring a proposal into its next state, once.

    Raises:
        KeeperError: ``CONFLICT``: somebody else did meanwhile.
    """
    changed = keeper.store.rows(
        "UPDATE proposal SET state = ?, approver = ?, approved_us = ?, version = ? WHERE id = ? AND state = ? RETURNING id",
        *(state, approver or was.approver, keeper.now_us() if approver else was.approved_us),
        *(version or was.version, was.id, was.state),
    )
    if not changed:
        raise KeeperError("proposal", "was changed meanwhile", reason=Reason.CONFLICT)
