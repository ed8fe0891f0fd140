"""The person attended the patient's stay."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Take the keeper's word only where a stay names the person as attending, or has changed since, on record."""
    mine = evidence.staff.get(opening.person, frozenset())
    return opening.basis == "attending" and any(
        not mine.isdisjoint(stay.attending) or evidence.moved_since(stay, opening)
        for stay in evidence.stood(opening.subject, opening.at_us)
    )


REASON = ReasonOfAccess(
    "attending",
    20,
    "attended the patient's stay",
    "access.attending",
    "that it was needed for that patient just then",
    explains,
)
