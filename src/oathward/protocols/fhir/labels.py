"""Read the security labels that resources bear: how confidential, in which ways sensitive; write what was done to them.

Rules:
- ``meta.security`` of the bundle and of every resource in it; one message bears all of them.
- By system and code. A confidentiality that HL7 does not have counts as the highest; other labels (handling, purpose,
  integrity) are no business of a decision here.

Deliberately absent: labels on elements (DS4P inline), which are extensions and as such catalogued.

Source: FHIR R4 §6.1.1 (Security Labels); HL7 v3 Confidentiality, ActCode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from oathward.core.labels import Confidentiality
from oathward.protocols.fhir.message import Message, Resource

_SYSTEMS = ("http://terminology.hl7.org/CodeSystem/v3-", "http://hl7.org/fhir/v3/")
_LEVELS = frozenset(str(level) for level in Confidentiality)
_ALTERED = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
REDACTED = "REDACTED"
"""Something of the resource was removed. Source: HL7 v3 ObservationValue, SECALTINTOBV."""

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


def altered(codes: Iterable[str]) -> list[dict[str, Any]]:
    """Give labels that say what was done, each code once, in the order of their codes."""
    return [{"system": _ALTERED, "code": code} for code in sorted(set(codes))]


def labelled(resource: Resource, codes: Iterable[str]) -> Resource:
    """Give a resource with labels that say what was done to it, beside those that it bears.

    Args:
        resource: not contained in another: those bear none (dom-4).
        codes: of HL7 v3 ObservationValue.
    """
    meta = resource.get("meta", {})
    there = meta.get("security", [])
    new = [one for one in altered(codes) if one not in there]
    return resource | {"meta": meta | {"security": [*there, *new]}} if new else resource
