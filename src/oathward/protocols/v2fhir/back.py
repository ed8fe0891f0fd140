"""A Bundle that ``to_fhir`` made, back to the values of HL7 v2: the proof of what the mapping keeps.

Rules:
- The rows that led there lead back (``engine.values``); what is done by name there is done by name here.
- Values come with their places, as ``leaves`` writes them. What the Bundle says and no field of the message said
  (the unit's system, the equipment of a row below a device) is among them too; ``losses.tsv`` lists it.

Deliberately absent: the writing of messages; Bundles that others made.

Source: the tables, read from right to left.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from oathward.protocols.hl7v2.escapes import unescape
from oathward.protocols.v2fhir import flags, tables, values_back
from oathward.protocols.v2fhir.authorities import equipment_back
from oathward.protocols.v2fhir.bundle import GONE
from oathward.protocols.v2fhir.codes import concept_back
from oathward.protocols.v2fhir.composites import backward, kind_of, location_back
from oathward.protocols.v2fhir.devices import CONTAINMENT
from oathward.protocols.v2fhir.engine import Row
from oathward.protocols.v2fhir.engine import values as found_values
from oathward.protocols.v2fhir.leaves import place
from oathward.protocols.v2fhir.observation import SUB_ID, SUB_ID_PARTS, UNIT, VALUE, VALUE_TYPE
from oathward.protocols.v2fhir.paths import FIELD
from oathward.protocols.v2fhir.primitives import KINDS, Number, original_of
from oathward.protocols.v2fhir.values import LINED

REPORT_NOTE = tables.extensions()["report-note"]

Resource = dict[str, Any]


def from_fhir(bundle: bytes) -> dict[str, str]:
    """Give the values of the message that ``to_fhir`` made this Bundle of, each with its place."""
    whole = json.loads(bundle, parse_float=Number, parse_int=Number)
    return _Back(whole).run()


class _Back:
    """The walk over the entries."""

    def __init__(self, bundle: Resource) -> None:
        self.bundle = bundle
        self.listed = [entry["resource"] for entry in bundle["entry"]]
        self.known = {f"{each['resourceType']}/{each['id']}": each for each in self.listed}
        self.found: dict[str, str] = {}
        self.counts: Counter[str] = Counter()

    def run(self) -> dict[str, str]:
        """Walk over all entries, in their order: it is that of the segments."""
        self._segment("MSH", "Bundle", self.bundle)
        for resource in self.listed:
            step = _STEPS.get(resource["resourceType"])
            if step:
                step(self, resource)
        return {at: text for at, text in self.found.items() if text.strip()}

    def _put(
        self, role: str, occurrence: int, field: int, parts: dict[str, str], repetition: int = 1
    ) -> None:
        for component, text in parts.items():
            if text:
                self.found[place(role, occurrence, field, repetition, component)] = text

    def _segment(self, role: str, kind: str, resource: Resource, occurrence: int = 0) -> None:
        """Give the fields that rows describe."""
        rows = found_values(resource, role, kind)
        if not occurrence and rows:
            self.counts[role] += 1
        for row, repetition, value, beside in rows:
            parts = self._parts(row, value, beside)
            if row.place:
                start = ".".join(str(n) for n in row.place)
                parts = {f"{start}.{place}" if place else start: text for place, text in parts.items()}
            self._put(role, occurrence or self.counts[role], row.field, parts, repetition)

    def _parts(self, row: Row, value: Any, beside: Any) -> dict[str, str]:
        if row.kind in {"XCN", "PL"}:
            resource = self.known.get(value.get("reference", ""), {})
            return backward("XCN", resource) if row.kind == "XCN" else location_back(resource, self.known)
        return kind_of(row.kind).backward(value, beside)

    def patient(self, resource: Resource) -> None:
        """Patient: PID, PD1 and NK1, or the MRG of a merge."""
        if any(link["type"] == "replaced-by" for link in resource.get("link", ())):
            self._segment("MRG", "Patient", resource)
            return
        self._segment("PID", "Patient", resource)
        self._segment("PD1", "Patient", resource)
        for contact in resource.get("contact", ()):
            self.counts["NK1"] += 1
            self._segment("NK1", "Patient.contact", contact, self.counts["NK1"])

    def account(self, resource: Resource) -> None:
        """Account: PID-18."""
        self._segment("PID", "Account", resource, max(self.counts["PID"], 1))

    def encounter(self, resource: Resource) -> None:
        """Encounter: PV1 and PV2, and what MRG said of its number."""
        self._segment("MRG", "Encounter", resource)
        if resource["status"] == GONE:
            return
        now = [each for each in resource.get("identifier", ()) if not _is_before(each)]
        self._segment("PV1", "Encounter", {**resource, "identifier": now})
        self._segment("PV2", "Encounter", resource)

    def diagnostic_report(self, resource: Resource) -> None:
        """DiagnosticReport: OBR and its notes."""
        self.counts["OBR"] += 1
        n = self.counts["OBR"]
        self._segment("OBR", "DiagnosticReport", resource, n)
        self._put("OBR", n, 7, _time_back(resource))
        for extension in resource.get("extension", ()):
            if extension["url"] == REPORT_NOTE:
                self._note("NTE:order", extension["valueAnnotation"])

    def device(self, resource: Resource) -> None:
        """Device: the row of a level, if there was one."""
        at = next((e["valueString"] for e in resource.get("extension", ()) if e["url"] == CONTAINMENT), "")
        if not at:
            return
        role = "OBX:device"
        self.counts[role] += 1
        n = self.counts[role]
        self._put(role, n, 3, concept_back(resource.get("type", {})))
        self._put(role, n, 4, {"": at})
        self._put(role, n, 18, self._equipment(resource))

    def _equipment(self, device: Resource) -> dict[str, str]:
        while device:
            if "identifier" in device:
                return equipment_back(device["identifier"][0])
            device = self.known.get(device.get("parent", {}).get("reference", ""), {})
        return {}

    def observation(self, row: Resource) -> None:
        """Observation: OBX, those of its attributes, and its notes."""
        facets = [each for each in row.get("component", ()) if each["code"] != row["code"]]
        instrument = self.known.get(row.get("device", {}).get("reference", ""), {})
        unit: dict[str, str] | None = None
        if instrument.get("resourceType") == "DeviceMetric":
            unit = concept_back(instrument.get("unit", {}))
            instrument = self.known.get(instrument.get("source", {}).get("reference", ""), {})
        own = {name: value for name, value in row.items() if not facets or name != "component"}
        n = self._row(own, row, instrument, unit)
        self._segment("OBX", "Observation", row, n)
        for facet in facets:
            n = self._row(facet, row, instrument, None)
            self._segment("OBX", "Observation", {"method": row["method"]} if "method" in row else {}, n)
        for note in row.get("note", ()):
            self._note("NTE", note)

    def _row(self, said: Resource, row: Resource, instrument: Resource, unit: dict[str, str] | None) -> int:
        """Give the fields of one OBX that are done by name; gives its number.

        Args:
            said: the Observation, or a component that was a row.
            row: the Observation, which has status, time and device.
            instrument: the Device.
            unit: what a DeviceMetric has; None where there is none.
        """
        self.counts["OBX"] += 1
        n = self.counts["OBX"]
        self._put("OBX", n, 3, concept_back(said["code"]))
        self._put("OBX", n, 4, _sub_id(said))
        own = self._values(said, n)
        self._put("OBX", n, 6, own if unit is None else unit)
        self._put("OBX", n, 18, self._equipment(instrument))
        for limits in said.get("referenceRange", ()):
            self._put("OBX", n, 7, {"": limits["text"]})
        for repetition, flag in enumerate(said.get("interpretation", ()), 1):
            self._put("OBX", n, 8, flags.interpretation_back(flag), repetition)
        beside = row.get("_status", {}).get("extension")
        self._put("OBX", n, 11, flags.status_back(row["status"], beside))
        if "effectivePeriod" not in row:
            self._put("OBX", n, 14, _time_back(row))
        return n

    def _values(self, row: Resource, n: int) -> dict[str, str]:
        unit: dict[str, str] = {}
        told = _extension(row, VALUE_TYPE, "valueString")
        repetition = 0
        for holder in row.get("component") or [row]:
            for element, value, beside in _value_of(holder):
                datatype = told or values_back.usual(element, value)
                field = values_back.backward(element, value, beside, datatype)
                for parts in field.repetitions:
                    repetition += 1
                    self._put("OBX", n, 5, parts, repetition)
                unit = field.unit
                told = told or field.datatype
        self._put("OBX", n, 2, {"": told or ""})
        return concept_back(_extension(row, UNIT, "valueCodeableConcept") or {}) or unit

    def _note(self, role: str, note: Resource) -> None:
        self.counts[role] += 1
        n = self.counts[role]
        text = note.get("text", "")
        exact = original_of(note.get("_text", {}).get("extension"))
        pieces = text.split("\n") if LINED in note.get("extension", ()) else [text]
        if exact:
            pieces = [unescape(piece) for piece in exact.split("~")]
        for repetition, piece in enumerate(pieces, 1):
            self._put(role, n, 3, {"": piece}, repetition)
        for row, repetition, value, beside in found_values(note, "NTE", "Annotation"):
            self._put(role, n, row.field, self._parts(row, value, beside), repetition)


def _value_of(holder: Resource) -> list[tuple[str, Any, Any]]:
    found = []
    for element in values_back.USUAL:
        beside = holder.get(f"_{element}", {}).get("extension")
        if element in holder or beside:
            found.append((element, holder.get(element), beside))
    pictures = (e["valueAttachment"] for e in holder.get("extension", ()) if e["url"] == VALUE)
    found.extend(("valueAttachment", picture, None) for picture in pictures)
    return found


def _extension(resource: Resource, url: str, element: str) -> Any:
    return next((e[element] for e in resource.get("extension", ()) if e["url"] == url), None)


def _sub_id(row: Resource) -> dict[str, str]:
    places = {url: str(n) for n, (url, _) in enumerate(SUB_ID_PARTS, 1)}
    for extension in row.get("extension", ()):
        if extension["url"] == SUB_ID:
            return {
                places[e["url"]]: str(e.get("valueString", e.get("valueDecimal")))
                for e in extension["extension"]
            }
    return {}


def _is_before(identifier: Resource) -> bool:
    """Whether MRG said it."""
    fields = [each["valueString"] for each in identifier.get("extension", ()) if each["url"] == FIELD]
    return any(field.startswith("MRG-") for field in fields)


def _time_back(resource: Resource) -> dict[str, str]:
    holder, name = resource, "effectiveDateTime"
    if "effectivePeriod" in resource:
        holder, name = resource["effectivePeriod"], "start"
    beside = (holder.get(f"_{name}") or {}).get("extension")
    if name not in holder and not beside:
        return {}
    return KINDS["DTM"].backward(holder.get(name, ""), beside)


_STEPS = {
    "Patient": _Back.patient,
    "Account": _Back.account,
    "Encounter": _Back.encounter,
    "DiagnosticReport": _Back.diagnostic_report,
    "Device": _Back.device,
    "Observation": _Back.observation,
}
