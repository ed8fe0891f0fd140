"""Why somebody breaks the glass: one code a reason, with its words for staff and the purpose of use that it is.

Deliberately absent: what each lifts (all of them the same), and who may (``rules/*.cedar``).

Source: purposes from HL7 v3 ActReason (BTG break the glass, ETREAT emergency treatment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oathward.core.labels import Purpose


@dataclass(frozen=True, slots=True)
class Why:
    """One reason. ``words``: as pages offer it."""

    words: str
    purpose: Purpose


REASONS: Mapping[str, Why] = {
    "life-threat": Why("Danger to life: treatment cannot wait", Purpose.ETREAT),
    "deteriorating": Why("The patient is getting worse and the cause is not known", Purpose.ETREAT),
    "cannot-say": Why("The patient cannot be asked now and it matters for treatment", Purpose.BTG),
    "handover": Why("A handover lacks what is needed to go on safely", Purpose.BTG),
    "patient-asks": Why("The patient is here and asks for it", Purpose.BTG),
    "other": Why("Another reason, in your words", Purpose.BTG),
}
"""Code -> what it is; the code stands in records."""

OUTCOMES: Mapping[str, str] = {"justified": "Justified", "not-justified": "Not justified"}
"""What a review can come to, as pages say it."""
