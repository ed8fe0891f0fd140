"""The patient, or somebody who acts for them, looked at it at the portal."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, _evidence: Evidence) -> bool:
    """Take the keeper's word for the access it found in force then; its id stands in the record."""
    return bool(opening.access)


REASON = ReasonOfAccess(
    "own",
    5,
    "is the patient, or acts for them, and looked at the portal",
    "access.own",
    "that the access was rightly given: its own record names who gave it",
    explains,
)
