"""What the guard needs of an original of any protocol.

Rules:
- What came as HL7 v2 may leave as FHIR, so nothing here says how the outgoing bytes are read.
- ``persons`` tells originals apart whose tokens differ, and costs little; ``tokens`` is asked for once for each.

Deliberately absent: how values of one protocol are found (``of_hl7v2``, ``of_fhir``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from oathward.gateway.guard import of_fhir as fhir
from oathward.gateway.guard import of_hl7v2 as hl7v2
from oathward.gateway.guard.tokens import Tokens
from oathward.protocols.fhir import message as fhir_message
from oathward.protocols.hl7v2.escapes import USUAL, Separators
from oathward.protocols.hl7v2.reader import Message


@dataclass(slots=True, repr=False)
class Original:
    """One original.

    ``raw``: what came. ``charset``: the Python codec of its bytes. ``separators``: of components, escapes and so on; the usual ones where
    the protocol has none. ``day``: gives that of the message, ``YYYYMMDD``; empty where it does not say. ``control_id``: as the
    sender wrote it. ``persons``: gives all that tells which tokens it has. ``tokens``: gives these.
    """

    raw: bytes
    charset: str
    separators: Separators
    day: Callable[[], bytes]
    control_id: bytes
    persons: Callable[[], tuple[object, ...]]
    tokens: Callable[[], Tokens]

    def __repr__(self) -> str:
        return "<Original>"


def of_hl7v2(message: Message) -> Original:
    """Take an HL7 v2 message as the original."""
    return Original(
        message.raw,
        message.charset,
        message.separators,
        partial(hl7v2.day_of, message),
        message.header(10),
        partial(hl7v2.persons_of, message),
        partial(hl7v2.tokens_of, message),
    )


def of_fhir(message: fhir_message.Message) -> Original:
    """Take a FHIR request as the original."""
    return Original(
        message.raw,
        "utf-8",
        USUAL,
        partial(fhir.day_of, message),
        b"",
        partial(fhir.persons_of, message),
        partial(fhir.tokens_of, message),
    )
