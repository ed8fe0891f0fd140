"""The person found out whose a pseudonym is, and another had agreed to it."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess


def explains(opening: Opening, _evidence: Evidence) -> bool:
    """Take the keeper's word: it opens so by a request that another person signed alone, and names the request."""
    return opening.basis == "reidentify" and opening.purpose == "HOPERAT"


REASON = ReasonOfAccess(
    "reidentify",
    67,
    "found out whose a pseudonym is; another person agreed",
    "access.reidentify",
    "that the reason was a good one: the records of that request say who agreed, and why",
    explains,
)
