"""The person had a shift at the unit where the patient was."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Look for a shift that held then, at the unit of a stay that stood then, or that has moved since, on record."""
    units = {one.unit for one in evidence.assigned(opening.person, opening.at_us) if one.unit}
    if not units:
        return False
    stays = evidence.stood(opening.subject, opening.at_us)
    moved = opening.basis == "shift" and opening.unit in units
    return any(stay.unit in units or (moved and evidence.moved_since(stay, opening)) for stay in stays)


REASON = ReasonOfAccess(
    "shift",
    50,
    "had a shift at the unit where the patient was",
    "access.shift",
    "that the person looked after this patient of the unit",
    explains,
)
