"""Coded values: CWE and its kin to CodeableConcept, codes of HL7 tables to codes of FHIR, each way.

Rules:
- A code that both sides have is translated by ``codes.tsv``. In a CodeableConcept the HL7 code stands beside its
  translation; where FHIR has room for one code only, and more than one HL7 code becomes it, the extension
  ``alternate-codes`` holds the HL7 code.
- A bare code of a field with a table is a code of that table. A coding system nobody knows keeps its name in
  ``urn:oathward:v2-0396:``, so that it is never mistaken for another.
- Only short codes of standard systems are remembered.

Deliberately absent: components 14 and later of CWE (``losses.tsv``).

Source: HL7 v2-to-FHIR IG, datatype maps CWE[CodeableConcept], CWE[Coding], CWE[code]; HL7 v2.8.2 §2A.3.13 (CWE).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from oathward.core import code_systems
from oathward.core.code_systems import HL7_TABLES
from oathward.protocols.v2fhir import tables
from oathward.protocols.v2fhir.paths import FIELD, Extensions
from oathward.protocols.v2fhir.primitives import Kind, code, string
from oathward.protocols.v2fhir.reading import Reading

ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
LOCAL = "urn:oathward:v2-0396:"
TRIPLETS = ((0, 6), (3, 7), (9, 12))
"""Places of code, text and system (three in a row) in CWE, and of the version that goes with them."""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){2,}").fullmatch
_SAFE = re.compile(r"[^A-Za-z0-9._~-]")
_QUOTED = re.compile(r"(?:%[0-9A-F]{2})+")
_REMEMBERED_MAX = 4096
_REMEMBERED_BYTES_MAX = 96
_SHORT = 3
"""Letters of a bare code that is remembered."""
_STANDARD = (b"^MDC", b"^LN", b"^SCT", b"^UCUM")

Concept = dict[str, Any]
_known: dict[tuple[bytes, str], Concept | None] = {}


def quoted(text: str) -> str:
    """Write a text so that it can stand in a URI."""
    return _SAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)


def unquoted(text: str) -> str:
    """Read it again."""
    return _QUOTED.sub(lambda match: bytes.fromhex(match[0].replace("%", "")).decode(), text)


def uri_of(name: str, table: str = "") -> str:
    """Give the URI of a coding system as a field names it; of its own table where it names none."""
    if not name:
        return f"{HL7_TABLES}{table}" if table else ""
    if uri := code_systems.uri_of(name):
        return uri
    if _OID(name):
        return f"urn:oid:{name}"
    return (
        name if name.startswith(("urn:", "http://", "https://")) and " " not in name else LOCAL + quoted(name)
    )


def name_of(uri: str, table: str = "") -> str:
    """Give what a field calls the system; nothing for its own table."""
    if uri.startswith(LOCAL):
        return unquoted(uri.removeprefix(LOCAL))
    if table and uri == f"{HL7_TABLES}{table}":
        return ""
    return code_systems.name_of(uri) or uri.removeprefix("urn:oid:")


def concept(raw: bytes, r: Reading, table: str = "") -> Concept | None:
    """Map one CWE, CE, CNE, IS or ID to a CodeableConcept; None for nothing. Never to be changed."""
    standard = len(raw) <= _REMEMBERED_BYTES_MAX and raw.endswith(_STANDARD) and raw.isascii()
    if not (standard or (len(raw) <= _SHORT and raw.isalpha())) or not r.plain:
        return _concept(raw, r, table)
    try:
        return _known[raw, table]
    except KeyError:
        if len(_known) > _REMEMBERED_MAX:
            _known.clear()
        found = _known[raw, table] = _concept(raw, r, table)
        return found


def _concept(raw: bytes, r: Reading, table: str) -> Concept | None:
    parts = [r.text(part.partition(r.sub)[0]) if part else "" for part in raw.split(r.component)]
    if len(parts) == 1:
        parts += ["", ""]
    codings: list[dict[str, Any]] = []
    for at, version in TRIPLETS:
        if found := _coding(parts, at, version, table):
            if TRIPLETS[len(codings)][0] != at:
                found["extension"] = [{"url": FIELD, "valueString": f"CWE.{at + 1}"}]
            codings.append(found)
    result: Concept = {}
    if codings:
        result["coding"] = _translated(codings, table)
    if text := string(parts[8]) if len(parts) > 8 else None:
        result["text"] = text
    return result or None


def _coding(parts: list[str], at: int, version: int, table: str) -> dict[str, Any] | None:
    own = [part.strip() for part in (*parts[at : at + 3], "", "", "")[:3]]
    if not any(own) and not (len(parts) > version and parts[version].strip()):
        return None
    found: dict[str, Any] = {}
    if system := uri_of(own[2], table if own[0] else ""):
        found["system"] = system
    if len(parts) > version and parts[version].strip():
        found["version"] = parts[version]
    if own[0]:
        found["code"] = code(own[0])
    if display := string(parts[at + 1] if at + 1 < len(parts) else ""):
        found["display"] = display
    return found


def _translated(codings: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """Add what the published map says beside the first code of the field's own table."""
    others = tables.forward(table) if table else {}
    for coding in codings if others else ():
        known = others.get(coding.get("code", ""))
        if (
            known
            and coding.get("system") == f"{HL7_TABLES}{table}"
            and known != (coding["code"], coding["system"])
        ):
            return [*codings, {"system": known[1], "code": known[0]}]
    return codings


def concept_back(value: Concept, table: str = "") -> dict[str, str]:
    """Give the components of a CWE; a translation that ``codes.tsv`` added is left out."""
    own, others = f"{HL7_TABLES}{table}", tables.forward(table) if table else {}
    added = {
        others[coding["code"]]
        for coding in value.get("coding", ())
        if coding.get("system") == own and coding.get("code") in others
    } - {(coding.get("code"), own) for coding in value.get("coding", ())}
    result: dict[str, str] = {}
    codings = [
        coding
        for coding in value.get("coding", ())
        if (coding.get("code"), coding.get("system")) not in added
    ]
    for number, coding in enumerate(codings[: len(TRIPLETS)]):
        at, version = _triplet(coding, number)
        name = name_of(coding.get("system", ""), table if coding.get("code") else "")
        for place, text in (
            (at, coding.get("code")),
            (at + 1, coding.get("display")),
            (at + 2, name),
            (version, coding.get("version")),
        ):
            if text:
                result[str(place + 1)] = text
    if "text" in value:
        result["9"] = value["text"]
    return result


def _triplet(coding: dict[str, Any], number: int) -> tuple[int, int]:
    """Say where in CWE a coding stood: in order, unless it says otherwise."""
    for extension in coding.get("extension", ()):
        if extension["url"] == FIELD:
            return next(pair for pair in TRIPLETS if extension["valueString"] == f"CWE.{pair[0] + 1}")
    return TRIPLETS[number]


def alternate(value: Concept) -> dict[str, Any]:
    """Put a code beside one that says less."""
    return {"url": ALTERNATE, "valueCodeableConcept": value}


def alternate_of(beside: Extensions) -> Concept | None:
    """Find the code beside."""
    for extension in beside or ():
        if extension["url"] == ALTERNATE:
            found: Concept = extension["valueCodeableConcept"]
            return found
    return None


@cache
def kind(name: str) -> Kind:
    """Make the kind ``CC:nnnn``, ``CODING:nnnn`` or ``map:nnnn``."""
    family, _, table = name.partition(":")
    return {"CC": _as_concept, "CODING": _as_coding, "map": _as_code}[family](table)


def _as_concept(table: str) -> Kind:
    return Kind(
        lambda raw, r: (concept(raw, r, table), None), lambda value, _: concept_back(value or {}, table)
    )


def _as_code(table: str) -> Kind:
    others, again = tables.forward(table), tables.back(table)

    def forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
        text = r.text(raw)
        known = others.get(text)
        if known and again.get(known[0]) == text:
            return known[0], None
        found = concept(raw, r, table)
        if found is None:
            return None, None
        first = found.get("coding", [{}])[0]
        known = others.get(first.get("code", "")) if first.get("system") == f"{HL7_TABLES}{table}" else None
        return known[0] if known else None, [alternate(found)]

    def backward(value: Any, beside: Extensions) -> dict[str, str]:
        other = alternate_of(beside)
        return concept_back(other, table) if other else {"1": again[value]} if value in again else {}

    return Kind(forward, backward)


def _as_coding(table: str) -> Kind:
    others, again = tables.forward(table), tables.back(table)
    usual = {
        code: {"system": system, "code": other}
        for code, (other, system) in others.items()
        if again[other] == code
    }

    def forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
        text = r.text(raw)
        if text in usual:
            return usual[text], None
        found = concept(raw, r, table)
        if found is None:
            return None, None
        first = found.get("coding", [{}])[0]
        known = others.get(first.get("code", "")) if first.get("system") == f"{HL7_TABLES}{table}" else None
        value = {"system": known[1], "code": known[0]} if known else first
        if _coding_back(value) != concept_back(found, table):
            value = {**value, "extension": [alternate(found)]}
        return value, None

    def _coding_back(value: dict[str, Any]) -> dict[str, str]:
        known = again.get(value.get("code", ""))
        if known and others[known][1] == value.get("system"):
            return {"1": known}
        return concept_back({"coding": [value]}, table)

    def backward(value: Any, _: Extensions) -> dict[str, str]:
        if value.get("system") == NULL_FLAVOR and "extension" not in value:
            return {}
        other = alternate_of(value.get("extension"))
        return concept_back(other, table) if other else _coding_back(value)

    return Kind(forward, backward)
