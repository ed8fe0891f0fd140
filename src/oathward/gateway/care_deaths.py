"""Whether a patient died, out of ADT and FHIR.

Rules:
- Only a source that the inventory marks authoritative is believed, and only of a patient who is surely known (``care``).
- Y in PID-30, or a time in PID-29 without an N; ``Patient.deceased`` in either form. N, or false, says that they live; what is
  not said, or ``""``, says nothing.
- Of a message about several people nothing is read.

Source: HL7 v2.8.2 §3.4.2.29-30 (PID-29, PID-30), table 0136; FHIR R4 Patient.deceased[x].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oathward.protocols.fhir.persons import persons

if TYPE_CHECKING:
    from oathward.protocols.hl7v2.reader import Message

_TIME, _INDICATOR = 29, 30
_NULL = b'""'


def told_hl7v2(message: Message) -> bool | None:
    """Say whether a message says that its patient died; None where it says nothing."""
    found = message.named(b"PID")
    if len(found) != 1:
        return None
    said, at = message.field(found[0], _INDICATOR).upper(), message.field(found[0], _TIME)
    if said in {b"Y", b"N"}:
        return said == b"Y"
    return True if at not in {b"", _NULL} else None


def told_fhir(message: Any) -> bool | None:
    """Say the same of a FHIR message."""
    people = persons(message)
    resource = people[0].resource if len(people) == 1 else None
    if resource is None:
        return None
    if resource.get("deceasedDateTime"):
        return True
    said = resource.get("deceasedBoolean")
    return said if isinstance(said, bool) else None
