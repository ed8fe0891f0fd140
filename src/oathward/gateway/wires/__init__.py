"""The protocols a gateway takes in: one file each, all answering the same questions (``wire.Wire``).

Rules:
- ``named`` gives the wire that a listener speaks; ``of_raw`` tells them apart by how stored bytes begin, so that a
  release needs nothing but the original.
"""

from __future__ import annotations

from oathward.gateway.wires.fhir import FHIR
from oathward.gateway.wires.hl7v2 import HL7V2
from oathward.gateway.wires.wire import Wire

__all__ = ["FHIR", "HL7V2", "Wire", "named", "of_raw"]

_WIRES: dict[str, Wire] = {wire.name: wire for wire in (HL7V2, FHIR)}
_REQUESTS = (b"POST ", b"PUT ")


def named(name: str) -> Wire:
    """Give a wire by its name: ``hl7v2`` or ``fhir``."""
    return _WIRES[name]


def of_raw(raw: bytes) -> Wire:
    """Give the wire that an original came by."""
    return FHIR if raw.startswith(_REQUESTS) else HL7V2
