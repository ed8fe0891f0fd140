"""OBX-5 by OBX-2: what was observed, as ``value[x]``, each way.

Rules:
- A value keeps its digits and its precision. What FHIR has no type for becomes text, which a person can read; the
  loss list says which types come back as another.
- Several repetitions of text are its lines; of anything else, components with the observation's own code.
- A structured number is a Quantity, a Range or a Ratio where its parts say so and nothing else; else text.

Deliberately absent: limits of plausibility; a look at OBX-3.

Source: HL7 v2-to-FHIR IG, OBX[Observation] (OBX-5, OBX-6), SN[Quantity], SN[Range], SN[Ratio], NA[SampledData],
ED[Attachment], RP[Attachment]; FHIR R4 §10.1 (Observation), §2.24.0.16 (SampledData).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

from orjson import Fragment

from oathward.protocols.v2fhir.codes import concept, concept_back
from oathward.protocols.v2fhir.paths import Extensions
from oathward.protocols.v2fhir.primitives import (
    KINDS,
    clock,
    decimal,
    number,
    original_of,
    simple,
    string,
    time_forward,
)
from oathward.protocols.v2fhir.reading import Reading
from oathward.protocols.v2fhir.units import NONE, Unit, quantity_back, with_unit


class Value(NamedTuple):
    """One value: the element, its JSON, what stands beside it."""

    element: str
    json: Any
    beside: Extensions = None


class Setting(NamedTuple):
    """What a value needs to know besides itself.

    ``metric``: a DeviceMetric holds the unit. ``period_ms``: time between samples, None where nobody says.
    """

    unit: Unit = NONE
    metric: bool = False
    period_ms: Fragment | None = None


COMPARATORS = frozenset(("<", "<=", ">", ">="))
_TOP = frozenset(("application", "audio", "image", "text", "video", "multipart", "model"))


def _parts(raw: bytes, r: Reading) -> list[str]:
    return [r.text(part) if part else "" for part in raw.split(r.component)]


def _text(raw: bytes, r: Reading, _: Setting) -> Value | None:
    text = string(r.text(raw))
    return Value("valueString", text) if text else None


def _words(raw: bytes, r: Reading, _: Setting) -> Value | None:
    """Write what FHIR has no type for, its parts one after another."""
    text = string(" ".join(part for part in _parts(raw.replace(r.sub, b" "), r) if part))
    return Value("valueString", text) if text else None


def _number(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    value = decimal(r.text(raw))
    if value is None:
        return _text(raw, r, setting)
    return Value("valueQuantity", with_unit({"value": value}, setting.unit, metric=setting.metric))


def _structured(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    comparator, one, separator, two = (*_parts(raw, r), "", "", "", "")[:4]
    first, second = (number(text) if text else None for text in (one, two))
    plain = number(one) == one and (not two or number(two) == two) and raw.count(r.component) < 4

    def quantity(value: str, **more: Any) -> dict[str, Any]:
        return with_unit({"value": Fragment(value.encode()), **more}, setting.unit, metric=setting.metric)

    if plain and first and not separator and not two and (not comparator or comparator in COMPARATORS):
        more = {"comparator": comparator} if comparator else {}
        return Value("valueQuantity", quantity(first, **more))
    if plain and first and second and not comparator and separator == "-":
        return Value("valueRange", {"low": quantity(first), "high": quantity(second)})
    if plain and first and second and not comparator and separator == ":":
        return Value("valueRatio", {"numerator": quantity(first), "denominator": quantity(second)})
    return _words(raw, r, setting)


def _range(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    low, high = (*_parts(raw, r), "")[:2]
    if raw.count(r.component) > 1 or number(low) != low or number(high) != high:
        return _words(raw, r, setting)
    found = {
        name: with_unit({"value": decimal(text)}, setting.unit, metric=setting.metric)
        for name, text in (("low", low), ("high", high))
    }
    return Value("valueRange", found)


def _coded(raw: bytes, r: Reading, _: Setting) -> Value | None:
    found = concept(raw, r)
    return Value("valueCodeableConcept", found) if found else None


def _time(raw: bytes, r: Reading, _: Setting) -> Value | None:
    value, beside = time_forward(raw, r)
    return Value("valueDateTime", value, beside) if value or beside else None


_CLOCK = simple(clock, lambda value: value.replace(":", ""))


def _clock(raw: bytes, r: Reading, _: Setting) -> Value | None:
    value, beside = _CLOCK.forward(raw, r)
    return Value("valueTime", value, beside) if value or beside else None


def _period(raw: bytes, r: Reading, _: Setting) -> Value | None:
    found: dict[str, Any] = {}
    for name, part in zip(("start", "end"), raw.split(r.component), strict=False):
        value, beside = time_forward(part, r) if part else (None, None)
        if value:
            found[name] = value
        if beside:
            found[f"_{name}"] = {"extension": beside}
    return Value("valuePeriod", found) if found else None


def _samples(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    samples = [part.strip() for part in raw.decode("ascii", "replace").split(r.component.decode())]
    if any(number(sample) is None for sample in samples if sample):
        return _words(raw, r, setting)
    found: dict[str, Any] = {"origin": with_unit({"value": 0}, setting.unit, metric=setting.metric)}
    if setting.period_ms is None:
        found["_period"] = {"extension": [_UNKNOWN]}
    else:
        found["period"] = setting.period_ms
    found["dimensions"] = 1
    found["data"] = " ".join(sample or "E" for sample in samples)
    return Value("valueSampledData", found)


_UNKNOWN = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


def _attachment(raw: bytes, r: Reading, _: Setting) -> Value | None:
    _source, type_, subtype, encoding, data = (*_parts(raw, r), "", "", "", "", "")[:5]
    if not data:
        return None
    found = _content_type(type_, subtype)
    if encoding.lower() == "base64":
        try:
            base64.b64decode(data, validate=True)
        except binascii.Error:
            return Value("valueString", string(data))
        found["data"] = data
    else:
        plain = bytes.fromhex(data) if encoding.lower() == "hex" and _is_hex(data) else data.encode()
        found["data"] = base64.b64encode(plain).decode()
    return Value("valueAttachment", found)


def _is_hex(data: str) -> bool:
    return len(data) % 2 == 0 and all(char in "0123456789abcdefABCDEF" for char in data)


def _content_type(type_: str, subtype: str) -> dict[str, Any]:
    if type_.lower() in _TOP and subtype and " " not in subtype:
        return {"contentType": f"{type_.lower()}/{subtype.lower()}"}
    words = string(f"{type_} {subtype}".strip())
    return {"title": words} if words else {}


def _pointer(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    pointer, _application, type_, subtype = (*_parts(raw, r), "", "", "", "")[:4]
    if not pointer or any(char.isspace() for char in pointer):
        return _words(raw, r, setting)
    return Value("valueAttachment", {**_content_type(type_, subtype), "url": pointer})


FORWARD: dict[bytes, Callable[[bytes, Reading, Setting], Value | None]] = {
    b"NM": _number,
    b"SI": _number,
    b"SN": _structured,
    b"NR": _range,
    **dict.fromkeys((b"ST", b"TX", b"FT"), _text),
    **dict.fromkeys((b"CE", b"CWE", b"CNE", b"CF", b"IS", b"ID"), _coded),
    **dict.fromkeys((b"TS", b"DTM", b"DT"), _time),
    b"TM": _clock,
    b"DR": _period,
    b"NA": _samples,
    b"ED": _attachment,
    b"RP": _pointer,
}
"""OBX-2 -> how its value is mapped; any other type becomes text (``_words``)."""

LINES = frozenset((b"ST", b"TX", b"FT"))
BACK_TYPES = {
    "valueQuantity": "NM",
    "valueRange": "SN",
    "valueRatio": "SN",
    "valueString": "ST",
    "valueCodeableConcept": "CWE",
    "valueDateTime": "DTM",
    "valueTime": "TM",
    "valuePeriod": "DR",
    "valueSampledData": "NA",
    "valueAttachment": "ED",
}
"""Element -> the OBX-2 that comes back; SN for a quantity with a comparator, RP for an attachment with a URL."""


def forward(datatype: bytes, raw: bytes, r: Reading, setting: Setting) -> list[Value]:
    """Map all of OBX-5."""
    if datatype in LINES:
        if r.repetition not in raw:
            value = _text(raw, r, setting)
        else:
            text = string("\n".join(r.text(piece) for piece in raw.split(r.repetition)))
            value = Value("valueString", text) if text else None
        return [value] if value else []
    make = FORWARD.get(datatype, _words)
    if r.repetition not in raw:
        value = make(raw, r, setting)
        return [value] if value else []
    return [value for piece in raw.split(r.repetition) if piece and (value := make(piece, r, setting))]


def backward(element: str, json: Any, beside: Extensions) -> tuple[str, dict[str, str], dict[str, str]]:
    """Give OBX-2, the components of one repetition of OBX-5, and those of OBX-6."""
    datatype = BACK_TYPES[element]
    if element == "valueQuantity":
        comparator = json.get("comparator", "")
        unit = quantity_back(json)
        if comparator:
            return "SN", {"1": comparator, "2": str(json["value"])}, unit
        return "NM", {"": str(json["value"])}, unit
    if element in {"valueRange", "valueRatio"}:
        low, high = ("low", "high") if element == "valueRange" else ("numerator", "denominator")
        sign = "-" if element == "valueRange" else ":"
        value = {"2": str(json[low]["value"]), "3": sign, "4": str(json[high]["value"])}
        return datatype, value, quantity_back(json[low])
    if element == "valueSampledData":
        samples = [sample if sample != "E" else "" for sample in json["data"].split(" ")]
        return (
            datatype,
            {str(i): sample for i, sample in enumerate(samples, 1)},
            quantity_back(json["origin"]),
        )
    return _other_back(element, json, beside)


def _other_back(element: str, json: Any, beside: Extensions) -> tuple[str, dict[str, str], dict[str, str]]:
    datatype = BACK_TYPES[element]
    if element == "valueCodeableConcept":
        return datatype, concept_back(json), {}
    if element == "valueDateTime":
        return datatype, KINDS["DTM"].backward(json, beside), {}
    if element == "valueTime":
        return datatype, {"": original_of(beside) or json.replace(":", "")}, {}
    if element == "valuePeriod":
        value = {}
        for place, name in (("1", "start"), ("2", "end")):
            other = (json.get(f"_{name}") or {}).get("extension")
            if name in json or other:
                value[place] = KINDS["DTM"].backward(json.get(name, ""), other)[""]
        return datatype, value, {}
    if element == "valueAttachment":
        return _attachment_back(json)
    return datatype, {"": json}, {}


def _attachment_back(json: Any) -> tuple[str, dict[str, str], dict[str, str]]:
    type_, _, subtype = json.get("contentType", "").partition("/")
    if "url" in json:
        return "RP", {"1": json["url"], "3": type_, "4": subtype}, {}
    return "ED", {"2": type_, "3": subtype, "4": "Base64", "5": json["data"]}, {}
