"""The person answers for the device that sent what was opened."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """See that each message it names was sent by a device this person owns by the inventory."""
    mine = evidence.aliases.get(opening.person, frozenset((opening.person,)))
    owners = {evidence.owners.get(evidence.sent_by.get(one, ""), "") for one in opening.messages}
    return bool(owners) and "" not in owners and owners <= mine


REASON = ReasonOfAccess(
    "device",
    60,
    "answers for the device that sent it",
    "access.device",
    "that something was wrong with the device",
    explains,
)
