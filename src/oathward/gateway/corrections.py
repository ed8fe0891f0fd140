"""A sender takes results back as another patient's: a finding, since whoever got them got somebody else's data.

| wire | it says so by |
|---|---|
| HL7 v2 | OBX-11 ``W``: post original as wrong, e.g. transmitted for wrong patient |
| FHIR | Observation.status ``entered-in-error`` |

Rules:
- The correction goes its way as any message does; what it is of, and who got it, is looked up afterwards (``disclosures``).
- A message without such a word costs a few searches of its bytes.

Deliberately absent: deletions (``D``) and plain corrections (``C``), which are of the same patient.

Source: HL7 v2.8.2 §7.4.2.11, table 0085; FHIR R4 ObservationStatus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part

FINDING = "device.wrong-patient"
_STATUS = 11
_WRONG = b"W"
_ERROR = b"entered-in-error"


def note(part: Part, message: Any) -> None:
    """Note that one patient's part takes something back."""
    if part.arrival.wire.name == "hl7v2":
        raw, field = part.arrival.raw, bytes((message.separators.field,))
        mark = field + _WRONG
        # As a whole field, as it always stands: names and units that begin with it are in most messages.
        if (mark + field in raw or mark + b"\r" in raw or mark + b"\n" in raw or raw.endswith(mark)) and any(
            message.field(one, _STATUS) == _WRONG for one in message.named(b"OBX")
        ):
            part.find(FINDING)
    elif _ERROR in part.arrival.raw and any(
        one.get("status") == _ERROR.decode() for one in message.of_type("Observation")
    ):
        part.find(FINDING)
