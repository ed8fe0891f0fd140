"""The patient was assigned to the person."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Look for an assignment of this patient that held then; the keeper's word alone does not do."""
    together = evidence.of(opening.subject)
    return any(
        one.subject in together for one in evidence.assigned(opening.person, opening.at_us) if one.subject
    )


REASON = ReasonOfAccess(
    "assignment",
    40,
    "the patient was assigned to this person",
    "access.assignment",
    "who assigned it for what: the list it came from does",
    explains,
)
