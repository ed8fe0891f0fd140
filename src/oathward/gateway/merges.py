"""What somebody should look at in a merge: one that touches a person whom staff are curious about.

Rules:
- A merge said in a message that the bundle labels ``CEL`` is a finding; it is done all the same, for the patient's safety.
- A finding about a merge names its source (``outcome``); whose merge it is stands in the record as a random id.

Deliberately absent: how many merges are too many (``patients.adt``), and what waits for a person (``patients.confirming``).

Source: HL7 v3 ActCode, ActInformationSensitivityPolicy ``CEL`` (celebrity: VIP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.patients.model import EdgeKind

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.policy.model import Facts

CELEBRITY = "CEL"
FINDING = "patient.merge-celebrity"
PREFIX = "patient.merge-"
"""Of the findings that name the source of a merge."""


def note(part: Part, facts: Facts) -> None:
    """Note a merge of a labelled person."""
    edges = part.resolution.rows.edges
    if edges and CELEBRITY in (facts.sensitivity or ()) and any(e.kind is EdgeKind.MERGED for e in edges):
        part.find(FINDING)


def source_of(part: Part, finding: str) -> dict[str, str]:
    """Give who said the merge that a finding is about; nothing for other findings."""
    edges = part.resolution.rows.edges
    return {"source": edges[-1].source} if edges and finding.startswith(PREFIX) else {}
