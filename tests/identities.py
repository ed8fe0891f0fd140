"""Who and what the structured part of a file names: class -> values, for HL7 v2, FHIR and DICOM.

Rules:
- Read from the standards' own paths with ``json``, ``split`` and pydicom: nothing of Oathward is asked, neither its readers nor its
  catalogues nor its search of the output, so that what one of them overlooks is seen here.
- ``exempt``: words that the file also has as codes and their displays: a leak cannot be told from these, and how many of a file's
  names that are is counted by whoever searches.

Deliberately absent: free text. What is named there alone nobody reads from here.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Values = defaultdict[str, set[str]]
_CODED = ("code", "display", "system", "unit", "use", "status", "type", "url", "resourceType", "valueCode")
_DATE = re.compile(r"(?:19|20)\d\d-?[01]\d-?[0-3]\d")
_OWN = ("Patient", "Person", "RelatedPerson")
_THINGS = ("Organization", "Location")


def identities(path: Path) -> tuple[Values, set[str]]:
    """Give what a file names, and its exempt words; nothing where it is of no format read here."""
    found: Values = defaultdict(set)
    coded: set[str] = set()
    readers: dict[str, Callable[[Path, Values, set[str]], None]] = {
        ".json": _fhir, ".ndjson": _fhir, ".hl7": _hl7, ".dcm": _dicom,
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is not None:
        reader(path, found, coded)
    # An identifier that is a code or a system of the same file, an OID of who gives them, or a word, is found wherever that stands.
    told = {
        one
        for one in found["identifier"]
        if one.startswith("urn:oid:") or not re.search(r"[0-9]", one) or words(one) <= coded
    }
    found["identifier"] -= told
    return found, coded


def values_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Give every string of a JSON value with the key it stands under."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from values_in(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from values_in(item, key)
    elif isinstance(value, str):
        yield key, value


def resources_of(path: Path) -> list[dict[str, Any]]:
    """Give the resources of a JSON or NDJSON file, those in bundles and contained ones too; none of what is no FHIR."""
    text = path.read_text("utf-8-sig")
    try:
        whole = [json.loads(text)]
    except json.JSONDecodeError:
        try:
            whole = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError:
            return []
    return [one for body in whole for one in _within(body)]


def _within(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("resourceType"), str) and value["resourceType"] != "Bundle":
            yield value
        for item in value.values():
            yield from _within(item)
    elif isinstance(value, list):
        for item in value:
            yield from _within(item)


def _fhir(path: Path, found: Values, coded: set[str]) -> None:
    for resource in resources_of(path):
        kind = resource["resourceType"]
        who = "patient" if kind in _OWN else "staff" if kind == "Practitioner" else "organisation"
        if re.search(r"[0-9]", resource.get("id", "")) and len(resource["id"]) >= 8:
            found["logical-id"].add(resource["id"])
        if kind in (*_OWN, "Practitioner", *_THINGS):
            _person(resource, who, found)
        _others(resource, found, coded)


def _person(resource: dict[str, Any], who: str, found: Values) -> None:
    if isinstance(resource.get("name"), str):
        found[f"{who}.name"].add(resource["name"])
    names = [one for key in ("name", "contact") for one in _listed(resource.get(key))]
    for key, value in values_in([one.get("name", one) for one in names if isinstance(one, dict)]):
        if key in ("family", "given", "text"):
            found[f"{who}.name"].add(value)
    for extension in _listed(resource.get("extension")):
        if str(extension.get("url", "")).lower().endswith("maidenname"):
            found[f"{who}.name"].add(extension.get("valueString", ""))
    if isinstance(resource.get("birthDate"), str):
        found["birth-date"].add(resource["birthDate"])


def _others(resource: dict[str, Any], found: Values, coded: set[str]) -> None:
    """Take what any resource may have: identifiers, telecoms, addresses, dates; and its codes."""
    waiting: list[Any] = [resource]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
            continue
        if not isinstance(value, dict):
            continue
        waiting += [item for key, item in value.items() if key != "contained"]
        for one in _listed(value.get("identifier")):
            found["identifier"].add(str(one.get("value", "")))
        for one in _listed(value.get("telecom")):
            found["contact"].add(str(one.get("value", "")))
        for one in _listed(value.get("address")):
            found["street"] |= {str(line) for line in one.get("line", ())}
            found["city"].add(str(one.get("city", "")))
            found["postcode"].add(str(one.get("postalCode", "")))
    for key, value in values_in({key: item for key, item in resource.items() if key != "contained"}):
        if key in _CODED:
            coded |= words(value)
        if key == "serialNumber":
            found["device"].add(value)
        if key not in ("div", "data", "text", "url", "system", "birthDate") and _DATE.match(value):
            found["date"].add(value[:10])


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


_PEOPLE = {
    "patient.name": {"PID": (5, 6, 9), "NK1": (2, 30), "GT1": (3, 4), "IN1": (16,), "MRG": (7,)},
    "staff.name": {"PV1": (7, 8, 9, 17, 52), "ORC": (10, 11, 12, 19), "OBR": (10, 16, 28), "OBX": (16,), "ROL": (4,)},
    "address": {"PID": (11,), "NK1": (4, 32), "GT1": (5,), "IN1": (19,)},
    "contact": {"PID": (13, 14, 40), "NK1": (5, 6, 31), "GT1": (6, 7), "ORC": (14, 23), "OBR": (17,)},
    "identifier": {
        "PID": (2, 3, 4, 18, 19, 20, 21), "NK1": (12, 33, 37), "GT1": (2, 12, 19), "IN1": (36, 49), "PV1": (5, 19, 50),
        "MRG": (1, 2, 3, 4, 5, 6), "ORC": (2, 3, 4), "OBR": (2, 3), "SPM": (2, 3),
    },
}  # fmt: skip
"""Fields by HL7 v2.8.2 chapters 3, 4, 6 and 7. XCN: its first component is an identifier, the next two are names."""


def segments_of(path: Path) -> Iterator[list[str]]:
    """Give the segments of a file as lists of fields, numbered as the standard does."""
    text = path.read_bytes().decode("utf-8", "replace")
    for line in re.split(r"[\r\n\x0b\x1c]+", text):
        if re.match(r"[A-Z][A-Z0-9]{2}\|", line):
            fields = line.split("|")
            yield ["MSH", "|", *fields[1:]] if fields[0] == "MSH" else fields


def _hl7(path: Path, found: Values, coded: set[str]) -> None:
    for fields in segments_of(path):
        name = fields[0]
        for kind, places in _PEOPLE.items():
            for n in places.get(name, ()):
                for repetition in (fields[n] if n < len(fields) else "").split("~"):
                    _hl7_value(kind, [one.split("&")[0] for one in repetition.split("^")], found)
        if name == "PID" and len(fields) > 7:
            found["birth-date"].add(fields[7][:8])
        for n, field in enumerate(fields):
            # When a program was installed is nobody's date (SFT-6).
            if (
                (name, n) != ("PID", 7)
                and name != "SFT"
                and n > 1
                and re.fullmatch(r"(?:19|20)\d{6}(?:\d{4}.*)?", field)
            ):
                found["date"].add(field[:8])
            if (name, n) in (("OBX", 3), ("OBX", 6), ("OBR", 4), ("MSH", 9), ("OBX", 8)):
                coded |= words(field)


def _hl7_value(kind: str, parts: list[str], found: Values) -> None:
    if kind == "address":
        for cls, n in (("street", 0), ("city", 2), ("postcode", 4)):
            found[cls] |= set(parts[n : n + 1])
    elif kind == "contact":
        found[kind] |= {part for part in parts if sum(map(str.isdigit, part)) >= 7 or "@" in part}
    elif kind == "identifier":
        found[kind] |= set(parts[:1])
    elif kind == "staff.name":
        found["identifier"] |= set(parts[:1])
        found[kind] |= set(parts[1:3])
    else:
        found[kind] |= set(parts[:3])


_OWN_NUMBERS = frozenset(
    (0x00100020, 0x00101000, 0x00080050, 0x00200010, 0x00380010, 0x00401001, 0x00402016, 0x00402017, 0x00101060)
)  # fmt: skip
_OWN_TEXTS = {
    0x00101040: "street", 0x00102154: "contact", 0x00080080: "organisation.name", 0x00080081: "street", 0x00081010: "device",
    0x00181000: "device", 0x00081040: "organisation.name",
}  # fmt: skip


_KINDS = frozenset(
    (0x00020002, 0x00020010, 0x00020012, 0x00080016, 0x0008001A, 0x00081150, 0x0008010C, 0x00080117)
)
"""UIDs that say of what kind something is, or of what scheme: classes of objects, transfer syntaxes, coding schemes."""
_MAKERS = frozenset((0x00080070, 0x00081090))
"""Who made the device, and its model: what they have in common with the name of a place is no name of it."""


def _dicom(path: Path, found: Values, coded: set[str]) -> None:
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dcmread(path, force=True)
            for one in dataset.iterall():
                _element(one, found, coded)
        except (ValueError, OSError, NotImplementedError, AttributeError, KeyError, TypeError):
            return  # truncated on purpose: what came before it is read


def _element(one: Any, found: Values, coded: set[str]) -> None:
    values = (
        [str(v) for v in (one.value if one.VM > 1 else [one.value])] if one.value not in (None, "") else []
    )
    if one.VR == "PN":
        cls = "patient.name" if one.tag.group == 0x0010 else "staff.name"
        found[cls] |= {part for v in values for part in re.split(r"[\^=]", v)}
    elif one.VR == "UI":
        if one.tag not in _KINDS:
            found["uid"] |= {v for v in values if not v.startswith("1.2.840.10008.")}
    elif one.tag in _OWN_NUMBERS:
        found["identifier"] |= set(values)
    elif one.tag in _OWN_TEXTS:
        found[_OWN_TEXTS[one.tag]] |= set(values)
    elif one.tag == 0x00100030:
        found["birth-date"] |= set(values)
    elif one.VR in ("DA", "DT"):
        found["date"] |= {v[:8] for v in values}
    elif one.VR in ("CS", "SH") or one.tag in _MAKERS:
        coded |= {word for v in values for word in words(v)}


def words(text: str) -> set[str]:
    """Give the words of a text, as names are compared."""
    return set(re.findall(r"[^\W_]+", text.casefold()))
