"""Write what devices told of a patient as FHIR R4 resources: the card as Patient, a reading as Observation.

Rules:
- Ids are made of the message's and the place in it: the same original gives the same resources each time.
- ``status`` is ``unknown``: a reading here does not say whether its device called it final.
- A number is a Quantity with the unit as it came; what is named and not shown (a waveform) says that it is absent.
- A flag is the device's own; one that FHIR does not know is text.

Deliberately absent: resources of devices, consents and records (whoever makes the copy), profiles, anything made up.

Source: FHIR R4 §8.1 (Patient), §10.1 (Observation); v3 ObservationInterpretation; HL7 tables 0001, 0203.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from oathward.core.code_systems import HL7_TABLES, uri_of

if TYPE_CHECKING:
    from oathward.bedside.picture import Reading
    from oathward.vault.keeper.original import Original

UCUM = "http://unitsofmeasure.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
NOT_SHOWN = frozenset(("a waveform", "an attachment"))
_FLAGS = frozenset(
    ("H", "HH", "L", "LL", "A", "AA", "N", "U", "D", "B", "W", "S", "R", "I", "IND", "POS", "NEG")
)
_GENDERS = {"F": "female", "M": "male", "O": "other", "A": "other", "U": "unknown", "N": "unknown"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def url_of(*parts: str) -> str:
    """Name something in a bundle: the same parts give the same name."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, '|'.join(('oathward', *parts)))}"


def instant(at_us: int) -> str:
    """Write a time as FHIR's instant, exactly."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")


def patient_of(card: Original | None) -> dict[str, Any]:
    """Write what stands on an opened card; without one a patient of whom nothing is told."""
    found: Mapping[str, Any] = orjson.loads(card.data.reveal()) if card is not None else {}
    made: dict[str, Any] = {"resourceType": "Patient"}
    parts = {
        "identifier": [_identifier(one) for one in found.get("identifiers", ()) if one.get("value")],
        "name": [name for one in found.get("names", ()) if (name := _name(one))],
        "address": [place for one in found.get("addresses", ()) if (place := _address(one))],
    }
    made |= {name: value for name, value in parts.items() if value}
    gender, born = _GENDERS.get(str(found.get("sex", ""))), _date(str(found.get("birth", "")))
    return made | ({"gender": gender} if gender else {}) | ({"birthDate": born} if born else {})


def observation_of(one: Reading, patient: str, device: str) -> dict[str, Any]:
    """Write a reading.

    Args:
        patient: address of the Patient in the bundle. device: of the Device; empty where it is not known.
    """
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "unknown",
        "code": _code(one),
        "subject": {"reference": patient},
        "effectiveDateTime": instant(one.at_us),
        **_value(one),
    }
    if device:
        made["device"] = {"reference": device}
    if one.flag:
        coded = (
            {"coding": [{"system": INTERPRETATION, "code": one.flag}]}
            if one.flag in _FLAGS
            else {"text": one.flag}
        )
        made["interpretation"] = [coded]
    if one.limits:
        made["referenceRange"] = [{"text": one.limits}]
    if one.place:
        made["identifier"] = [{"value": one.place, "use": "secondary"}]
    return made


def _code(one: Reading) -> dict[str, Any]:
    system, _, code = one.code.partition("|")
    uri = uri_of(system) or (system if ":" in system else "")
    coding = ({"system": uri} if uri else {}) | {"code": code}
    return ({"coding": [coding]} if code and code == code.strip() else {}) | {"text": one.name or code or "?"}


def _value(one: Reading) -> dict[str, Any]:
    value, number = one.value.reveal(), one.number.reveal()
    if value in NOT_SHOWN:
        return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": "unsupported"}], "text": value}}
    if number is None:
        return {"valueString": value}
    plain = int(number) if number.is_integer() and abs(number) < 2**53 else number
    unit = {"unit": one.unit, "system": UCUM, "code": one.unit} if one.unit.strip() else {}
    return {"valueQuantity": {"value": plain} | unit}


def _identifier(one: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"value": str(one["value"])}
    if one.get("type"):
        made["type"] = {"coding": [{"system": f"{HL7_TABLES}0203", "code": str(one["type"])}]}
    if one.get("authority"):
        made["assigner"] = {"display": str(one["authority"])}
    return made


def _name(one: Mapping[str, Any]) -> dict[str, Any]:
    given = [str(one[part]) for part in ("given", "further") if one.get(part)]
    made = {"family": str(one["family"])} if one.get("family") else {}
    text = {"text": str(one["text"])} if one.get("text") else {}
    return made | ({"given": given} if given else {}) | text


def _address(one: Mapping[str, Any]) -> dict[str, Any]:
    lines = [str(one[part]) for part in ("street", "other") if one.get(part)]
    names = {
        "city": "city",
        "state": "state",
        "postcode": "postalCode",
        "country": "country",
        "county": "district",
    }
    made = {theirs: str(one[ours]) for ours, theirs in names.items() if one.get(ours)}
    return made | ({"line": lines} if lines else {})


def _date(text: str) -> str:
    day = text[:8]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else ""
