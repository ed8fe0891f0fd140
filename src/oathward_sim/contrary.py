"""What contradicts what a patient or the hospital said, sent by devices the site knows: Consents of other days, merges by who may not say so.

Rules:
- Each is a message like any other, with a marker of its own: who gets it is counted.
- An old yes is dated before every no; whoever heeds it lets something out that the judge calls a leak.
- A merge would give one patient's denials to another: whoever believes it stops what is due, and the judge calls it lost.
- A pump may not send a merge at all; a department may send ADT, and is still not who says who is who.

Source: FHIR R4 Consent, §3.1.0.7 (update); HL7 v2.6 §3.3.40 (A40).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from oathward_sim import fhir
from oathward_sim.adt import Feed
from oathward_sim.hospital import Device, Hospital, Patient
from oathward_sim.plan import Planned, Rule, marker, targets

SOURCE_FIRST = 90
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_CATEGORY = "http://loinc.org"
_YESTERDAY = timedelta(days=1)


class Consents:
    """One hub's Consents about one patient. ``number``: of the source, from 0."""

    def __init__(
        self, hospital: Hospital, device: Device, who: Patient, rules: Sequence[Rule], number: int
    ) -> None:
        self._hospital, self._device, self._who, self._rules = hospital, device, who, rules
        self._source, self._count = SOURCE_FIRST + number, 0
        self._id = f"said-{self._source}"

    def introduction(self) -> Planned:
        """Tell whom it is about."""
        mark = self._mark()
        return self._planned("Patient", fhir.patient(self._who, self._id, mark), mark)

    def no(self) -> Planned:
        """Say no to research, as of now."""
        return self._consent("deny", self._hospital.start)

    def old_yes(self) -> Planned:
        """Say once more what was said days before: yes."""
        return self._consent("permit", self._hospital.start - _YESTERDAY * 20)

    def _consent(self, type_: str, at: datetime) -> Planned:
        mark = self._mark()
        said = at.isoformat(timespec="seconds")
        resource = {
            "resourceType": "Consent",
            "id": self._id,
            "identifier": [{"system": "urn:oid:2.999.71.9", "value": mark}],
            "status": "active",
            "scope": {"coding": [{"system": _SCOPE, "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": _CATEGORY, "code": "59284-0"}]}],
            "patient": {"reference": f"Patient/{self._id}"},
            "dateTime": said,
            "policyRule": {"coding": [{"code": "OPTIN" if type_ == "permit" else "OPTOUT"}]},
            "provision": {"type": type_, "purpose": [{"system": _ACT, "code": "HRESCH"}]},
        }
        return self._planned("Consent", resource, mark)

    def _mark(self) -> str:
        self._count += 1
        return marker(self._source, self._count - 1)

    def _planned(self, type_: str, resource: fhir.Json, mark: str) -> Planned:
        must = targets(self._rules, self._device.kind, f"FHIR^{type_}", (self._who,))
        data = f"PUT {type_}/{self._id}\n".encode() + fhir.dumps(resource)
        return Planned(f"CO{mark}", mark, f"FHIR^{type_}", (self._who.mrn,), data, must)


def merge(
    hospital: Hospital, device: Device, gone: Patient, rules: Sequence[Rule] = (), days: int = 1
) -> Planned:
    """Say, as a device that may not, that somebody is the canary, who denies everything but care.

    Args:
        rules: whoever takes what this device tells gets it. days: so long ago it was said; another one for each.
    """
    elsewhere = replace(hospital, feed=device, start=hospital.start - _YESTERDAY * days)
    plan = Feed(elsewhere, rules).merge(hospital.canary, gone)
    control_id = f"X{days}{plan.control_id}"
    return replace(
        plan, control_id=control_id, data=plan.data.replace(plan.control_id.encode(), control_id.encode(), 1)
    )
