"""The person attended the patient's stay."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Take the keeper's word only where a stay at that unit stood, or one that has moved since."""
    return opening.basis == "attending" and any(
        stay.unit == opening.unit or stay.place_said_us > opening.at_us
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
