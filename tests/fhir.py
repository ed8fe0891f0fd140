"""FHIR resources of made-up patients for tests, and requests with them."""

import copy

import orjson

from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

MRN = {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}}


def identifier(value, system="urn:oid:1.2.3", kind="MR"):
    """Give an Identifier with its type."""
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
    return {"type": {"coding": [coding]}, "system": system, "value": value}


def observation(**changes):
    """Give a blood pressure; a change of None takes an element out."""
    base = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:oid:1.2.3.4", "value": "77312-9"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9", "display": "Blood pressure"}]},
        "subject": {"reference": "Patient/123"},
        "effectiveDateTime": "2026-11-22T10:00:00+01:00",
        "component": [component("8480-6", 120.5), component("8462-4", 80)],
    }
    return changed(base, **changes)


def component(code, value):
    """Give one part of an observation."""
    quantity = {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": quantity}


def patient(logical_id="123", value="4711", /, **changes):
    """Give a Patient."""
    base = {
        "resourceType": "Patient",
        "id": logical_id,
        "identifier": [identifier(value)],
        "name": [{"family": "Ödegård", "given": ["Kim", "Noor"]}],
        "gender": "female",
        "birthDate": "1980-02-29",
    }
    return changed(base, **changes)


def changed(base, **changes):
    """Give a copy with other elements; None takes one out."""
    found = copy.deepcopy(base) | changes
    return {key: value for key, value in found.items() if value is not None}


def raw(resource, method="POST", target=None, **conditions):
    """Write a request: a create of the resource's type if nothing else is said, a bundle at the base."""
    kind = resource.get("resourceType", "")
    target = ("" if kind == "Bundle" else kind) if target is None else target
    named = tuple((name.replace("_", "-"), value) for name, value in conditions.items())
    return request_bytes(Request(method, target, named), orjson.dumps(resource))


def entry(resource, method="POST", url=None, full_url=None, **more):
    """Give an entry of a bundle; the address of a PUT is that of the resource."""
    kind, name = resource["resourceType"], resource.get("id", "")
    url = url or (f"{kind}/{name}" if method == "PUT" else kind)
    found = {"resource": resource, "request": {"method": method, "url": url, **more}}
    return {"fullUrl": full_url, **found} if full_url else found


def bundle(*entries, kind="transaction"):
    """Give a bundle of entries."""
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def urn(n):
    """Give a made-up fullUrl."""
    return f"urn:uuid:{n:08x}-0000-4000-8000-000000000000"
