"""Write FHIR R4 JSON, as a maker of home devices would: its own few lines, not the product's.

Rules:
- A patient has the hospital's number under ``SYSTEM``: the same person as in HL7 v2.
- Numbers are written as they are: a marker keeps all its digits.

Source: FHIR R4 Patient, Device, Observation, Bundle; LOINC and UCUM codes; IEEE 11073-10101 for the ECG.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from oathward_sim.hospital import Device, Patient

SYSTEM = "urn:oid:2.999.71.1"
"""``Identifier.system`` of the hospital's numbers; the site declares that it is the authority ``HOSP``."""

Json = dict[str, Any]
_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_LOINC, _MDC, _UCUM = "http://loinc.org", "urn:iso:std:iso:11073:10101", "http://unitsofmeasure.org"
_SEX = {"F": "female", "M": "male"}
_NUMBER = "@number@"


def number(text: str) -> str:
    """Have a number written with exactly these digits."""
    return f"{_NUMBER}{text}"


def dumps(resource: Json) -> bytes:
    """Write JSON as it goes over the wire."""
    text = json.dumps(resource, ensure_ascii=False, separators=(",", ":"))
    head, *rest = text.split(f'"{_NUMBER}')
    return (head + "".join(part.replace('"', "", 1) for part in rest)).encode()


def patient(p: Patient, id_: str, mark: str = "") -> Json:
    """Write a Patient as a home hub has it.

    Args:
        mark: an identifier of the sender's own, for a request that holds nothing else.
    """
    identifiers: list[Json] = [
        {"type": {"coding": [{"system": _V2, "code": "MR"}]}, "system": SYSTEM, "value": p.mrn}
    ]
    if mark:
        identifiers.append({"system": "urn:oid:2.999.71.9", "value": mark})
    born = f"{p.born[:4]}-{p.born[4:6]}-{p.born[6:8]}"
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": identifiers,
        "name": [{"use": "official", "family": p.family, "given": [p.given]}],
        "telecom": [{"system": "phone", "value": p.phone}, {"system": "email", "value": p.email}],
        "gender": _SEX.get(p.sex, "unknown"),
        "birthDate": born,
        "address": [{"line": [p.street], "city": p.town, "postalCode": p.postcode}],
    }


def device(d: Device, id_: str) -> Json:
    """Write the Device that measures."""
    return {
        "resourceType": "Device",
        "id": id_,
        "identifier": [{"system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680", "value": d.eui}],
        "status": "active",
        "manufacturer": d.make,
        "serialNumber": d.serial,
        "deviceName": [{"name": d.name, "type": "user-friendly-name"}],
        "modelNumber": d.model,
    }


def quantity(at: datetime, who: str, by: str, code: tuple[str, str], value: str, unit: str) -> Json:
    """Write an Observation of one number.

    Args:
        who, by: references of the patient and of the device.
        code: LOINC code and its display.
        value: the digits.
    """
    measured = {"value": number(value), "unit": unit, "system": _UCUM, "code": unit}
    return _observation(at, who, by, _LOINC, code) | {"valueQuantity": measured}


def trace(at: datetime, who: str, by: str, samples: Sequence[int], mark: str) -> Json:
    """Write an ECG: SampledData of lead I, and the heart rate that was reckoned from it."""
    data = {
        "origin": {"value": 0, "unit": "mV", "system": _UCUM, "code": "mV"},
        "period": number("4.0"),
        "factor": number("0.005"),
        "dimensions": 1,
        "data": " ".join(map(str, samples)),
    }
    rate = {
        "code": {"coding": [{"system": _LOINC, "code": "8867-4", "display": "Heart rate"}]},
        "valueQuantity": {"value": number(mark), "unit": "/min", "system": _UCUM, "code": "/min"},
    }
    code = ("131329", "MDC_ECG_ELEC_POTL_I")
    return _observation(at, who, by, _MDC, code) | {"valueSampledData": data, "component": [rate]}


def bundle(kind: str, entries: Sequence[tuple[str, str, str, Json]]) -> Json:
    """Write a batch or transaction.

    Args:
        entries: method, target, fullUrl (or empty) and resource.
    """
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            ({"fullUrl": url} if url else {})
            | {"resource": resource, "request": {"method": method, "url": target}}
            for method, target, url, resource in entries
        ],
    }


def _observation(at: datetime, who: str, by: str, system: str, code: tuple[str, str]) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": system, "code": code[0], "display": code[1]}]},
        "subject": {"reference": who},
        "effectiveDateTime": at.isoformat(timespec="milliseconds"),
        "device": {"reference": by},
    }
