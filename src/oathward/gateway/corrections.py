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


def _says(raw: bytes, separator: int) -> bool:
    """Say whether the word is a whole field somewhere; names and units that begin with it are in most messages."""
    mark = bytes((separator,)) + _WRONG
    after = (separator, *b"\r\n")
    at = raw.find(mark)
    while at >= 0:
        if at + 2 == len(raw) or raw[at + 2] in after:
            return True
        at = raw.find(mark, at + 2)
    return False


def note(part: Part, message: Any) -> None:
    """Note that one patient's part takes something back."""
    if part.arrival.wire.name == "hl7v2":
        if _says(part.arrival.raw, message.separators.field) and any(
            message.field(one, _STATUS) == _WRONG for one in message.named(b"OBX")
        ):
            part.find(FINDING)
    elif _ERROR in part.arrival.raw and any(
        one.get("status") == _ERROR.decode() for one in message.of_type("Observation")
    ):
        part.find(FINDING)
