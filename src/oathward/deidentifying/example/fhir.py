"""The example as FHIR R4: a collection of Patient, Practitioner, Encounter, Device and two Observations, one with a note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from oathward.deid.action import Seeds
from oathward.deid.profile import Profile
from oathward.deidentifying.example.rows import Example, Reasons, Row, Value, aligned
from oathward.deidentifying.example.story import Story
from oathward.protocols.fhir.leaves import Path, leaves, place, shown

_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_MDC = "urn:iso:std:iso:11073:10101"
_UCUM = "http://unitsofmeasure.org"
_NAME = "urn:uuid:00000000-0000-4000-8000-00000000000{}"
_EXTENSION = "extension"
"""One that nobody reviewed is not catalogued, whole."""

_PATIENT, _STAFF, _STAY, _DEVICE = range(4)


def _told(story: Story) -> bytes:
    resources = (
        _patient(story),
        _staff(story),
        _stay(story),
        _device(story),
        _observation(story, "150456", "MDC_PULS_OXIM_SAT_O2", 97, "%") | {"note": [{"text": story.note}]},
        _observation(story, "149530", "MDC_PULS_OXIM_PULS_RATE", 72, "/min"),
    )
    entries = [{"fullUrl": _NAME.format(n), "resource": resource} for n, resource in enumerate(resources)]
    return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def _patient(story: Story) -> dict[str, Any]:
    address = {
        "line": [story.street],
        "city": story.city,
        "state": story.state,
        "postalCode": story.postcode,
    }
    return {
        "resourceType": "Patient",
        "extension": [{"url": "https://example.org/not-catalogued", "valueString": story.make}],
        "identifier": [
            {"type": _coded(_V2, "MR"), "system": f"urn:oid:{story.oid}", "value": story.number},
            {
                "type": _coded(_V2, "SS"),
                "system": "http://hl7.org/fhir/sid/us-ssn",
                "value": story.national,
            },
        ],
        "name": [{"family": story.family, "given": [story.given]}],
        "telecom": [{"system": "phone", "value": story.phone}],
        "gender": "female",
        "birthDate": story.born,
        "address": [address],
        "contact": [
            {
                "name": {"family": story.family, "given": [story.relative]},
                "telecom": [{"system": "phone", "value": story.phone}],
            }
        ],
    }


def _staff(story: Story) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "identifier": [{"value": story.doctor_number}],
        "name": [{"family": story.doctor, "given": [story.doctor_given]}],
    }


def _stay(story: Story) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "identifier": [{"value": story.stay}],
        "status": "in-progress",
        "class": {"system": _ACT, "code": "IMP"},
        "subject": _to(_PATIENT),
        "participant": [{"individual": _to(_STAFF)}],
        "location": [{"location": {"identifier": {"value": story.ward}}}],
    }


def _device(story: Story) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "identifier": [{"value": story.unit}],
        "manufacturer": story.make,
        "modelNumber": story.model,
    }


def _observation(story: Story, code: str, name: str, value: int, unit: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": _MDC, "code": code, "display": name}]},
        "subject": _to(_PATIENT),
        "encounter": _to(_STAY),
        "effectiveDateTime": f"{story.at}Z",
        "valueQuantity": {"value": value, "unit": unit, "system": _UCUM, "code": unit},
        "device": _to(_DEVICE),
    }


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _to(n: int) -> dict[str, str]:
    return {"reference": _NAME.format(n)}


def _rows(
    before: bytes, after: bytes | None, profile: Profile, _plan: object, _seeds: Seeds
) -> Sequence[Row]:
    reasons = Reasons(profile)
    made: list[Row] = []
    types = _types(before)
    for old, new in aligned(_resources(before), _resources(after) if after else [], _alike):
        mine, theirs = _values(old, types), _values(new, {})
        for one, other in _pairs(old, new, ()):
            made.append(
                reasons.row(None if one is None else mine[one], None if other is None else theirs[other])
            )
    return made


def _resources(data: bytes) -> list[Mapping[str, Any]]:
    body = orjson.loads(data)
    return [entry["resource"] for entry in body["entry"]] if body["resourceType"] == "Bundle" else [body]


def _alike(old: Any, new: Any) -> int:
    """Count equal values; two resources of different types are never the same one."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if old.get("resourceType") != new.get("resourceType"):
            return 0
        return 1 + sum(_alike(one, new[key]) for key, one in old.items() if key in new)
    if isinstance(old, list) and isinstance(new, list):
        return 1 + sum(_alike(one, other) for one, other in zip(old, new, strict=False))
    return 3 if old == new else 1


def _types(data: bytes) -> dict[str, str]:
    """Give the name of each entry of a bundle with the type of what it names."""
    return {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in orjson.loads(data)["entry"]}


def _values(resource: Mapping[str, Any] | None, types: Mapping[str, str]) -> dict[Path, Value]:
    """Give every value by its path; what nobody catalogued has no class but that.

    Args:
        types: name of an entry -> the type of its resource.
    """
    if resource is None:
        return {}
    classes = {path: cls for path, cls, _text in leaves(resource, types) if _EXTENSION not in path}
    return {
        path: Value(place(resource, path), classes.get(path, "uncatalogued"), text)
        for path, text in _texts(resource, ())
    }


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if path or key != "resourceType":
                yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _texts(item, (*path, n))
    else:
        yield path, shown(value)


def _pairs(
    old: Any, new: Any, at: Path, then: Path | None = None
) -> Iterator[tuple[Path | None, Path | None]]:
    """Give the path of each value before with the path of what it became; None where there is none."""
    then = at if then is None else then
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            if key != "resourceType" or at:
                yield from _pairs(old.get(key), new.get(key), (*at, key), (*then, key))
    elif isinstance(old, list) and isinstance(new, list):
        ours, theirs = list(enumerate(old)), list(enumerate(new))
        for one, other in aligned(ours, theirs, lambda a, b: _alike(a[1], b[1])):
            yield from _pairs(
                one[1] if one else None,
                other[1] if other else None,
                (*at, one[0] if one else -1),
                (*then, other[0] if other else -1),
            )
    elif isinstance(old, Mapping | list) or isinstance(new, Mapping | list):
        for path, _ in _texts(old, at) if old is not None else ():
            yield path, None
        for path, _ in _texts(new, then) if new is not None else ():
            yield None, path
    else:
        yield (at if old is not None else None), (then if new is not None else None)


def _document(data: bytes) -> str:
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2).decode()


EXAMPLE = Example("FHIR R4", "example.json", _told, _rows, _document)
