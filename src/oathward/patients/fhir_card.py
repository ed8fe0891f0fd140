"""The card of a Patient resource: the same canonical form as that of a PID, so that one reader serves both.

Rules:
- A card from either wire has the same parts, in the words of HL7 v2: uses, sexes and kinds of telephone are those of
  its tables (0001, 0190, 0200, 0201, 0202), dates have no separators.
- A name that is a text only is kept as ``text``: nobody says where the family's name begins.
- A part of another JSON type than R4 says is left out: a card is a help for people, the original is the evidence.

Deliberately absent: ``Patient.contact`` and RelatedPerson (the guard reads those in the message itself), photographs.

Source: FHIR R4 §8.1 (Patient), §2.24 (HumanName, Address, ContactPoint, Identifier); HL7 v2-to-FHIR IG (PID to
Patient, tables 0001, 0190, 0200, 0201).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oathward.patients.card import words_of, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oathward.core.words import WordHasher
    from oathward.patients.model import WordKind

_STANDARD = "http://hl7.org/fhir/StructureDefinition/"
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_NAME_USE = {
    "official": "L", "usual": "D", "nickname": "N", "maiden": "M", "anonymous": "S", "temp": "TEMP", "old": "NOUSE",
}  # fmt: skip
_ADDRESS_USE = {"home": "H", "work": "B", "temp": "C", "old": "BA", "billing": "BI"}
_CONTACT_USE = {"home": "PRN", "work": "WPN", "mobile": "PRN", "temp": "VHN"}
_EQUIPMENT = {"phone": "PH", "fax": "FX", "email": "Internet", "pager": "BP", "url": "URI", "sms": "CP"}
_CODED = {
    _STANDARD + "patient-religion": "religion", _STANDARD + "patient-citizenship": "citizenship",
    _STANDARD + "patient-nationality": "nationality", _US_CORE + "us-core-race": "race",
    _US_CORE + "us-core-ethnicity": "ethnic_group",
}  # fmt: skip
"""Extension -> what a card calls it."""


def card_of_patient(resource: Mapping[str, Any]) -> bytes:
    """Write the demographics of a Patient resource as canonical JSON; patient data: seal it."""
    return written(_read(resource))


def words_of_patient(resource: Mapping[str, Any], hasher: WordHasher) -> list[tuple[bytes, WordKind]]:
    """Hash what stands in a Patient resource for the guard."""
    return words_of(_read(resource), hasher)


def _read(patient: Mapping[str, Any]) -> dict[str, Any]:
    extensions = [*_objects(patient.get("extension")), *_objects(patient.get("modifierExtension"))]
    birth = _day(patient.get("birthDate"))
    card: dict[str, Any] = {
        "identifiers": _rows(map(_identifier, _objects(patient.get("identifier")))),
        "names": _rows(map(_name, _objects(patient.get("name")))),
        "mother": _rows({"family": _text(one.get("valueString"))} for one in extensions if _is_mother(one)),
        "addresses": _rows(map(_address, _objects(patient.get("address")))),
        "contacts": _rows(map(_contact, _objects(patient.get("telecom")))),
        "birth": _birth_time(patient) or birth,
        "sex": _SEX.get(_text(patient.get("gender")), ""),
        "marital": _code(patient.get("maritalStatus")),
        "language": _language(patient),
        "birth_place": next(filter(None, map(_birth_place, extensions)), ""),
        "death": _day(patient.get("deceasedDateTime")),
    }
    card |= _several(patient) | _dead(patient)
    for one in extensions:
        name = _CODED.get(_text(one.get("url")))
        if name and not card.get(name):
            card[name] = _coded(one)
    return {name: value for name, value in card.items() if value}


def _identifier(one: Mapping[str, Any]) -> dict[str, str]:
    return {
        "value": _text(one.get("value")), "authority": _text(one.get("system")), "type": _code(one.get("type")),
    }  # fmt: skip


def _name(one: Mapping[str, Any]) -> dict[str, str]:
    given = _texts(one.get("given"))
    family = _text(one.get("family"))
    return {
        "family": family,
        "given": given[0] if given else "",
        "further": " ".join(given[1:]),
        "suffix": " ".join(_texts(one.get("suffix"))),
        "prefix": " ".join(_texts(one.get("prefix"))),
        "use": _NAME_USE.get(_text(one.get("use")), ""),
        "text": "" if family and given else _text(one.get("text")),
    }


def _address(one: Mapping[str, Any]) -> dict[str, str]:
    lines = _texts(one.get("line")) or [_text(one.get("text"))]
    use = _ADDRESS_USE.get(_text(one.get("use")), "")
    return {
        "street": lines[0],
        "other": " ".join(lines[1:]),
        "city": _text(one.get("city")),
        "state": _text(one.get("state")),
        "postcode": _text(one.get("postalCode")),
        "country": _text(one.get("country")),
        "county": _text(one.get("district")),
        "use": "M" if one.get("type") == "postal" else use,
    }


def _contact(one: Mapping[str, Any]) -> dict[str, str]:
    kind, value = _text(one.get("system")), _text(one.get("value"))
    use = _text(one.get("use"))
    return {
        "text": "" if kind == "email" else value,
        "email": value if kind == "email" else "",
        "use": "NET" if kind == "email" else _CONTACT_USE.get(use, ""),
        "equipment": "CP" if use == "mobile" and kind == "phone" else _EQUIPMENT.get(kind, ""),
    }


def _several(patient: Mapping[str, Any]) -> dict[str, str]:
    order, several = patient.get("multipleBirthInteger"), patient.get("multipleBirthBoolean")
    if isinstance(order, int) and not isinstance(order, bool):
        return {"multiple_birth": "Y", "birth_order": str(order)}
    return {"multiple_birth": "Y" if several else "N"} if isinstance(several, bool) else {}


def _dead(patient: Mapping[str, Any]) -> dict[str, str]:
    dead = patient.get("deceasedBoolean")
    if patient.get("deceasedDateTime"):
        return {"dead": "Y"}
    return {"dead": "Y" if dead else "N"} if isinstance(dead, bool) else {}


def _language(patient: Mapping[str, Any]) -> str:
    spoken = _objects(patient.get("communication"))
    spoken.sort(key=lambda one: one.get("preferred") is not True)
    return _code(spoken[0].get("language")) if spoken else ""


def _birth_time(patient: Mapping[str, Any]) -> str:
    beside = patient.get("_birthDate")
    for one in _objects(beside.get("extension") if isinstance(beside, dict) else None):
        if one.get("url") == _STANDARD + "patient-birthTime":
            return _day(one.get("valueDateTime"))
    return ""


def _birth_place(one: Mapping[str, Any]) -> str:
    place = one.get("valueAddress")
    if one.get("url") not in {_STANDARD + "patient-birthPlace", _STANDARD + "birthPlace"} or not isinstance(
        place, dict
    ):
        return ""
    return _text(place.get("text")) or _text(place.get("city"))


def _is_mother(one: Mapping[str, Any]) -> bool:
    return one.get("url") == _STANDARD + "patient-mothersMaidenName"


def _coded(extension: Mapping[str, Any]) -> str:
    """Give the first code that an extension holds, itself or in its own extensions."""
    coding = extension.get("valueCoding")
    found = (
        _text(coding.get("code"))
        if isinstance(coding, dict)
        else _code(extension.get("valueCodeableConcept"))
    )
    return found or next(filter(None, map(_coded, _objects(extension.get("extension")))), "")


def _code(concept: object) -> str:
    if not isinstance(concept, dict):
        return ""
    codes = [_text(one.get("code")) for one in _objects(concept.get("coding"))]
    return next(filter(None, codes), "") or _text(concept.get("text"))


def _day(value: object) -> str:
    """Write a date or time of FHIR as HL7 v2 does: no separators, no fraction, no zone."""
    day, _, time = _text(value).partition("T")
    clock = time.partition("+")[0].partition("-")[0].partition("Z")[0].partition(".")[0]
    return "".join(c for c in day + clock if c.isdigit())


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [text for one in value if (text := _text(one))] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _rows(found: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    rows = [{name: value for name, value in row.items() if value} for row in found]
    return [row for row in rows if row]
