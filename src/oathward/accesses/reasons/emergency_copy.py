"""It was read from an emergency copy, of somebody who was in the house, to treat them."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess

KIND = "copy.read"


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Take a reading for treatment of somebody whose stay stood then; one in a drill treats nobody, and is looked at."""
    treated = opening.kind == KIND and opening.purpose == "ETREAT"
    return treated and bool(evidence.stood(opening.subject, opening.at_us))


REASON = ReasonOfAccess(
    "emergency-copy",
    15,
    "read from the emergency copy, while the main system could not be used",
    "access.emergency-copy",
    "who read it: the name is what they gave, since nobody could prove theirs then",
    explains,
)
