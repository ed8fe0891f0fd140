"""What may be said of an endpoint: each attribute with its words, its class and where it comes from; and which value stands first. Pure.

The value that stands first (``show``), for an attribute that has one value at a time:
1. Of each source, what it said last counts; what it said before is history.
2. A value's weight: of each family of sources that says it (``zeek.dhcp`` and ``zeek.conn`` are one) the highest confidence, halved where its
   last word is over ``STALE_US`` older than the newest; together ``1 - Π(1 - confidence)``: independent sources strengthen each other.
3. The heaviest stands first; of those within ``TIE`` of it the newest. Values of at least ``CONFLICT_SHARE`` of its weight are a conflict.

Where no source says anything, the attribute is unknown; nothing is made up. A guess stands first only where no source says anything.

A segment is in no conflict: each kind of source names a place in its own way (a VLAN's number, an SSID), and who roams has another each hour.

Attributes with several values at a time (AE titles, certificates …) show all that are not stale; they are in no conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from oathward.endpoints.model import AttributeRow
from oathward.endpoints.picture import DAY_US
from oathward.endpoints.types import type_of

STALE_US = 90 * DAY_US
TIE = 0.02
CONFLICT_SHARE = 0.6
VALUES_MAX = 24
"""Values of one attribute that are kept of one endpoint; the one not said for longest gives way."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Args:
        words: for people. group: ``identity``, ``software``, ``network``, ``care``, ``place``, ``upkeep``. source: who usually says it.
        configuration: a change of it is a record. many: several values at a time.
    """

    words: str
    group: str
    source: str
    configuration: bool = False
    many: bool = False


ATTRIBUTES: Mapping[str, Attribute] = {
    "name": Attribute("name", "identity", "lists, people"),
    "host": Attribute("host name", "identity", "DHCP, DNS, mDNS, TLS, syslog", configuration=True),
    "make": Attribute("maker", "identity", "headers of messages and images, lists, UDI, MAC prefix (a hint)"),
    "model": Attribute("model", "identity", "headers of messages and images, lists, UDI"),
    "serial": Attribute("serial number", "identity", "headers of messages and images, lists", configuration=True),
    "udi": Attribute("unique device identification as written", "identity", "messages, lists"),
    "udi-di": Attribute("device identifier of the UDI", "identity", "UDI, device catalogue"),
    "lot": Attribute("lot", "identity", "UDI"),
    "expiry": Attribute("expiry date", "identity", "UDI"),
    "made": Attribute("date of manufacture", "identity", "UDI"),
    "description": Attribute("description it gives of itself", "identity", "mDNS, LLDP, CDP, lists", many=True),
    "gmdn": Attribute("GMDN term", "identity", "device catalogue"),
    "type": Attribute("type of device", "identity", "lists, device catalogue, inference"),
    "type-reason": Attribute("what a guess of its type rests on", "identity", "inference", many=True),
    "fda-code": Attribute("FDA product code", "identity", "type, device catalogue"),
    "fda-class": Attribute("FDA device class", "identity", "type, device catalogue"),
    "mri": Attribute("MRI safety", "identity", "device catalogue"),
    "hardware": Attribute("hardware revision", "identity", "LLDP", configuration=True),
    "firmware": Attribute("firmware", "software", "headers of messages and images, lists", configuration=True),
    "software": Attribute("software", "software", "headers, HTTP, SSH, SNMP", configuration=True, many=True),
    "os": Attribute("operating system", "software", "DHCP, HTTP, lists, inference", configuration=True),
    "os-version": Attribute("version of the operating system", "software", "HTTP, lists", configuration=True),
    "os-end": Attribute("end of support of the operating system", "software", "published table, lists"),
    "cpe": Attribute("CPE 2.3 candidate", "software", "make, model and versions by rule; never a fact", many=True),
    "settings": Attribute("digest of its settings", "software", "headers of messages, lists", configuration=True),
    "implementation": Attribute("DICOM implementation class UID", "software", "DICOM association", configuration=True, many=True),
    "implementation-version": Attribute("DICOM implementation version", "software", "DICOM association", configuration=True, many=True),
    "sop-class": Attribute("DICOM SOP classes", "software", "DICOM association", many=True),
    "ae-title": Attribute("DICOM AE title it is called by", "software", "DICOM association, lists", many=True),
    "application": Attribute("sending application (MSH-3)", "software", "messages, lists", many=True),
    "modality": Attribute("DICOM modality", "software", "headers of images", many=True),
    "measures": Attribute("what it measures", "software", "FHIR DeviceMetric", many=True),
    "hl7-version": Attribute("HL7 version", "software", "messages", many=True),
    "hl7-profile": Attribute("HL7 message profile", "software", "messages", many=True),
    "mqtt-version": Attribute("MQTT version", "software", "MQTT", many=True),
    "mqtt-client": Attribute("MQTT client id", "software", "MQTT", many=True),
    "server-software": Attribute("HTTP server software", "software", "HTTP", many=True),
    "upnp-device": Attribute("UPnP device", "software", "SSDP", many=True),
    "vendor-class": Attribute("DHCP vendor class", "network", "DHCP"),
    "dhcp-options": Attribute("DHCP options asked for", "network", "DHCP"),
    "dhcpv6-options": Attribute("DHCPv6 options asked for", "network", "DHCPv6"),
    "user-agent": Attribute("HTTP user agent", "network", "HTTP", many=True),
    "service": Attribute("services it offers", "network", "flows, mDNS, SSDP", many=True),
    "fingerprint": Attribute("TLS fingerprint", "network", "TLS", many=True),
    "tls": Attribute("TLS version it speaks as a server", "network", "a probe that a person ordered", configuration=True, many=True),
    "certificate-subject": Attribute("subject of its certificate", "network", "TLS", many=True),
    "certificate-issuer": Attribute("issuer of its certificate", "network", "TLS", many=True),
    "certificate-ends": Attribute("end of its certificate", "network", "TLS", many=True),
    "client-certificate": Attribute("certificate it shows as a client", "network", "TLS", many=True),
    "segment": Attribute("segment", "network", "sensors, DHCP, RADIUS", configuration=True),
    "switch-port": Attribute("switch port", "network", "RADIUS, lists", configuration=True),
    "care": Attribute("in use for a patient", "care", "messages and alarms of the last minutes"),
    "care-from": Attribute("what its use was told by", "care", "flows, messages"),
    "criticality": Attribute("clinical criticality", "care", "lists, type, people"),
    "consequence": Attribute("consequence of failure", "care", "lists, type, people"),
    "stores-phi": Attribute("stores patient data", "care", "lists, MDS2, people"),
    "location": Attribute("location", "place", "lists, messages, people"),
    "unit": Attribute("unit", "place", "lists, messages, people"),
    "site": Attribute("site", "place", "lists"),
    "owner": Attribute("owner", "upkeep", "lists, people"),
    "steward": Attribute("steward", "upkeep", "lists, people"),
    "tag": Attribute("number in the maintenance system", "upkeep", "lists"),
    "last-maintenance": Attribute("last maintenance", "upkeep", "lists"),
    "next-maintenance": Attribute("next maintenance due", "upkeep", "lists"),
    "lifecycle": Attribute("stage of its life", "upkeep", "lists, people"),
}  # fmt: skip

ALSO = {
    "certificate-until": "certificate-ends",
    "dhcp-vendor-class": "vendor-class",
    "cdp-port": "switch-port",
    "lldp-port": "switch-port",
    "sop-classes": "sop-class",
}
"""What some sources call an attribute -> what it is called here."""

INFERRED = "inferred"
"""Source of what was guessed (``inferring``): it stands first where nobody says anything, and is in no conflict."""

PERSON = "person"
"""Source of what a person of the site wrote; its confidence is 1."""


def show(rows: Iterable[AttributeRow]) -> list[AttributeRow]:
    """Mark which value of each attribute stands first, and which are in conflict with it; the shown first, then by weight."""
    by_name: dict[str, list[AttributeRow]] = {}
    for row in rows:
        by_name.setdefault(row.attribute, []).append(row)
    found = list[AttributeRow]()
    for name in sorted(by_name):
        known = ATTRIBUTES.get(name)
        found += _all_fresh(by_name[name]) if known is not None and known.many else _one(by_name[name])
    return found


def shown_of(rows: Iterable[AttributeRow]) -> dict[str, str]:
    """Give the value of each attribute that stands first, of rows that ``show`` marked."""
    values: dict[str, str] = {}
    for row in rows:
        if row.shown:
            values.setdefault(row.attribute, row.value)
    return values


def _all_fresh(rows: Sequence[AttributeRow]) -> list[AttributeRow]:
    newest = max(row.last_us for row in rows)
    marked = [_marked(row, shown=newest - row.last_us <= STALE_US, conflict=False) for row in rows]
    return sorted(marked, key=lambda row: (not row.shown, -row.last_us, row.value, row.source))


def _one(rows: Sequence[AttributeRow]) -> list[AttributeRow]:
    guessed = [row for row in rows if row.source == INFERRED]
    if guessed and len(guessed) < len(rows):
        sure = [row for row in rows if row.source != INFERRED]
        return [*_one(sure), *(_marked(row, shown=False, conflict=False) for row in guessed)]
    if len(rows) == 1:
        return [_marked(rows[0], shown=True, conflict=False)]
    last: dict[str, AttributeRow] = {}
    for row in rows:
        if row.source not in last or (row.last_us, row.first_us, row.value) > _age(last[row.source]):
            last[row.source] = row
    newest = max(row.last_us for row in rows)
    families: dict[str, dict[str, float]] = {}
    said: dict[str, int] = {}
    for row in last.values():
        value, family = _fold(row), row.source.partition(".")[0]
        weight = row.confidence if newest - row.last_us <= STALE_US else row.confidence / 2
        of_value = families.setdefault(value, {})
        of_value[family] = max(of_value.get(family, 0.0), weight)
        said[value] = max(said.get(value, 0), row.last_us)
    weights = {value: _together(each.values()) for value, each in families.items()}
    heaviest = max(weights.values())
    first = max((v for v in weights if heaviest - weights[v] <= TIE), key=lambda v: (said[v], weights[v], v))
    against = {v for v, w in weights.items() if v != first and w >= CONFLICT_SHARE * weights[first]}
    current = {id(row) for row in last.values()}
    marked = list[AttributeRow]()
    for row in rows:
        value, is_current = _fold(row), id(row) in current
        clash = (
            row.attribute != "segment"
            and is_current
            and bool(against)
            and (value == first or value in against)
        )
        marked.append(_marked(row, shown=is_current and value == first, conflict=clash))
    return sorted(
        marked, key=lambda r: (not r.shown, -weights.get(_fold(r), 0.0), -r.last_us, r.value, r.source)
    )


def _marked(row: AttributeRow, *, shown: bool, conflict: bool) -> AttributeRow:
    return (
        row
        if (row.shown, row.conflict) == (shown, conflict)
        else row._replace(shown=shown, conflict=conflict)
    )


def _age(row: AttributeRow) -> tuple[int, int, str]:
    return (row.last_us, row.first_us, row.value)


def _fold(row: AttributeRow) -> str:
    """Fold a value: two that mean the same do not differ, and a type is one in whatever language it is written."""
    known = type_of(row.value) if row.attribute == "type" else ""
    return known or " ".join(row.value.casefold().split())


def _together(confidences: Iterable[float]) -> float:
    doubt = 1.0
    for one in confidences:
        doubt *= 1.0 - min(1.0, max(0.0, one))
    return 1.0 - doubt
