"""The person works at the unit where the patient was."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Take the keeper's word only where a stay at that unit stood, or one that has moved since, on record."""
    return (
        opening.basis == "unit"
        and bool(opening.unit)
        and any(
            stay.unit == opening.unit or evidence.moved_since(stay, opening)
            for stay in evidence.stood(opening.subject, opening.at_us)
        )
    )


REASON = ReasonOfAccess(
    "unit",
    30,
    "works at the unit where the patient was",
    "access.unit",
    "that the person was on duty, or looked after this patient of the unit",
    explains,
)
