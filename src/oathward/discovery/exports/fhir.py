"""The inventory as a FHIR R4 Bundle of Devices.

Rules:
- A resource is written where its id is one of FHIR; its patient is never known here.
- What the inventory does not know is not written; nothing is ``unknown`` by text.

Source: FHIR R4 (4.0.1) Device; the systems of EUI-64 and EUI-48 as in the PHD implementation guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from oathward.core.clock import from_micros, iso
from oathward.discovery.exports.entry import Entry
from oathward.discovery.model import MarkKind

_EUI64 = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
_EUI48 = "http://hl7.org/fhir/sid/eui-48/ethernet"
_MDC = "urn:iso:std:iso:11073:10101"
_VERSIONS = {"firmware": ("531976", "MDC_ID_PROD_SPEC_FW"), "software": ("531975", "MDC_ID_PROD_SPEC_SW")}
_STATUS = {
    "in-use": "active",
    "loan": "active",
    "repair": "inactive",
    "stored": "inactive",
    "retired": "inactive",
}


def bundle(entries: Iterable[Entry], now_us: int, tag_system: str = "") -> dict[str, Any]:
    """Write a Bundle of type ``collection``.

    Args:
        tag_system: system of the site's own numbers; without it they are identifiers without a system.
    """
    resources = ({"fullUrl": f"urn:uuid:{one.id}", "resource": device(one, tag_system)} for one in entries)
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": iso(from_micros(now_us)),
        "entry": list(resources),
    }


def written(entries: Iterable[Entry], now_us: int, tag_system: str = "") -> Iterator[bytes]:
    """Write the same Bundle as JSON, device by device."""
    head = orjson.dumps({**bundle((), now_us), "entry": []})
    yield head.removesuffix(b"]}")
    between = b""
    for one in entries:
        yield between + orjson.dumps({"fullUrl": f"urn:uuid:{one.id}", "resource": device(one, tag_system)})
        between = b",\n"
    yield b"]}\n"


def device(one: Entry, tag_system: str = "") -> dict[str, Any]:
    """Write one endpoint as a Device."""
    found: dict[str, Any] = {
        "resourceType": "Device",
        "id": one.id,
        "identifier": list(_identifiers(one, tag_system)),
        "udiCarrier": list(_carriers(one)),
        "status": _STATUS.get(one.value("lifecycle"), "active"),
        "manufacturer": one.value("make"),
        "manufactureDate": one.value("made"),
        "expirationDate": one.value("expiry"),
        "lotNumber": one.value("lot"),
        "serialNumber": one.serial,
        "deviceName": [{"name": one.value("name"), "type": "user-friendly-name"}]
        if one.value("name")
        else [],
        "modelNumber": one.value("model"),
        "type": {"text": one.value("type")} if one.value("type") else {},
        "version": list(_versions(one)),
        "owner": {"display": one.value("owner")} if one.value("owner") else {},
        "location": {"display": one.value("location")} if one.value("location") else {},
    }
    return {key: value for key, value in found.items() if value}


def _identifiers(one: Entry, tag_system: str) -> Iterator[Mapping[str, Any]]:
    if one.tag:
        system = {"system": tag_system} if tag_system else {}
        yield {"use": "official", **system, "value": one.tag}
    for eui in one.marks.get(MarkKind.EUI64, ()):
        yield {"system": _EUI64, "value": bytes.fromhex(eui).hex("-").upper()}
    for card in one.marks.get(MarkKind.MAC, ()):
        yield {"system": _EUI48, "value": card.replace(":", "-").upper()}


def _carriers(one: Entry) -> Iterator[Mapping[str, Any]]:
    written, di = one.value("udi") or one.mark(MarkKind.UDI), one.value("udi-di")
    if written or di:
        yield {key: value for key, value in (("deviceIdentifier", di), ("carrierHRF", written)) if value}


def _versions(one: Entry) -> Iterator[Mapping[str, Any]]:
    for attribute, (code, display) in _VERSIONS.items():
        for value in one.shown.get(attribute, ()):
            yield {"type": {"coding": [{"system": _MDC, "code": code, "display": display}]}, "value": value}
