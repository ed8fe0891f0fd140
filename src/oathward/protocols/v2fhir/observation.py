"""OBX to Observation, or to the Device a row stands for.

Rules:
- A row with a value, or with a code and no containment, is an Observation: status by OBX-11, time by OBX-14, else by
  OBR-7 and OBR-8; without a value it says why.
- What an alert says is the device's, and no metric's (``alerts``).
- Fields beyond those of every row are mapped by ``segments.tsv``.

Deliberately absent: any judgement of the value.

Source: HL7 v2-to-FHIR IG, OBX[Observation]; HL7 PoCD IG, "IHE PCD-01 mapping"; FHIR R4 §10.1 (obs-6, obs-7).
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from orjson import Fragment

from oathward.protocols.v2fhir import flags, tables, values
from oathward.protocols.v2fhir.codes import Concept, concept
from oathward.protocols.v2fhir.devices import Devices, Place, attributes, place_of
from oathward.protocols.v2fhir.engine import fill
from oathward.protocols.v2fhir.paths import absent
from oathward.protocols.v2fhir.primitives import decimal, first, number, string, time_forward
from oathward.protocols.v2fhir.reading import NULL, Reading
from oathward.protocols.v2fhir.units import NONE, Unit, unit_of
from oathward.protocols.v2fhir.values import Setting, Value
from oathward.protocols.v2fhir.values_back import usual

SUB_ID = tables.extensions()["observation-v2-subid"]
VALUE = tables.extensions()["observation-value"]
SUB_ID_PARTS = (
    ("original-sub-identifier", "valueString"),
    ("group", "valueDecimal"),
    ("sequence", "valueDecimal"),
    ("identifier", "valueString"),
)
"""Components of OG and where they stand."""
VALUE_TYPE = tables.extensions()["value-type"]
UNIT = tables.extensions()["unit"]
ALARM_LIMITS = {
    "coding": [
        {"system": "http://hl7.org/fhir/uv/pocd/CodeSystem/reference-range-type", "code": "alarm-limits"}
    ]
}
UNCODED: Concept = {"extension": [absent()]}

_MEASURED = frozenset(("valueQuantity", "valueRange", "valueRatio", "valueSampledData"))
_USUAL = {"valueQuantity": b"NM", "valueString": b"ST", "valueCodeableConcept": b"CWE"}
_FIELDS = 32
_ONCE = (2, 3, 4, 6, 7, 11, 14, 18)
"""Fields of which the first repetition counts."""
_LIMITS = re.compile(r"([0-9]+(?:\.[0-9]+)?)-([0-9]+(?:\.[0-9]+)?)").fullmatch
_MS = {"ms": 1.0, "us": 0.001, "s": 1000.0}


class Scope:
    """What an OBX inherits: the patient, the visit, the report with its time, the devices so far."""

    __slots__ = ("alert", "alerts", "devices", "periods", "report", "shared", "tails", "time")

    def __init__(self, *, alerts: bool = False) -> None:
        self.alerts = alerts
        """Whether rows are alerts of a device, and no measurements."""
        self.alert: tuple[list[bytes], dict[str, Any]] | None = None
        """The row of the last alert, and its Observation."""
        self.devices = Devices()
        self.shared: dict[str, Any] = {}
        """``subject`` and ``encounter``, as they stand in every resource."""
        self.report: dict[str, Any] | None = None
        self.time: dict[str, Any] = {}
        """``effectiveDateTime`` or ``effectivePeriod`` of the report."""
        self.periods: dict[Place, Fragment] | None = None
        self.tails: dict[bytes, bytes | None] = {}

    def tail(self, raw: bytes, r: Reading) -> bytes | None:
        """Give what a row inherits, and its OBX-14, as JSON behind a comma; None where that time is no plain value."""
        try:
            return self.tails[raw]
        except KeyError:
            found = self.tails[raw] = self._tail(raw, r)
            return found

    def _tail(self, raw: bytes, r: Reading) -> bytes | None:
        whole = {**self.shared, **self.time}
        if raw and raw != NULL:
            value, beside = time_forward(raw, r)
            if beside or value is None:
                return None
            whole = {**self.shared, "effectiveDateTime": value}
        return b"," + orjson.dumps(whole)[1:-1] if whole else b""

    def changed(self) -> None:
        """Forget what was made of the patient, the visit and the time."""
        self.tails.clear()


def add_row(fields: list[bytes], r: Reading, scope: Scope) -> dict[str, Any] | None:
    """Map one OBX; give the Observation, or None for a row that is a Device."""
    count = len(fields)
    fields += [b""] * (_FIELDS - count)
    for n in _ONCE:
        if r.repetition in fields[n]:
            fields[n] = fields[n].partition(r.repetition)[0]
    code = concept(fields[3], r) if fields[3] else None
    place = place_of(fields[4], code)
    value = fields[5] if fields[5] != NULL else b""
    if place and place[3:] == (b"0",) and not fields[2] and not value:
        scope.devices.add_device(place, code, fields[18], r)
        return None
    unit = unit_of(fields[6], r) if fields[6] else NONE
    row: dict[str, Any] = {}
    metric = place is not None and not scope.alerts
    if metric and place and code and not _describes(code):
        row["device"] = {
            "reference": scope.devices.metric(place, code, unit.concept, fields[17], fields[18], r)
        }
    else:
        source = scope.devices.source(scope.devices.nearest(place) if place else None, fields[18], r)
        if source:
            row["device"] = {"reference": source.reference}
    _status(row, fields, r, has_value=bool(value))
    row["code"] = code or UNCODED
    row.update(scope.shared)
    _time(row, fields[14], r, scope)
    said(row, fields, value, r, _setting(fields, unit, place, r, scope, metric=metric))
    if fields[7] and fields[7] != NULL:
        limits_of(row, fields[7], unit, place, r)
    if fields[4] and fields[4] != NULL:
        sub_id(row, fields[4], r)
    if count > 10:
        fill(row, fields, "OBX", "Observation", r)
    if scope.report is not None:
        scope.report.setdefault("result", []).append({"reference": f"Observation/{r.made_up()}"})
    r.entries.append(("Observation", r.made_up(), row))
    return row


def sub_id(row: dict[str, Any], raw: bytes, r: Reading) -> None:
    """Write OBX-4."""
    inner: list[dict[str, Any]] = []
    for (url, element), part in zip(SUB_ID_PARTS, raw.split(r.component), strict=False):
        if part and (text := string(r.text(part.partition(r.sub)[0]))):
            exact = element == "valueDecimal" and number(text) == text
            inner.append({"url": url, element: decimal(text)} if exact else {"url": url, "valueString": text})
    if inner:
        row.setdefault("extension", []).append({"url": SUB_ID, "extension": inner})


def _describes(code: Concept) -> bool:
    known = attributes()
    return any(coding.get("display") in known for coding in code.get("coding", ()))


def _status(row: dict[str, Any], fields: list[bytes], r: Reading, *, has_value: bool) -> None:
    row["status"], beside = flags.status(fields[11], r)
    if beside:
        row["_status"] = {"extension": beside}
    found: list[str] = []
    if fields[8] and fields[8] != NULL:
        concepts, found = flags.interpretation(fields[8], r)
        if concepts:
            row["interpretation"] = concepts
        if labels := flags.labels(found):
            row["meta"] = {"security": labels}
    if not has_value:
        row["dataAbsentReason"] = flags.why_absent(fields[11], found)


def _time(row: dict[str, Any], raw: bytes, r: Reading, scope: Scope) -> None:
    if not raw or raw == NULL:
        row.update(scope.time)
        return
    value, beside = time_forward(raw, r)
    if value:
        row["effectiveDateTime"] = value
    if beside:
        row["_effectiveDateTime"] = {"extension": beside}


def _setting(
    fields: list[bytes], unit: Unit, place: Place | None, r: Reading, scope: Scope, *, metric: bool
) -> Setting:
    if fields[2] != b"NA":
        return Setting(unit, metric=metric)
    if scope.periods is None:
        scope.periods = _periods(r)
    return Setting(unit, metric=metric, period_ms=scope.periods.get(place[:4]) if place else None)


def _periods(r: Reading) -> dict[Place, Fragment]:
    """Find the time between samples that rows of the message say, by the place of their metric."""
    found: dict[Place, Fragment] = {}
    for segment in r.message.named(b"OBX"):
        fields = [*r.message.fields(segment), b"", b"", b"", b""]
        rate = b"MDC_ATTR_SAMP_RATE" in fields[3]
        text = number(r.text(fields[5])) if rate or b"MDC_ATTR_TIME_PD_SAMP" in fields[3] else None
        if text is None or float(text) <= 0:
            continue
        ms = (
            1000 / float(text)
            if rate
            else float(text) * _MS.get(unit_of(fields[6], r).quantity.get("code", ""), 0)
        )
        if ms:
            found[tuple(fields[4].split(b"."))[:4]] = Fragment(f"{ms:.6f}".rstrip("0").rstrip(".").encode())
    return found


def said(row: dict[str, Any], fields: list[bytes], value: bytes, r: Reading, setting: Setting) -> None:
    """Write OBX-2 and OBX-5 into an Observation or one of its components."""
    found = values.forward(fields[2], value, r, setting) if value else []
    told = (
        r.text(fields[2]).strip()
        if fields[2] and (not found or fields[2] != _USUAL.get(found[0].element))
        else ""
    )
    if told and not (found and told == usual(found[0].element, found[0].json)):
        row.setdefault("extension", []).append({"url": VALUE_TYPE, "valueString": told})
    measured = found and found[0].element in _MEASURED
    if setting.unit.concept and not setting.metric and not measured:
        row.setdefault("extension", []).append({"url": UNIT, "valueCodeableConcept": setting.unit.concept})
    if not found:
        row.setdefault("dataAbsentReason", flags.why_absent(fields[11], []))
        return
    if len(found) == 1:
        _put(row, found[0])
    else:
        row["component"] = [_component(row["code"], one) for one in found]


def _component(code: Concept, value: Value) -> dict[str, Any]:
    component: dict[str, Any] = {"code": code}
    _put(component, value)
    return component


def _put(row: dict[str, Any], value: Value) -> None:
    if value.element == "valueAttachment":
        row.setdefault("extension", []).append({"url": VALUE, "valueAttachment": value.json})
        return
    if value.json is not None:
        row[value.element] = value.json
    if value.beside:
        row[f"_{value.element}"] = {"extension": value.beside}


def limits_of(row: dict[str, Any], raw: bytes, unit: Unit, place: Place | None, r: Reading) -> None:
    """Write OBX-7."""
    text = first(raw, r)
    if not text.strip():
        return
    found: dict[str, Any] = {"text": text}
    limits = _LIMITS(text)
    if limits and unit.quantity and float(limits[1]) <= float(limits[2]):
        low, high = (Fragment((number(limits[n]) or "0").encode()) for n in (1, 2))
        found = {
            "low": {"value": low, **unit.quantity},
            "high": {"value": high, **unit.quantity},
            "text": text,
        }
    if place:
        found["type"] = ALARM_LIMITS
    row["referenceRange"] = [found]
