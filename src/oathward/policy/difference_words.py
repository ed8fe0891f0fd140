"""The words of a difference: element classes, message types, purposes and lists as people say them.

Rules:
- The code stands behind each word in brackets: what is read can be looked up.
- A code without words of its own is told by itself; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from oathward.core.clock import from_micros
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

_KINDS = {
    "name": "names",
    "identifier": "identifiers",
    "address": "addresses",
    "contact": "telephone numbers and other contacts",
    "birth-date": "dates of birth and death",
    "demographic": "sex, language and other demographics",
    "encounter": "numbers of stays",
    "time": "times of stays and results",
    "image": "pictures and signatures",
}
_WHOSE = {
    "patient": "the patient's",
    "relative": "relatives'",
    "staff": "staff's",
    "organisation": "organisations'",
}
_PLAIN = {
    "device.identity": "which unit a device is",
    "device.type": "make and model of the device",
    "location": "ward, room and bed",
    "observation.code": "what was measured",
    "observation.value": "measured values",
    "observation.time": "time of event",
    "order": "order numbers",
    "clinical.code": "diagnoses and other clinical codes",
    "note.text": "free text",
    "attachment": "attached documents",
    "financial": "financial data",
    "message.control": "message numbers",
    "message.time": "time of the message",
    "message.party": "sending and receiving system",
    "structure": "the frame of the message",
    "uncatalogued": "what nobody has catalogued",
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
_ACTIONS = {
    "keep": "as they are",
    "pseudonym": "as pseudonyms",
    "alias": "as names of the project",
    "year": "as years alone",
    "birth_year": "as years of birth alone",
    "postcode3": "as the first three digits of a postcode",
    "town": "as towns alone",
    "listed": "where they are on a list",
    "dummy": "as a fixed word",
}
WIRES = {"hl7v2": "HL7 v2", "fhir": "FHIR R4", None: "what the recipient speaks, else as it came"}
KIND_WORDS = {
    "mllp": "HL7 v2 over MLLP, not encrypted on the way",
    "mllps": "HL7 v2 over MLLP and TLS",
    "fhir": "FHIR over HTTPS",
    "file": "files in a folder",
    "keep": "what Oathward keeps",
}


def class_words(cls: str) -> str:
    """Say an element class: ``time of event (observation.time)``."""
    whose, _, kind = cls.partition(".")
    said = _PLAIN.get(cls) or f"{_WHOSE.get(whose, whose)} {_KINDS.get(kind, kind)}"
    return f"{said} ({cls})"


def type_words(message_type: str) -> str:
    """Say a message type: ``alarms (ORU^R40)``."""
    kind = message_type.removeprefix("FHIR^")
    other = f"FHIR {kind} ({message_type})" if kind != message_type else f"{message_type} messages"
    return _TYPES.get(message_type, other)


def purpose_words(purpose: Purpose) -> str:
    """Say a purpose: ``research (HRESCH)``."""
    return f"{PURPOSES[purpose]} ({purpose})"


def action_words(action: str) -> str:
    """Say what becomes of values: ``as pseudonyms``."""
    return _ACTIONS.get(action, f"by `{action}`")


def some(words: Iterable[str]) -> str:
    """Write a list as people do: ``a, b and c``."""
    found = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


def quoted(words: Iterable[str]) -> str:
    """Write a list of names, each in quotation marks; ``*`` is any."""
    return some("any (*)" if word == "*" else f"`{word}`" for word in sorted(words))


def day(at_us: int) -> str:
    """Write a moment: its day, with the time where it is not midnight."""
    at = from_micros(at_us)
    return f"{at:%Y-%m-%d}" if not (at.hour or at.minute or at.second) else f"{at:%Y-%m-%d %H:%M:%S} UTC"
