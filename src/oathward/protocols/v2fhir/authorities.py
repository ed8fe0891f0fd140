"""Who assigned an identifier: HD, and the last parts of EI, to Identifier.system and assigner, each way.

Rules:
- A universal id becomes the system, in the form its type has as a URI; a namespace becomes the assigner's name. A
  namespace is never made a system: two hospitals may use one.
- A type without a URI form keeps both in ``urn:oathward:v2-0301:``.
- EUI-64 of a device is a system of its own when it names the device itself (IHE PCD, OBX-18).

Deliberately absent: which authorities are the same (``core.authorities``).

Source: HL7 v2-to-FHIR IG, HD[uri], CX[Identifier]; RFC 3061, RFC 9562, RFC 9039 (urn:dev:mac); HL7 PoCD IG, Device.identifier.
"""

from __future__ import annotations

import re
from typing import Any

from oathward.protocols.v2fhir.codes import quoted, unquoted
from oathward.protocols.v2fhir.primitives import string
from oathward.protocols.v2fhir.reading import Reading

OTHER = "urn:oathward:v2-0301:"
EUI_64 = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
"""System of EUI-64 identifiers of devices."""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_EUI = re.compile(r"[0-9A-F]{16}").fullmatch
_URI = re.compile(r"(?:urn:|https?://)[^\s\"<>^`{|}]+").fullmatch


def system_of(universal: str, kind: str) -> str:
    """Give the URI of a universal id; reversible by ``universal_of``."""
    if not universal:
        return f"{OTHER}{quoted(kind)}:" if kind else ""
    if kind == "ISO" and _OID(universal):
        return f"urn:oid:{universal}"
    if kind == "UUID" and _UUID(universal):
        return f"urn:uuid:{universal}"
    if kind == "EUI-64" and _EUI(universal):
        return f"urn:dev:mac:{universal.lower()}"
    if (
        kind == "URI"
        and _URI(universal)
        and not universal.startswith(("urn:oid:", "urn:uuid:", "urn:dev:mac:", OTHER))
    ):
        return universal
    return f"{OTHER}{quoted(kind)}:{quoted(universal)}"


def universal_of(system: str) -> tuple[str, str]:
    """Give universal id and type of a system."""
    for start, kind in (("urn:oid:", "ISO"), ("urn:uuid:", "UUID"), ("urn:dev:mac:", "EUI-64")):
        if system.startswith(start):
            universal = system.removeprefix(start)
            return (universal.upper() if kind == "EUI-64" else universal), kind
    if system.startswith(OTHER):
        kind, _, universal = system.removeprefix(OTHER).partition(":")
        return unquoted(universal), unquoted(kind)
    return system, "URI"


def name_authority(identifier: dict[str, Any], parts: list[bytes], r: Reading) -> None:
    """Write namespace, universal id and type into an Identifier."""
    if len(parts) == 1:
        if namespace := string(r.text(parts[0].partition(r.sub)[0])):
            identifier["assigner"] = {"display": namespace}
        return
    texts = [r.text(part.partition(r.sub)[0]) if part else "" for part in (*parts[:3], b"", b"", b"")[:3]]
    if system := system_of(texts[1].strip(), texts[2].strip()):
        identifier["system"] = system
    if namespace := string(texts[0]):
        identifier["assigner"] = {"display": namespace}


def authority_back(identifier: dict[str, Any]) -> tuple[str, str, str]:
    """Give the three parts again."""
    universal, kind = universal_of(identifier["system"]) if "system" in identifier else ("", "")
    return identifier.get("assigner", {}).get("display", ""), universal, kind


def equipment(raw: bytes, r: Reading) -> dict[str, Any] | None:
    """Map EI of OBX-18 to the Identifier of a device."""
    parts = raw.split(r.component)
    value = r.text(parts[0].partition(r.sub)[0])
    if len(parts) > 3 and parts[3] == b"EUI-64" and parts[0] == parts[2] and not parts[1] and _EUI(value):
        return {"system": EUI_64, "value": value}
    identifier: dict[str, Any] = {}
    name_authority(identifier, parts[1:], r)
    if string(value):
        identifier["value"] = value
    return identifier or None


def equipment_back(identifier: dict[str, Any]) -> dict[str, str]:
    """Give the EI again."""
    value = identifier.get("value", "")
    if identifier.get("system") == EUI_64 and "assigner" not in identifier and _EUI(value):
        return {"1": value, "3": value, "4": "EUI-64"}
    namespace, universal, kind = authority_back(identifier)
    return {"1": value, "2": namespace, "3": universal, "4": kind}
