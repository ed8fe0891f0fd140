"""Read the security labels that resources bear: how confidential they say they are, and in which ways sensitive.

Rules:
- ``meta.security`` of the bundle and of every resource in it; one message bears all of them.
- By system and code. A confidentiality that HL7 does not have counts as the highest; other labels (handling, purpose,
  integrity) are no business of a decision here.

Deliberately absent: labels on elements (DS4P inline), which are extensions and as such catalogued.

Source: FHIR R4 §6.1.1 (Security Labels); HL7 v3 Confidentiality, ActCode.
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.core.labels import Confidentiality
from oathward.protocols.fhir.message import Message, Resource

_SYSTEMS = ("http://terminology.hl7.org/CodeSystem/v3-", "http://hl7.org/fhir/v3/")
_LEVELS = frozenset(str(level) for level in Confidentiality)
_NONE = frozenset[str]()


def labels_of(message: Message) -> frozenset[str]:
    """Give the codes of confidentiality and sensitivity that a message bears: ``R``, ``HIV``."""
    bodies = [entry.resource for entry in message.entries if "meta" in entry.resource]
    if message.bundle and "meta" in message.body:
        bodies.append(message.body)
    return frozenset(code for body in bodies for code in _labels(body)) if bodies else _NONE


def _labels(resource: Resource) -> Iterator[str]:
    for one in resource["meta"].get("security", ()):
        system, code = one.get("system", ""), one.get("code", "")
        name = next((system.removeprefix(start) for start in _SYSTEMS if system.startswith(start)), "")
        if name == "Confidentiality" and code:
            yield code if code in _LEVELS else str(Confidentiality.V)
        elif name == "ActCode":
            yield code
