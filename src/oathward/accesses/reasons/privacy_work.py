"""The person had ordered the release of just these messages."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess

WITHIN_US = 24 * 3_600_000_000
"""So long after its order an opening still belongs to a release."""


def explains(opening: Opening, evidence: Evidence) -> bool:
    """See that each message it names was in a release this person ordered, at most a day before."""
    if not opening.messages:
        return False
    ordered = [evidence.released.get((opening.person, one)) for one in opening.messages]
    return all(at is not None and 0 <= opening.at_us - at <= WITHIN_US for at in ordered)


REASON = ReasonOfAccess(
    "privacy-work",
    70,
    "released these messages, which were held",
    "access.privacy-work",
    "that the release was right: its own record names who ordered it and why",
    explains,
)
