"""Why somebody asks whose a pseudonym is: one code a reason, with its words for staff.

Deliberately absent: who may (``rules/*.cedar``), and what a patient reads of it (the portal's texts).
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "incidental-finding": "Something was found that matters for this patient's health",
    "safety": "Somebody may be in danger: a device, a medicine or a result has to be followed up",
    "patient-asks": "The patient wants something done with what was sent of them",
    "wrong-data": "What was sent is wrong, or of somebody else",
    "law": "A law or a court asks for it",
    "other": "Another reason, in your words",
}
"""Code -> what it is; the code stands in records."""
