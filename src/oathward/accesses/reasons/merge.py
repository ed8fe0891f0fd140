"""The person decides whether two numbers are one patient."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, _evidence: Evidence) -> bool:
    """Take the keeper's word: it opens the cards of a merge alone, for whoever may confirm it, and names the edge."""
    return opening.basis == "merge" and opening.purpose == "HOPERAT"


REASON = ReasonOfAccess(
    "merge",
    65,
    "had to say whether two numbers are one patient",
    "access.merge",
    "what they decided: the records of that merge do",
    explains,
)
