"""Units: OBX-6 to the unit of a Quantity, each way.

Rules:
- A unit of ISO/IEEE 11073-10101 becomes its UCUM code, so that vital signs carry the unit FHIR asks for; the code
  itself stays in ``DeviceMetric.unit``, or beside the quantity where there is no metric.
- A bare unit is UCUM only when it is spelled as one of the table; else it is text for people.

Deliberately absent: conversion of values; UCUM's grammar.

Source: HL7 v2-to-FHIR IG, CWE[Quantity]; IHE PCD TF-2 Appendix B.8 (OBX-6); ISO/IEEE 11073-10101; UCUM.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

from oathward.core import code_systems
from oathward.protocols.v2fhir import tables
from oathward.protocols.v2fhir.codes import Concept, alternate, alternate_of, concept, concept_back
from oathward.protocols.v2fhir.reading import NULL, Reading

UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
PREFIXES = {
    0: "", 1: "da", 2: "h", 3: "k", 4: "M", 5: "G", 6: "T", 16: "d", 17: "c", 18: "m", 19: "u", 20: "n", 21: "p", 22: "f",
}  # fmt: skip
_PARTITION = 4 * 65536
_REMEMBERED_MAX = 1024
_REMEMBERED_BYTES_MAX = 64


class Unit(NamedTuple):
    """What OBX-6 says.

    ``quantity``: the parts of a Quantity besides its value. ``concept``: all of it. ``exact``: the first says all.
    """

    quantity: dict[str, Any]
    concept: Concept | None
    exact: bool


NONE = Unit({}, None, exact=True)
_known: dict[bytes, Unit] = {}


@cache
def _bases() -> dict[int, str]:
    return {int(base): ucum for base, ucum in tables.rows("units.tsv", 2)}


def ucum_of(code: str) -> str:
    """Give the UCUM code of a unit of ISO/IEEE 11073-10101; empty where the table has none."""
    return _ucum(code) if code.isascii() and code.isdigit() and len(code) < 8 else ""


@lru_cache(maxsize=4_096)
def _ucum(code: str) -> str:
    base, prefix = divmod(int(code) - _PARTITION, 32)
    ucum = _bases().get(base * 32, "")
    if ucum == "%%":
        return "" if prefix else "%"
    if not ucum or prefix not in PREFIXES or (prefix and "%" not in ucum):
        return ""
    return ucum.replace("%", PREFIXES[prefix])


@cache
def spelled() -> frozenset[str]:
    """List every UCUM code that the table can give."""
    return frozenset(
        ucum for base in _bases() for prefix in PREFIXES if (ucum := ucum_of(str(_PARTITION + base + prefix)))
    )


def unit_of(raw: bytes, r: Reading) -> Unit:
    """Read OBX-6."""
    found = _known.get(raw) if r.plain else None
    if found is not None:
        return found
    if not raw or raw == NULL:
        return NONE
    whole = concept(raw, r)
    if whole is None:
        return NONE
    quantity = _quantity((whole.get("coding") or [{"display": whole.get("text", "")}])[0])
    found = Unit(quantity, whole, _says_all(quantity, whole))
    if r.plain and len(raw) <= _REMEMBERED_BYTES_MAX and raw.isascii() and quantity.get("system") == UCUM:
        if len(_known) > _REMEMBERED_MAX:
            _known.clear()
        _known[raw] = found
    return found


def _quantity(coding: dict[str, Any]) -> dict[str, Any]:
    code, display, system = coding.get("code", ""), coding.get("display", ""), coding.get("system", "")
    if system == MDC and (ucum := ucum_of(code)):
        return {"unit": ucum, "system": UCUM, "code": ucum}
    if code and not system and code in spelled():
        system = UCUM
    if code and system:
        return {"unit": display or code, "system": system, "code": code}
    return {"unit": display or code} if display or code else {}


def _says_all(quantity: dict[str, Any], whole: Concept) -> bool:
    told, asked = quantity_back(quantity), concept_back(whole)
    if "3" not in asked and told.get("3") == "UCUM":
        del told["3"]
    return told == asked


def with_unit(quantity: dict[str, Any], unit: Unit, *, metric: bool) -> dict[str, Any]:
    """Put a unit to a value; what the quantity cannot say stands beside it, unless a metric says it."""
    if not unit.exact and not metric and unit.concept:
        return {"extension": [alternate(unit.concept)], **quantity, **unit.quantity}
    return {**quantity, **unit.quantity}


def quantity_back(quantity: dict[str, Any]) -> dict[str, str]:
    """Give the components of OBX-6 again."""
    if other := alternate_of(quantity.get("extension")):
        return concept_back(other)
    unit, code, system = quantity.get("unit", ""), quantity.get("code", ""), quantity.get("system", "")
    if not code:
        return {"1": unit} if unit else {}
    result = {"1": code, "3": code_systems.name_of(system) or system}
    if unit and unit != code:
        result["2"] = unit
    return result
