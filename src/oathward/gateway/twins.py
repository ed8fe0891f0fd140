"""One thing that happened, told as HL7 v2 and as FHIR: what ``selftest wires`` compares decisions with.

Rules:
- Both say the same and no more: who, where, which unit measured what and when.
- Nobody in them exists; names and numbers are made up here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from oathward.core.code_systems import uri_of
from oathward.policy.labels import LabelRule
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes
from oathward.protocols.hl7v2.escapes import USUAL, escape_bytes

_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
_UCUM = "http://unitsofmeasure.org"
_SEX = {"F": "female", "M": "male", "O": "other", "U": "unknown"}


@dataclass(frozen=True, slots=True)
class Story:
    """What happened.

    ``code``: ``system|code`` by the name of table 0396. ``authority``: an OID. ``born``, ``at``: ISO 8601.
    """

    identifier: str = "7000123456"
    authority: str = "1.2.826.0.1.3680043.10.1"
    family: str = "Testperson"
    given: str = "Wilhelmina"
    born: str = "1956-04-17"
    sex: str = "F"
    street: str = "17 Invented Lane"
    city: str = "Nowhere"
    postcode: str = "99501"
    phone: str = "+1 907 555 0142"
    code: str = "MDC|150456"
    name: str = "MDC_PULS_OXIM_SAT_O2"
    value: str = "97"
    unit: str = "%"
    at: str = "2026-03-01T08:15:00+00:00"
    unit_id: str = "0011223344556677"
    location: str = "W3"
    service: str = "MED"
    application: str = "MONITOR"


def as_hl7v2(story: Story) -> bytes:
    """Tell it as ``ORU^R01``."""
    system, _, code = story.code.partition("|")
    at = _compact(story.at)

    def text(value: str) -> str:
        return escape_bytes(value.encode(), USUAL).decode()

    authority = f"&{story.authority}&ISO"
    address = f"{text(story.street)}^^{text(story.city)}^^{story.postcode}"
    person = f"{text(story.family)}^{text(story.given)}||{_compact(story.born)}|{story.sex}"
    coded = f"{text(code)}^{text(story.name)}^{system}"
    unit = f"{story.unit_id}^^{story.unit_id}^EUI-64"
    rows = (
        f"MSH|^~\\&|{text(story.application)}|WARD|OATHWARD|SITE|{at}||ORU^R01^ORU_R01|TWIN1|P|2.6|||AL|NE",
        f"PID|||{text(story.identifier)}^^^{authority}^MR||{person}|||{address}||{text(story.phone)}",
        f"PV1||I|{text(story.location)}|||||||{text(story.service)}",
        f"OBR|1|||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|||{at}",
        f"OBX|1|NM|{coded}|1.0.0.1|{story.value}|{text(story.unit)}^^UCUM|||||F|||{at}||||{unit}",
    )
    return ("\r".join(rows) + "\r").encode()


def as_fhir(story: Story) -> bytes:
    """Tell it as a transaction of Patient, Encounter, Device and Observation."""
    resources = (_patient(story), _encounter(story), _device(story), _observation(story))
    entries = [
        {
            "fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{n}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for n, resource in enumerate(resources)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return request_bytes(Request("POST", ""), dumps(bundle))


def labelled(rule: LabelRule, story: Story) -> Story | None:
    """Tell the story so that a label rule speaks of it; None where only the device could make it."""
    if rule.device_kind:
        return None
    more: dict[str, str] = {}
    for name, words in (("location", rule.location), ("service", rule.unit), ("application", rule.sender)):
        if words:
            more[name] = min(words).replace("*", "X")
    if rule.codes:
        more |= {"code": min(rule.codes).replace("*", "1"), "name": "TWIN"}
    return replace(story, **more)


def _patient(story: Story) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [
            {
                "type": {"coding": [{"system": _V2, "code": "MR"}]},
                "system": f"urn:oid:{story.authority}",
                "value": story.identifier,
            }
        ],
        "name": [{"family": story.family, "given": [story.given]}],
        "telecom": [{"system": "phone", "value": story.phone}],
        "gender": _SEX[story.sex],
        "birthDate": story.born,
        "address": [{"line": [story.street], "city": story.city, "postalCode": story.postcode}],
    }


def _encounter(story: Story) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": _CLASS,
        "serviceType": {"coding": [{"code": story.service}]},
        "subject": _ref(0),
        "location": [{"location": {"identifier": {"value": story.location}}}],
    }


def _device(story: Story) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "identifier": [{"system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680", "value": story.unit_id}],
    }


def _observation(story: Story) -> dict[str, Any]:
    system, _, code = story.code.partition("|")
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": uri_of(system), "code": code, "display": story.name}]},
        "subject": _ref(0),
        "encounter": _ref(1),
        "effectiveDateTime": story.at,
        "valueQuantity": {
            "value": float(story.value),
            "unit": story.unit,
            "system": _UCUM,
            "code": story.unit,
        },
        "device": _ref(2),
    }


def _ref(n: int) -> dict[str, str]:
    return {"reference": f"urn:uuid:00000000-0000-4000-8000-00000000000{n}"}


def _compact(iso: str) -> str:
    """Write a day or a moment as DTM: ``20260301081500+0000``."""
    day, _, time = iso.partition("T")
    if not time:
        return day.replace("-", "")
    return day.replace("-", "") + time.replace(":", "")
