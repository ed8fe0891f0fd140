"""The person had ordered something for the patient, or was asked to do it."""

from __future__ import annotations

from oathward.accesses.model import Evidence, Opening, ReasonOfAccess

WITHIN_US = 30 * 86_400_000_000
"""So long after the last day on which they ordered something an opening still belongs to it."""


def explains(opening: Opening, evidence: Evidence) -> bool:
    """Look for an order of this patient by one of the person's numbers, heard before and not too long ago."""
    mine = evidence.staff.get(opening.person, frozenset())
    return any(
        order.orderer in mine and 0 <= opening.at_us - order.at_us <= WITHIN_US
        for one in evidence.of(opening.subject)
        for order in evidence.orders.get(one, ())
    )


REASON = ReasonOfAccess(
    "order",
    35,
    "had ordered something for this patient, or was asked to do it",
    "access.order",
    "what was ordered, or that these data belong to it",
    explains,
)
