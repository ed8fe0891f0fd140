"""What the guard needs of an original of any protocol.

Rules:
- What came as HL7 v2 may leave as FHIR, so nothing here says how the outgoing bytes are read.
- ``persons`` tells originals apart whose tokens differ, and costs little; ``tokens`` is asked for once for each.

Deliberately absent: how values of one protocol are found (``of_hl7v2``, ``of_fhir``).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from oathward.gateway.guard import of_fhir as fhir
from oathward.gateway.guard import of_hl7v2 as hl7v2
from oathward.gateway.guard.tokens import Tokens
from oathward.protocols.fhir import message as fhir_message
from oathward.protocols.hl7v2.escapes import USUAL, Separators
from oathward.protocols.hl7v2.reader import Message


@dataclass(slots=True, repr=False)
class Original:
    """One original.

    ``message``: what came, read. ``raw``: its bytes. ``charset``: the Python codec of these. ``separators``: of components, escapes and so on;
    the usual ones where the protocol has none. ``control_id``: as the sender wrote it. ``protocol``: what reads persons of
    such messages. ``dated``: whether its day counts.
    """

    message: Any
    protocol: ModuleType
    raw: bytes
    charset: str
    separators: Separators
    control_id: bytes = b""
    dated: bool = True

    def __repr__(self) -> str:
        return "<Original>"

    def day(self) -> bytes:
        """Give the day of the message, ``YYYYMMDD``; nothing where it does not say, or that does not count."""
        day: bytes = self.protocol.day_of(self.message) if self.dated else b""
        return day

    def persons(self) -> tuple[object, ...]:
        """All that tells which tokens it has."""
        told: tuple[object, ...] = self.protocol.persons_of(self.message)
        return told

    def tokens(self) -> Tokens:
        """Collect the tokens of its persons."""
        tokens: Tokens = self.protocol.tokens_of(self.message)
        return tokens


def of_hl7v2(message: Message) -> Original:
    """Take an HL7 v2 message as the original."""
    return Original(message, hl7v2, message.raw, message.charset, message.separators, message.header(10))


def of_fhir(message: fhir_message.Message) -> Original:
    """Take a FHIR request as the original."""
    return Original(message, fhir, message.raw, "utf-8", USUAL)
