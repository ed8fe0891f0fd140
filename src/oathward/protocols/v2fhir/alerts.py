"""An alert of a device (IHE PCD-04, ORU^R40): one Observation, its attributes as components.

Rules:
- The row of the event (OBX-3 says which, OBX-5 how the device words it) is the Observation. The rows after it that
  are attributes of the same place (``MDC_ATTR_ALERT_SOURCE``, ``MDC_ATTR_EVENT_PHASE``, ``MDC_ATTR_ALARM_STATE``,
  ``MDC_ATTR_ALARM_PRIORITY`` ...) are its components, in their order.
- A component has no status, time, method, device or note of its own: an attribute whose row says another than the
  event's, or has one of these by itself, is an Observation by itself, and so is every one behind it. Nothing is lost.

Deliberately absent: whether somebody must come; Communication, Flag. R4 has no resource for an alert: the one that is
made for it (DeviceAlert) is of R6.

Source: IHE PCD TF-2 3.4 and Appendix B (facets of an alert, MDC_EVT_ALARM); HL7 v2-to-FHIR IG, OBX[Observation];
FHIR R4 Observation.component (obs-7).
"""

from __future__ import annotations

from typing import Any

from oathward.protocols.v2fhir import flags
from oathward.protocols.v2fhir.codes import Concept, concept
from oathward.protocols.v2fhir.devices import place_of
from oathward.protocols.v2fhir.observation import Scope, add_row, limits_of, said, sub_id
from oathward.protocols.v2fhir.reading import NULL, Reading
from oathward.protocols.v2fhir.units import NONE, unit_of
from oathward.protocols.v2fhir.values import Setting

ATTRIBUTE = "MDC_ATTR_"
"""How the reference ids of attributes begin."""

_FIELDS = 34
_ONE = (2, 3, 4, 5, 6, 7)
"""Fields of which a component has one."""
_SHARED = (11, 14, 17, 18)
"""Fields that a component has from its Observation."""
_OWN = (10, 15, 16, 20, 21, 23)
"""Fields that only an Observation has."""


def add(fields: list[bytes], r: Reading, scope: Scope, *, noted: bool) -> dict[str, Any] | None:
    """Map one OBX of an alert; give the Observation, or None for a row that is a Device or a component.

    Args:
        fields: item n is field n.
        r: the message.
        scope: what the row inherits.
        noted: a note follows, which needs an Observation.
    """
    fields = fields + [b""] * (_FIELDS - len(fields))
    code = concept(fields[3], r) if fields[3] else None
    place = place_of(fields[4], code)
    attribute = code is not None and _is_attribute(code)
    level = place is not None and place[3:] == (b"0",) and not fields[2] and fields[5] in {b"", NULL}
    if scope.alert is not None and attribute and code and place and not level and not noted:
        event, row = scope.alert
        if _belongs(fields, event, r) and code != row["code"]:
            row.setdefault("component", []).append(_component(fields, code, r))
            return None
    made = add_row(fields, r, scope)
    scope.alert = (
        (fields, made) if made is not None and place and not attribute and "component" not in made else None
    )
    return made


def _is_attribute(code: Concept) -> bool:
    return any(str(coding.get("display", "")).startswith(ATTRIBUTE) for coding in code.get("coding", ()))


def _belongs(fields: list[bytes], event: list[bytes], r: Reading) -> bool:
    """Say whether a row says nothing that its component could not."""
    return (
        fields[4].split(b".")[:3] == event[4].split(b".")[:3]
        and all(fields[n] == event[n] for n in _SHARED)
        and not any(fields[n] and fields[n] != NULL for n in _OWN)
        and not any(r.repetition in fields[n] for n in _ONE)
        and not flags.labels(flags.interpretation(fields[8], r)[1] if fields[8] else [])
    )


def _component(fields: list[bytes], code: Concept, r: Reading) -> dict[str, Any]:
    value = fields[5] if fields[5] != NULL else b""
    unit = unit_of(fields[6], r) if fields[6] else NONE
    made: dict[str, Any] = {"code": code}
    found: list[str] = []
    if fields[8] and fields[8] != NULL:
        concepts, found = flags.interpretation(fields[8], r)
        if concepts:
            made["interpretation"] = concepts
    if not value:
        made["dataAbsentReason"] = flags.why_absent(fields[11], found)
    said(made, fields, value, r, Setting(unit))
    if fields[7] and fields[7] != NULL:
        limits_of(made, fields[7], unit, place_of(fields[4], code), r)
    sub_id(made, fields[4], r)
    return made
