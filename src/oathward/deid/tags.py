"""What may be said of everything that leaves under a plan: security labels of alteration, as far as the profile decides them.

Rules:
- ``PSEUDED``: keyed names stand for persons or things. ``ANONYED``: nothing leaves but what says nothing about anyone and what was made
  coarse, and nothing is keyed: nobody, the keeper neither, has a way back.
- Of a profile that keeps everything nothing is said: that a consent or a link took something out of it is nobody's to tell.
- What was removed of one resource, its rewriter says (``REDACTED``).

Deliberately absent: ``SUBSETTED``. It tells a server that the resource must not be stored, and what leaves is for storing; and any label
in HL7 v2, which has no place for alterations (MSH-26 to MSH-28 of v2.9 are confidentiality and handling).

Source: HL7 v3 ObservationValue, SECALTINTOBV; FHIR R4 §6.1.1, §2.27.5 (SUBSETTED).
"""

from __future__ import annotations

from oathward.deid.action import actions
from oathward.deid.profile import Profile

UNTELLING = frozenset(("structure", "observation.code", "observation.value", "clinical.code", "device.type"))
COARSE = frozenset(("year", "birth_year", "postcode3", "generalise", "listed", "bands", "dummy"))
"""Actions after which a value is one of many people's."""


def tags_of(profile: Profile, classes: frozenset[str]) -> frozenset[str] | None:
    """Give the labels that hold for everything a plan lets leave; None where nothing is to be said of it.

    Args:
        profile: what may happen to each class.
        classes: the permitted ones.
    """
    if {action for _, action in profile.actions} == {"keep"} and profile.uncatalogued == "pass":
        return None
    used = {(cls, action) for cls, action in profile.actions if cls in classes and action != "remove"}
    known = actions()
    if any(known[action].keyed and not known[action].shifts for _, action in used):
        return frozenset(("PSEUDED",))
    plain = all(action in COARSE or (action == "keep" and cls in UNTELLING) for cls, action in used)
    return frozenset(("ANONYED",)) if plain and profile.uncatalogued == "remove" else frozenset()
