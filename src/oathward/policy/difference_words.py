"""The words of a difference: message types, purposes and lists as people say them (classes: ``core.label_words``).

Rules:
- The code stands behind each word in brackets: what is read can be looked up.
- A code without words of its own is told by itself; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from oathward.core.clock import from_micros
from oathward.core.label_words import some
from oathward.core.labels import Purpose

PURPOSES = {
    Purpose.TREAT: "treatment",
    Purpose.ETREAT: "emergency treatment",
    Purpose.BTG: "emergency access",
    Purpose.HPAYMT: "payment",
    Purpose.HOPERAT: "running the services",
    Purpose.HRESCH: "research",
    Purpose.PUBHLTH: "public health",
    Purpose.SYSADMIN: "running the systems",
    Purpose.PATRQT: "the patient's own request",
}

_TYPES = {
    "*": "messages of any type (*)",
    "ORU^R01": "measurements (ORU^R01)",
    "ORU^R40": "alarms (ORU^R40)",
    "ORU^R41": "answers to alarms (ORU^R41)",
    "ORU^*": "results of any kind (ORU^*)",
    "ADT^*": "admissions and demographics (ADT^*)",
    "ADT^A01": "admissions (ADT^A01)",
    "ADT^A02": "transfers (ADT^A02)",
    "ADT^A03": "discharges (ADT^A03)",
    "ADT^A08": "changed demographics (ADT^A08)",
    "FHIR^*": "FHIR resources of any kind (FHIR^*)",
}
WIRES = {"hl7v2": "HL7 v2", "fhir": "FHIR R4", None: "what the recipient speaks, else as it came"}
KIND_WORDS = {
    "mllp": "HL7 v2 over MLLP, not encrypted on the way",
    "mllps": "HL7 v2 over MLLP and TLS",
    "fhir": "FHIR over HTTPS",
    "file": "files in a folder",
    "keep": "what Oathward keeps",
}


def type_words(message_type: str) -> str:
    """Say a message type: ``alarms (ORU^R40)``."""
    kind = message_type.removeprefix("FHIR^")
    other = f"FHIR {kind} ({message_type})" if kind != message_type else f"{message_type} messages"
    return _TYPES.get(message_type, other)


def purpose_words(purpose: Purpose) -> str:
    """Say a purpose: ``research (HRESCH)``."""
    return f"{PURPOSES[purpose]} ({purpose})"


def quoted(words: Iterable[str]) -> str:
    """Write a list of names, each in quotation marks; ``*`` is any."""
    return some("any (*)" if word == "*" else f"`{word}`" for word in sorted(words))


def day(at_us: int) -> str:
    """Write a moment: its day, with the time where it is not midnight."""
    at = from_micros(at_us)
    return f"{at:%Y-%m-%d}" if not (at.hour or at.minute or at.second) else f"{at:%Y-%m-%d %H:%M:%S} UTC"
