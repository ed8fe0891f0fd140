"""An end-to-end envelope in the form of a wire that does not take bytes as they are.

- HL7 v2: ``MSH`` carries the outgoing id as MSH-10 and type ``ZOW^Z01``; ``ZOW-2`` is the envelope in base64.
- FHIR: a ``Binary`` whose id is the outgoing id in lower case and whose ``data`` is the envelope in base64.

Nothing else of the original is in clear. The forms are part of ``docs/reference/envelope.md``.

Source: FHIR R4 Binary.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime


def carry(outgoing_id: str, envelope: bytes, now: datetime) -> bytes:
    """Wrap one envelope for HL7 v2."""
    head = f"MSH|^~\\&|OATHWARD||||{now:%Y%m%d%H%M%S}+0000||ZOW^Z01|{outgoing_id}|P|2.6\rZOW|1|"
    return head.encode() + b64encode(envelope) + b"\r"


def carry_fhir(outgoing_id: str, envelope: bytes) -> bytes:
    """Wrap one envelope for FHIR."""
    head = f'{{"resourceType":"Binary","id":"{outgoing_id.lower()}","contentType":"application/octet-stream","data":"'
    return head.encode() + b64encode(envelope) + b'"}'
