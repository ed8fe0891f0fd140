"""The person was on call for the unit where the patient was."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Look for a line of an imported roster that held then, at the unit of a stay that stood then."""
    units = evidence.on_call(opening.person, opening.at_us)
    if not units:
        return False
    return any(stay.unit in units for stay in evidence.stood(opening.subject, opening.at_us) if stay.unit)


REASON = ReasonOfAccess(
    "on-call",
    55,
    "was on call for the unit where the patient was",
    "access.on-call",
    "that they were called to this patient: the roster it came from says who was on call, nothing more",
    explains,
)
