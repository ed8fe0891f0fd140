"""``value[x]`` to OBX-2, OBX-5 and OBX-6 again.

Rules:
- What the element and its extensions say, and nothing else; an encoded field beside a value is read as it was.

Deliberately absent: values that ``values`` does not make.

Source: ``values``, from right to left.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from oathward.protocols.hl7v2.escapes import unescape
from oathward.protocols.v2fhir.codes import concept_back
from oathward.protocols.v2fhir.paths import Extensions
from oathward.protocols.v2fhir.primitives import KINDS, original_of
from oathward.protocols.v2fhir.units import quantity_back
from oathward.protocols.v2fhir.values import LINED

Parts = dict[str, str]


class Field(NamedTuple):
    """OBX-5 again: the OBX-2 its element stands for, its repetitions, and OBX-6."""

    datatype: str
    repetitions: list[Parts]
    unit: Parts


USUAL = {
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
"""Element -> the OBX-2 it stands for, where no extension says another."""


def usual(element: str, json: Any) -> str:
    """Say which OBX-2 an element stands for."""
    if element == "valueQuantity" and "comparator" in json:
        return "SN"
    if element == "valueAttachment" and "url" in json:
        return "RP"
    return USUAL[element]


def decoded(text: str) -> Parts:
    """Read a repetition that ``values.encoded`` wrote."""
    return {
        f"{n}.{m}": unescape(sub)
        for n, part in enumerate(text.split("^"), 1)
        for m, sub in enumerate(part.split("&"), 1)
    }


def backward(element: str, json: Any, beside: Extensions, datatype: str) -> Field:
    """Give one value again; ``datatype``: what OBX-2 was."""
    if element == "valueString":
        return _string(json, beside, datatype)
    if element == "valueQuantity":
        return _quantity(json, datatype)
    if element in {"valueRange", "valueRatio"}:
        return _pair(element, json, datatype)
    if element == "valueSampledData":
        samples = [sample if sample != "E" else "" for sample in json["data"].split(" ")]
        parts = {str(i): sample for i, sample in enumerate(samples, 1)}
        return Field(datatype, [parts], quantity_back(json["origin"]))
    if element == "valueAttachment":
        return Field(datatype, [_attachment(json)], {})
    return Field(datatype, [_simple(element, json, beside)], {})


def _string(json: Any, beside: Extensions, datatype: str) -> Field:
    if LINED in (beside or ()):
        return Field(datatype, [{"": line} for line in json.split("\n")], {})
    text = original_of(beside)
    return Field(datatype, [decoded(text) if text else {"": json}], {})


def _quantity(json: Any, datatype: str) -> Field:
    text = original_of(json.get("extension")) or str(json["value"])
    if datatype == "SN":
        return Field(datatype, [{"1": json.get("comparator", ""), "2": text}], quantity_back(json))
    return Field(datatype, [{"": text}], quantity_back(json))


def _pair(element: str, json: Any, datatype: str) -> Field:
    low, high = ("low", "high") if element == "valueRange" else ("numerator", "denominator")
    one, two = str(json[low]["value"]), str(json[high]["value"])
    if datatype == "NR":
        parts = {"1": one, "2": two}
    else:
        parts = {"2": one, "3": "-" if element == "valueRange" else ":", "4": two}
    return Field(datatype, [parts], quantity_back(json[low]))


def _simple(element: str, json: Any, beside: Extensions) -> Parts:
    if element == "valueCodeableConcept":
        return concept_back(json)
    if element == "valueDateTime":
        return KINDS["DTM"].backward(json, beside)
    if element == "valueTime":
        return {"": original_of(beside) or json.replace(":", "")}
    return {
        place: KINDS["DTM"].backward(json[name], None)[""]
        for place, name in (("1", "start"), ("2", "end"))
        if name in json
    }


def _attachment(json: Any) -> Parts:
    parts = decoded(original_of(json["extension"]))
    if "data" in json:
        encoding = parts.get("4.1", "").lower()
        plain = base64.b64decode(json["data"])
        if encoding == "base64":
            parts["5"] = json["data"]
        else:
            parts["5"] = plain.hex() if encoding == "hex" else plain.decode("utf-8", "replace")
    return parts
