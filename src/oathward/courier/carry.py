"""An end-to-end envelope as an HL7 v2 message, for recipients that take MLLP.

``MSH`` carries the outgoing id as MSH-10 and type ``ZOW^Z01``; ``ZOW-2`` is the envelope in base64.
Nothing else of the original is in clear. The form is part of ``docs/reference/envelope.md``.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime


def carry(outgoing_id: str, envelope: bytes, now: datetime) -> bytes:
    """Wrap one envelope."""
    head = f"MSH|^~\\&|OATHWARD||||{now:%Y%m%d%H%M%S}+0000||ZOW^Z01|{outgoing_id}|P|2.6\rZOW|1|"
    return head.encode() + b64encode(envelope) + b"\r"
