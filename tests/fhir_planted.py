"""Resources that hold one planted value: the smallest valid resource of a type, and one element more.

Written from the definitions (``protocols/fhir/tables``) and the catalogue's elements; each planted value occurs
nowhere else, looks like its element, and says which element that is.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from oathward.protocols.fhir import elements, tables
from oathward.protocols.fhir.elements import Element
from oathward.protocols.fhir.links import target_class
from oathward.protocols.fhir.overrides import id_class

JUDGED = elements.QUANTITIES
"""Types whose parts are judged together, with the concept and its codings."""

SNOMED, UCUM = "http://snomed.info/sct", "http://unitsofmeasure.org"
FIXED: dict[str, Any] = {
    "string": "x1",
    "markdown": "x1",
    "uri": "http://hl7.org/fhir/x",
    "url": "http://hl7.org/fhir/x",
    "canonical": "http://hl7.org/fhir/x",
    "oid": "urn:oid:1.2.3",
    "uuid": "urn:uuid:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a",
    "id": "x1",
    "code": "x1",
    "boolean": True,
    "integer": 1,
    "positiveInt": 1,
    "unsignedInt": 1,
    "decimal": 1,
    "date": "1999-01-01",
    "dateTime": "1999-01-01",
    "instant": "1999-01-01T00:00:00Z",
    "time": "00:00:00",
    "base64Binary": "eDE=",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">x1</div>',
    "CodeableConcept": {"coding": [{"system": SNOMED, "code": "27268008"}]},
    "Coding": {"system": SNOMED, "code": "27268008"},
    "Quantity": {"value": 1, "unit": "mg", "system": UCUM, "code": "mg"},
    "Age": {"value": 1, "unit": "a", "system": UCUM, "code": "a"},
    "Duration": {"value": 1, "unit": "h", "system": UCUM, "code": "h"},
    "Count": {"value": 1, "system": UCUM, "code": "1"},
    "Distance": {"value": 1, "unit": "m", "system": UCUM, "code": "m"},
    "Money": {"value": 1, "currency": "EUR"},
    "Identifier": {"value": "x1"},
    "Period": {"start": "1999"},
    "HumanName": {"family": "x1"},
    "Address": {"country": "x1"},
    "ContactPoint": {"system": "phone", "value": "x1"},
    "Attachment": {"contentType": "text/plain", "url": "http://hl7.org/fhir/x"},
    "Annotation": {"text": "x1"},
    "Timing": {"event": ["1999-01-01"]},
    "Dosage": {"text": "x1"},
    "Expression": {"language": "text/cql", "expression": "x1"},
    "Range": {"low": {"value": 1}},
    "Ratio": {"numerator": {"value": 1}, "denominator": {"value": 1}},
    "SampledData": {"origin": {"value": 0}, "period": 1, "dimensions": 1, "data": "1 2"},
    "Signature": {
        "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
        "when": "1999-01-01T00:00:00Z",
        "who": {"reference": "Practitioner/x1"},
    },
    "Narrative": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x1</div>'},
    "Meta": {"versionId": "1"},
    "ContactDetail": {"name": "x1"},
    "RelatedArtifact": {"type": "documentation", "url": "http://hl7.org/fhir/x"},
    "UsageContext": {
        "code": {"system": SNOMED, "code": "27268008"},
        "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "27268008"}]},
    },
}
"""Type -> a value of it that says nothing."""

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
EXTRA: dict[str, dict[str, Any]] = {
    "Consent": {"policyRule": FIXED["CodeableConcept"]},
    "AllergyIntolerance": {"clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]}},
    "Appointment": {
        "start": "1999-01-01T00:00:00Z",
        "end": "1999-01-01T00:00:00Z",
        "participant": [{"status": "accepted", "actor": {"reference": "Practitioner/x1"}}],
    },
    "Organization": {"name": "x1"},
    "ServiceRequest": {"code": FIXED["CodeableConcept"]},
    "Composition.section": {"entry": [{"reference": "Observation/x1"}]},
    "Goal.target": {"measure": FIXED["CodeableConcept"]},
    "Observation.referenceRange": {"low": {"value": 1}},
    "MedicationAdministration.dosage": {"dose": FIXED["Quantity"]},
    "Patient.contact": {"name": {"family": "x1"}},
    "Condition.stage": {"summary": FIXED["CodeableConcept"]},
    "Immunization.education": {"documentType": "x1"},
    "Appointment.participant": {"actor": {"reference": "Practitioner/x1"}},
}
"""What the invariants of a type or backbone element ask for beside its required elements."""


@dataclass(frozen=True)
class Plant:
    """One planted value: where it stands, its class by the catalogue, and the resource."""

    place: str
    kind: str
    cls: str
    part: str
    value: str
    resource: dict[str, Any]


def word(n: int) -> str:
    """Give a word that occurs nowhere else: ``QZ`` and six letters."""
    found = ""
    for _ in range(6):
        n, rest = divmod(n, 26)
        found = chr(65 + rest) + found
    return "QZ" + found


def planted(element: Element, n: int) -> tuple[Any, str]:
    """Give the n-th value for a primitive, and the text to look for; no text for what cannot be told apart."""
    kind = element.kind
    if kind in ("string", "markdown"):
        sentence = element.form in ("", "observed") and element.part not in ("state", "country", "postcode")
        text = f"{word(n)} and words" if sentence else word(n)
        return text, word(n)
    if kind in ("code", "id"):
        return (FIXED[kind], "") if element.codes and tables.codes_of(element.codes) else (word(n), word(n))
    if kind in ("uri", "url", "canonical"):
        return f"http://hl7.org/{word(n)}", word(n)
    if kind == "date":
        text = (date(1900, 1, 1) + timedelta(days=n % 36000)).isoformat()
        return text, text
    if kind in ("dateTime", "instant"):
        text = f"2001-02-03T04:05:06.{n:07d}Z"
        return text, text[5:]
    if kind == "time":
        return f"04:05:06.{n:07d}", f"04:05:06.{n:07d}"
    if kind == "decimal":
        return float(f"0.9{n:06d}1"), f"0.9{n:06d}1"
    if kind in elements.INTEGERS:
        return 4_000_000 + n, str(4_000_000 + n)
    if kind == "base64Binary":
        return base64.b64encode(word(n).encode() + b"A").decode(), base64.b64encode(
            word(n).encode() + b"A"
        ).decode()
    if kind == "xhtml":
        return f'<div xmlns="http://www.w3.org/1999/xhtml">{word(n)}</div>', word(n)
    return FIXED[kind], ""


def minimal(element: Element) -> Any:
    """Give the smallest valid value of an element."""
    kind = element.kind
    if kind == "code" and element.codes and tables.codes_of(element.codes):
        return min(tables.codes_of(element.codes))
    if kind == "Reference":
        return {"reference": f"{min(element.targets, default='Patient')}/x1"}
    if kind in ("CodeableConcept", "Coding") and element.codes:
        systems = {system: codes for system, codes in tables.systems_of(element.codes).items() if codes}
        if systems:
            system = min(systems)
            coding = {"system": system, "code": min(systems[system])}
            return {"coding": [coding]} if kind == "CodeableConcept" else coding
    if kind in FIXED:
        return copy.deepcopy(FIXED[kind])
    made = {}
    for key, child in required(element).items():
        made[key] = [minimal(child)] if child.many else minimal(child)
    return made | copy.deepcopy(EXTRA.get(".".join(filter(None, element.within)), {}))


def required(element: Element) -> dict[str, Element]:
    """Give what must stand in an element: of a choice the first."""
    kind, above = element.within if element.within[0] else (element.kind, "")
    start = f"{above}." if above else ""
    children = elements.children(element)
    found = {}
    for row in tables.elements_of(kind):
        name = row.path.removeprefix(start)
        if row.path.startswith(start) and "." not in name and row.count in ("1", "+"):
            key = name
            if name.endswith("[x]"):
                head = row.kinds[0].partition("(")[0].replace("SimpleQuantity", "Quantity")
                key = name[:-3] + head[:1].upper() + head[1:]
            found[key] = children[key]
    return found


def chains(
    element: Element, above: frozenset[object] = frozenset()
) -> Iterator[tuple[tuple[str, Element], ...]]:
    """Give the way to every primitive of an element, its keys and elements; each type only once on a way."""
    for key, child in elements.children(element).items():
        if key in ("resourceType", "contained", "modifierExtension", "implicitRules") or (
            not above and key == "id"
        ):
            continue
        if child.kind == "Extension" or child.kind in elements.PRIMITIVES:
            yield ((key, child),)
            continue
        what = child.within if child.kind == "object" else child.kind
        if child.kind != "Resource" and what not in above:
            for rest in chains(child, above | {what}):
                yield ((key, child), *rest)


def plant(kind: str, chain: tuple[tuple[str, Element], ...], n: int) -> Plant | None:
    """Write the smallest resource of a type with one value more; None where that value cannot be told apart."""
    top = elements.resource(kind)
    resource = {"resourceType": kind, "id": "x0", **minimal(top)}
    key, last = chain[-1]
    if last.kind == "Extension":
        value: Any = {"url": f"http://example.org/{word(n)}", "valueString": word(n)}
        text = word(n)
    elif key == "reference" and len(chain) > 1 and chain[-2][1].kind == "Reference":
        text = f"qz-{n}"
        value = f"{min(chain[-2][1].targets, default='Patient')}/{text}"
    else:
        value, text = planted(last, n)
    if not text:
        return None
    at: dict[str, Any] = resource
    for name, element in chain[:-1]:
        at = _descend(at, name, element)
    _put(at, key, [value] if last.many else value)
    # The choice that stood there before would be one too many.
    cls = class_of(chain, value)
    place = ".".join((kind, *(name for name, _ in chain)))
    return Plant(place, last.kind, cls, last.part, text, resource)


def class_of(chain: tuple[tuple[str, Element], ...], value: Any) -> str:
    """Say which class a planted value has: that of its element, or what it is a part of and judged with."""
    key, last = chain[-1]
    if last.kind == "Extension":
        return "uncatalogued"
    if last.part == "rest" and last.kind == "string" and last.cls == "message.control":
        return last.cls
    for i in range(len(chain) - 2, -1, -1):
        element = chain[i][1]
        if element.kind == "Reference":
            if key == "reference" and i == len(chain) - 2:
                return id_class(value.partition("/")[0])
            if i + 1 < len(chain) and chain[i + 1][0] == "identifier":
                found = target_class(element.targets, min(element.targets, default="Patient"))
                return "order" if found == "message.control" else found
        if (element.kind in JUDGED or element.kind in elements.CODED) and not element.whole:
            if key in ("display", "text", "unit"):
                return "note.text"
            if element.kind in JUDGED:
                return "structure" if key == "code" else _observed(chain) or element.cls
            return element.cls if element.kind != "Coding" or i == 0 else class_of_concept(chain, i)
    return _observed(chain) or last.cls


def _observed(chain: tuple[tuple[str, Element], ...]) -> str:
    """Give the class of what an observation's code decides, where it is a measurement."""
    kinds = [element.kind for _, element in chain[:-1] if element.form == "observed"]
    return "observation.value" if {*kinds} & {"SampledData", "Range", "Ratio"} else ""


def class_of_concept(chain: tuple[tuple[str, Element], ...], i: int) -> str:
    """Give the class of a Coding: that of the concept it stands in."""
    above = chain[i - 1][1]
    return above.cls if above.kind == "CodeableConcept" else chain[i][1].cls


def _descend(at: dict[str, Any], name: str, element: Element) -> dict[str, Any]:
    inner: Any = at.get(name)
    if isinstance(inner, list):
        inner = inner[0]
    if inner is None:
        inner = minimal(element)
        _put(at, name, [inner] if element.many else inner)
    return inner  # type: ignore[no-any-return]  # an object


def _put(at: dict[str, Any], key: str, value: Any) -> None:
    """Put a value, and take away what is of the same choice."""
    for row_key in _same_choice(key):
        at.pop(row_key, None)
    at[key] = value


def _same_choice(key: str) -> list[str]:
    for kind in sorted(tables.data_types() | elements.PRIMITIVES, key=len, reverse=True):
        word_of = kind[:1].upper() + kind[1:]
        if key.endswith(word_of) and key != word_of:
            stem = key.removesuffix(word_of)
            return [stem + k[:1].upper() + k[1:] for k in tables.data_types() | elements.PRIMITIVES if k]
    return []


def plants(kind: str, start: int = 0) -> list[Plant]:
    """Plant every element of a resource type, one resource each; what only qualifies one, once for each type."""
    found = []
    seen: set[object] = set()
    for n, chain in enumerate(chains(elements.resource(kind)), start):
        if chain[0][0] in ("meta", "text") and kind != "Observation":
            continue  # the same in every type
        alike = _alike(chain)
        if alike in seen:
            continue
        seen.add(alike)
        made = plant(kind, chain, n)
        if made is not None:
            found.append(made)
    return found


def _alike(chain: tuple[tuple[str, Element], ...]) -> object:
    """Give what makes a planted value another than those before: its way, or that of what it qualifies."""
    key, last = chain[-1]
    data = next((i for i, (_, element) in enumerate(chain) if element.kind != "object"), len(chain) - 1)
    if last.kind != "Extension" and last.part != "rest" and len(chain) - data < 4:
        return tuple(name for name, _ in chain)
    return chain[data][1].cls, *((element.kind, name) for name, element in chain[data + 1 :]), key
