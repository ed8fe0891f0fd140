"""The person had broken the glass for this patient, and it had not ended."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Look for a break-glass of this person, of this patient, that lasted then."""
    together = evidence.of(opening.subject)
    return any(
        one.subject in together and one.from_us <= opening.at_us < one.until_us
        for one in evidence.glasses.get(opening.person, ())
    )


REASON = ReasonOfAccess(
    "break-glass",
    10,
    "broke the glass for this patient",
    "access.break-glass",
    "that it was an emergency: the review of the break-glass says that",
    explains,
)
