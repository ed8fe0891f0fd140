"""FHIR R4: Device with its DeviceDefinition, Location, owner and DeviceMetrics; Bundles, NDJSON, single resources, JSON or XML.

Rules:
- A device is one statement, once everything was read: what it refers to may come behind it.
- ``Device.patient`` and every other resource are not read.
- What refers to itself through others is refused; so is what has no mark of its own (a channel of a monitor is a part, no endpoint).
- Which identifier is the site's own number is said by its system (``How.tag_system``); others tell nobody from anybody here.

Source: FHIR R4 (4.0.1) Device, DeviceDefinition, DeviceMetric, Location; IHE PCD and PHD IG (EUI-64 and EUI-48 as identifiers);
ISO/IEEE 11073-10101 (MDC_ID_PROD_SPEC_FW 531976, MDC_ID_PROD_SPEC_SW 531975).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.cells import Row
from oathward.discovery.lists.items import items
from oathward.discovery.lists.nodes import Node, Nodes
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.reading import How, ListFormat, Refused, Told, refusals
from oathward.discovery.model import Fact
from oathward.discovery.values import address, printable

RESOURCES_MAX = 200_000
"""Resources of one import that are joined in memory, some 2 KB each."""
DEPTH_MAX = 20
"""Places within each other, devices that are parts of each other."""
METRICS_MAX = 50

_TYPES = frozenset(("Device", "DeviceDefinition", "DeviceMetric", "Location", "Organization"))
_READ = frozenset(("resourceType", "id", "contained", "identifier", "status", "manufacturer", "manufacturerString", "modelNumber", "serialNumber", "deviceName", "type", "udiCarrier", "version", "url", "name", "location", "owner", "definition", "parent", "partOf", "source"))  # fmt: skip
"""Elements that are kept until everything was read; the rest of a resource, its patient and its narrative, is let go at once."""
_EUI64 = frozenset(("urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680",))
_EUI48 = ("http://hl7.org/fhir/sid/eui-48", "urn:ieee:eui-48")
_VERSIONS = {"531976": "firmware", "531975": "software", "531974": "", "532352": ""}
"""MDC code of a version -> attribute; hardware and Continua's own version say nothing of software."""
_STATUS = {"active": "in-use", "inactive": "stored"}
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?(\[[0-9a-f:.]+\]|[^/:\s]+)", re.IGNORECASE)


class _Held(NamedTuple):
    """One resource and where it stands."""

    file: str
    number: int
    type: str
    value: dict[str, Any]


class _Joined:
    """Resources by what refers to them: ``Device/1``, or a full URL."""

    def __init__(self) -> None:
        self.by_name: dict[str, _Held] = {}
        self.devices: list[_Held] = []
        self.metrics: dict[str, list[_Held]] = {}
        self.count = 0

    def add(self, held: _Held, url: str) -> None:
        self.count += 1
        if self.count > RESOURCES_MAX:
            raise InputError(
                "resource", f"at most {RESOURCES_MAX} in one import", reason=Reason.LIMIT_EXCEEDED
            )
        for name in held.value.keys() - _READ:
            del held.value[name]
        id_ = _text(held.value, "id")
        if id_:
            self.by_name[f"{held.type}/{id_}"] = held
        if url:
            self.by_name[url] = held
        if held.type == "Device":
            self.devices.append(held)
            return
        if held.type == "DeviceMetric":
            of = self.metrics.setdefault(_reference(held.value, "source"), [])
            if len(of) >= METRICS_MAX:
                raise InputError(
                    "source", f"at most {METRICS_MAX} metrics of a device", reason=Reason.LIMIT_EXCEEDED
                )
            of.append(held)

    def find(self, held: _Held, reference: str) -> _Held | None:
        """Give what a reference of a resource is to; None where it is not in the list."""
        if reference.startswith("#"):
            for one in _all(held.value, "contained"):
                if _text(one, "id") == reference[1:]:
                    return held._replace(type=_text(one, "resourceType"), value=one)
            return None
        versionless = reference.partition("/_history/")[0]
        return self.by_name.get(versionless) or self.by_name.get("/".join(versionless.split("/")[-2:]))

    def chain(self, held: _Held, key: str) -> list[_Held]:
        """Give what a resource stands in, from the outermost on, itself at the end.

        Raises:
            InputError: it stands in itself, or too deep.
        """
        found = [held]
        while reference := _reference(found[0].value, key):
            above = self.find(found[0], reference)
            if above is None:
                break
            if any(above.value is one.value for one in found) or len(found) >= DEPTH_MAX:
                raise InputError(
                    key, "refers to itself through others, or too deep", reason=Reason.RULE_BROKEN
                )
            found.insert(0, above)
        return found


def read(sources: Iterable[Source], how: How) -> Iterator[Told | Refused]:
    """Read what a FHIR server gave; statements come at the end."""
    joined = _Joined()
    for one in sources:
        at = [0]
        gather = _gather_xml if one.head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<" else _gather
        yield from refusals(one.name, lambda at=at: at[0], gather(one, joined, at))  # type: ignore[misc]  # bound at once
    for device in joined.devices:
        yield from _told(device, joined, how)
    for held in (held for of in joined.metrics.values() for held in of):
        yield Refused(
            held.file, held.number, "source", Reason.ELEMENT_MISSING, "is a metric of no device in the list"
        )


def _gather(source: Source, joined: _Joined, at: list[int]) -> Iterator[Told | Refused]:
    for item in items(source.blocks(), frozenset(("entry",))):
        at[0] = item.number
        wrong, value, url = item.wrong, item.value, ""
        if item.under and wrong is None:
            url, value = _text(value, "fullUrl"), value.get("resource")
        if wrong is not None:
            yield Refused(source.name, item.number, wrong.where, wrong.reason, wrong.why)
        elif isinstance(value, dict) and _text(value, "resourceType") in _TYPES:
            yield from _added(joined, _Held(source.name, item.number, value["resourceType"], value), url)
        elif not (isinstance(value, dict) and value.get("resourceType") == "Bundle"):
            why = "is no Device, DeviceDefinition, DeviceMetric, Location or Organization"
            yield Refused(source.name, item.number, "resourceType", Reason.OBSERVED_UNKNOWN, why)


def _gather_xml(source: Source, joined: _Joined, at: list[int]) -> Iterator[Told | Refused]:
    nodes = Nodes(source, _TYPES)
    for node in nodes:
        at[0] = nodes.line
        if isinstance(node, InputError):
            yield Refused(source.name, nodes.line, node.where, node.reason, node.why)
        else:
            yield from _added(joined, _Held(source.name, node.line, node.name, _as_json(node)))
    if not at[0]:
        why = "holds no Device, DeviceDefinition, DeviceMetric, Location or Organization"
        yield Refused(source.name, 0, "XML", Reason.OBSERVED_UNKNOWN, why)


def _added(joined: _Joined, held: _Held, url: str = "") -> Iterator[Refused]:
    try:
        joined.add(held, url)
    except InputError as error:
        yield Refused(held.file, held.number, error.where, error.reason, error.why)


def _as_json(node: Node) -> dict[str, Any]:
    """Give an element as JSON has it, but each element as an array: which may repeat is not known here."""
    found: dict[str, Any] = {}
    for child in node.children:
        value: Any = child.attributes.get("value")
        if value is None or child.children:
            value = _as_json(child)
            if child.name in {"contained", "resource"} and len(child.children) == 1:
                value = {**_as_json(child.children[0]), "resourceType": child.children[0].name}
        found.setdefault(child.name, []).append(value)
    return found


def _told(device: _Held, joined: _Joined, how: How) -> Iterator[Told | Refused]:
    said = Row("fhir", how.year)
    status = _text(device.value, "status")
    if status == "entered-in-error":
        why = "was entered in error, as its server says"
        yield Refused(device.file, device.number, "status", Reason.RULE_BROKEN, why)
        return
    said.add("lifecycle", _STATUS.get(status, ""), "status")
    try:
        _identify(device.value, said, how)
        part = len(joined.chain(device, "parent")) > 1
        definition = joined.find(device, _reference(device.value, "definition"))
        _describe(device.value, definition.value if definition else {}, said)
        _place(device, joined, said)
    except InputError as error:
        yield Refused(device.file, device.number, error.where, error.reason, error.why)
        return
    metrics = joined.metrics.pop(f"Device/{_text(device.value, 'id')}", [])
    said.facts += [Fact("measures", code, 1.0) for one in metrics if (code := _coded(one.value, "type"))]
    for refusal in said.refused:
        yield Refused(device.file, device.number, *refusal)
    statement = said.statement(how.realm, how.at_us)
    if statement is None:
        why = (
            "is a part of another device, with no mark of its own"
            if part
            else "nothing tells which device it is"
        )
        yield Refused(device.file, device.number, "Device", Reason.ELEMENT_MISSING, why)
    else:
        yield Told(device.file, device.number, statement)


def _identify(device: dict[str, Any], said: Row, how: How) -> None:
    for one in _all(device, "identifier"):
        system, value = _text(one, "system"), _text(one, "value")
        if system in _EUI64:
            said.add("eui64", value, "identifier")
        elif system.startswith(_EUI48):
            said.add("mac", value, "identifier")
        elif how.tag_system and system == how.tag_system:
            said.add("tag", value, "identifier")
    found = _URL.match(_text(device, "url"))
    if found:
        at = found[1].strip("[]")
        said.add("address" if address(at) else "host", at, "url")


def _describe(device: dict[str, Any], definition: dict[str, Any], said: Row) -> None:
    names = {
        _text(one, "type"): _text(one, "name")
        for one in (*_all(definition, "deviceName"), *_all(device, "deviceName"))
    }
    make = _text(device, "manufacturer") or _text(definition, "manufacturerString")
    said.add("make", make, "manufacturer")
    said.add("model", _text(device, "modelNumber") or _text(definition, "modelNumber") or names.get("model-name", ""), "modelNumber")  # fmt: skip
    said.add("name", names.get("user-friendly-name", "") or names.get("other", ""), "deviceName")
    said.add("type", _worded(device, "type") or _worded(definition, "type"), "type")
    said.add("serial", _text(device, "serialNumber"), "serialNumber")
    for carrier in _all(device, "udiCarrier")[:1]:
        said.add("udi", _text(carrier, "carrierHRF") or _text(carrier, "deviceIdentifier"), "udiCarrier")
    for one in _all(device, "version"):
        codes = {_text(coding, "code") for kind in _all(one, "type") for coding in _all(kind, "coding")}
        attribute = next((_VERSIONS[code] for code in codes if code in _VERSIONS), "software")
        if attribute:
            said.add(attribute, _text(one, "value"), "version")


def _place(device: _Held, joined: _Joined, said: Row) -> None:
    reference = _reference(device.value, "location")
    if reference:
        place = joined.find(device, reference)
        if place is not None:
            names = [_text(one.value, "name") for one in joined.chain(place, "partOf")]
            said.add("location", " / ".join(name for name in names if name), "location")
        else:
            said.add("location", _shown(device.value, "location"), "location")
    owner = joined.find(device, _reference(device.value, "owner"))
    name = (
        _text(owner.value, "name")
        if owner and owner.type == "Organization"
        else _shown(device.value, "owner")
    )
    said.add("owner", name, "owner")


def _all(value: Any, key: str) -> list[dict[str, Any]]:
    """Give the objects of an element, once or several times."""
    found = value.get(key) if isinstance(value, dict) else None
    several = found if isinstance(found, list) else [found]
    return [one for one in several if isinstance(one, dict)]


def _text(value: Any, key: str) -> str:
    """Give the text of an element; of several the first; empty where it is none."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, list):
        found = found[0] if found else None
    return found if isinstance(found, str) else ""


def _reference(value: Any, key: str) -> str:
    return next((_text(one, "reference") for one in _all(value, key)), "")


def _shown(value: Any, key: str) -> str:
    return next((_text(one, "display") for one in _all(value, key)), "")


def _worded(value: Any, key: str) -> str:
    for one in _all(value, key):
        shown = (_text(coding, "display") for coding in _all(one, "coding"))
        return _text(one, "text") or next((text for text in shown if text), "")
    return ""


def _coded(value: Any, key: str) -> str:
    for one in _all(value, key):
        for coding in _all(one, "coding"):
            return printable(f"{_text(coding, 'code')} {_text(coding, 'display')}")
    return ""


def _knows(head: bytes, _name: str) -> bool:
    return b'"resourceType"' in head or b"http://hl7.org/fhir" in head


LIST = ListFormat(
    words="FHIR R4 devices (JSON, NDJSON or XML)", source="fhir", knows=_knows, read=read, order=40
)
