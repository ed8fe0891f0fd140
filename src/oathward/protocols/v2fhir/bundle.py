"""A whole message to a transaction Bundle: which resources its segments make, and how they refer to each other.

Rules:
- The message is shaped before: what was removed is not there, and is not made up. A resource that has nothing to
  say is not made; elements FHIR requires are filled with what is known, or say that it is unknown.
- Each entry is a PUT to an id that is fixed: by identifiers where the message names them, else by the message
  and its place. The same message gives the same bytes.
- A new PID begins another patient; a new PV1 another visit; a new OBR another report. Segments that no row names
  are left out; ``losses`` says which and why.
- A message type that ``events.tsv`` does not name is refused; ``unmapped.tsv`` says why.
- A visit whose number is now another one is the visit under the new number, and none under the old one.

Deliberately absent: shaping, decisions; POST; MessageHeader, Provenance.

Source: HL7 v2-to-FHIR IG, message maps ORU_R01, ADT_A01, ADT_A17; FHIR R4 §3.1.0.11 (transaction).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.protocols.fhir.known import Naming, digest, id_of, key_of
from oathward.protocols.fhir.labels import labelled
from oathward.protocols.hl7v2.escapes import escape
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.v2fhir import alerts, quick, tables
from oathward.protocols.v2fhir.codes import NULL_FLAVOR
from oathward.protocols.v2fhir.engine import fill
from oathward.protocols.v2fhir.observation import UNCODED, Scope
from oathward.protocols.v2fhir.paths import absent
from oathward.protocols.v2fhir.primitives import before, date_time_back, original, string, time_forward
from oathward.protocols.v2fhir.reading import NULL, UNTOLD, Reading, entry
from oathward.protocols.v2fhir.values import LINED, lines

TEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
TESTS = frozenset(("T", "D", "N"))
"""Processing ids (MSH-11) of messages that are not real."""
ALERT = "R40"
"""Trigger of messages whose rows are alerts."""
GONE = "entered-in-error"
UNKNOWN_CLASS = {"system": NULL_FLAVOR, "code": "UNK"}
REPORT_NOTE = tables.extensions()["report-note"]


def mappable(code: str, trigger: str) -> bool:
    """Say whether a message type (MSH-9.1, MSH-9.2) has a mapping."""
    return f"{code}^{trigger}" in tables.events()


def to_fhir(
    message: Message,
    outgoing_id: str,
    naming: Naming = UNTOLD,
    *,
    creates: bool = True,
    altered: Iterable[str] = (),
) -> bytes:
    """Map one shaped message to a Bundle of type ``transaction``.

    Args:
        message: as it may leave.
        outgoing_id: of this message on this link; ids of resources without identifiers begin with it.
        naming: how other ids are made.
        creates: what the message only names is created where there is none, else it is left; False: it is written.
        altered: labels of what was done to the message; the bundle bears them.

    Raises:
        OathwardError: MAPPING_UNSUPPORTED, a message type without a mapping, or one of which nothing is left to map.
    """
    if not mappable(message.code, message.trigger):
        raise OathwardError("MSH-9", "a message type with a mapping", reason=Reason.MAPPING_UNSUPPORTED)
    event = tables.events()[f"{message.code}^{message.trigger}"]
    r = Reading(message, outgoing_id, naming, event.mentioned if creates else None)
    work = _Work(event, r, alerts=message.trigger == ALERT)
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "transaction"}
    following = [*message.segments[1:], b""]
    for segment, after in zip(message.segments, following, strict=True):
        work.take(message.fields(segment), bundle, noted=after.startswith(b"NTE"))
    work.done()
    if not r.entries:
        raise OathwardError("message", "a segment with a mapping", reason=Reason.MAPPING_UNSUPPORTED)
    if work.tested:
        r.entries = [_tested(*one) for one in r.entries]
    bundle["entry"] = [
        entry(*one, create=one[:2] in r.creates) if one.__class__ is tuple else one for one in r.entries
    ]
    return orjson.dumps(labelled(bundle, altered) if altered else bundle)


def _tested(type_: str, id_: str, resource: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Say of a resource that it is of a test."""
    meta = resource.get("meta", {})
    return type_, id_, {**resource, "meta": {**meta, "security": [*meta.get("security", ()), TEST]}}


class _Work:
    """Where the walk over the segments stands."""

    def __init__(self, event: tables.Event, r: Reading, *, alerts: bool) -> None:
        self.r = r
        self.event = event
        self.alerts = alerts
        self.scope = Scope(alerts=alerts)
        self.patients: list[tuple[str, dict[str, Any]]] = []
        self.before: dict[str, Any] | None = None
        """What is known of a visit under its number before, until its PV1 comes."""
        self.before_key: tuple[str, ...] = ()
        self.patient: dict[str, Any] | None = None
        self.patient_reference = ""
        self.patient_key: tuple[str, ...] = ()
        self.encounter: dict[str, Any] | None = None
        self.noted: dict[str, Any] | None = None
        self.tested = False

    def take(self, fields: list[bytes], bundle: dict[str, Any], *, noted: bool) -> None:
        """Map one segment.

        Args:
            fields: item n is field n.
            bundle: for what MSH says.
            noted: a note follows.
        """
        name = fields[0]
        if name == b"OBX":
            add = alerts.add if self.alerts else quick.add
            self.noted = add(fields, self.r, self.scope, noted=noted)
        elif name == b"NTE":
            self._note(fields)
        elif name == b"MSH":
            fill(bundle, fields, "MSH", "Bundle", self.r)
            self.tested = bundle.get("meta", {}).get("tag", [{}])[0].get("code") in TESTS
            self.r.quick = self.r.plain and not self.tested
        elif name in _STEPS:
            _STEPS[name](self, fields)
            self.scope.changed()
            self.noted = self.scope.report if name == b"OBR" else None

    def person(self, fields: list[bytes]) -> None:
        """PID: the patient, and the account the message names."""
        self._visit_before()
        self.scope, self.encounter, self.patient = Scope(alerts=self.alerts), None, None
        self.patient_key = ()
        resource: dict[str, Any] = {}
        fill(resource, fields, "PID", "Patient", self.r)
        if resource:
            self._known_patient(resource)
        account: dict[str, Any] = {}
        fill(account, fields, "PID", "Account", self.r)
        if account:
            key = key_of(account["identifier"][0])
            account["status"] = "active"
            if self.patient is not None:
                account["subject"] = [self.scope.shared["subject"]]
            self.r.add("Account", self._of_patient("Account", key), account)

    def _of_patient(self, kind: str, key: tuple[str, str, str], patient: tuple[str, ...] = ()) -> str:
        """Give the id of what has a number; one without an authority is the patient's, and the sender's."""
        naming = self.r.naming
        if not key[2] or any(key[:2]) or not naming.raw:
            return id_of(kind, key, naming)
        return digest(kind, *key, *(patient or self.patient_key), naming.source)

    def _known_patient(self, resource: dict[str, Any]) -> None:
        self.patient_key = self._key(resource)
        id_ = id_of("Patient", self.patient_key, self.r.naming)
        self.patient_reference = self.r.add("Patient", id_, resource)
        self.patients.append((self.patient_reference, resource))
        self.patient = resource
        self.scope.shared["subject"] = {"reference": self.patient_reference}

    def _add_to_patient(self, said: dict[str, Any]) -> None:
        """Put what another segment says to the patient; one without a PID is of this message alone."""
        if self.patient is None:
            self._known_patient({})
        if self.patient is not None:
            for name, value in said.items():
                known = self.patient.get(name)
                self.patient[name] = [*known, *value] if isinstance(known, list) else value

    def _key(self, resource: dict[str, Any]) -> tuple[str, ...]:
        identifiers = resource.get("identifier") or [{}]
        key = key_of(identifiers[0])
        return key if key[2] else ()

    def more(self, fields: list[bytes]) -> None:
        """PD1: more about the patient."""
        said: dict[str, Any] = {}
        fill(said, fields, "PD1", "Patient", self.r)
        if said:
            self._add_to_patient(said)

    def relative(self, fields: list[bytes]) -> None:
        """NK1: somebody to turn to."""
        contact: dict[str, Any] = {}
        fill(contact, fields, "NK1", "Patient.contact", self.r)
        if contact:
            _in_order(contact)
            if not contact.keys() & {"name", "telecom", "address", "organization"}:
                contact["name"] = {"extension": [absent()]}
            self._add_to_patient({"contact": [contact]})

    def merged(self, fields: list[bytes]) -> None:
        """MRG: the number that a patient, or a visit, had before."""
        prior: dict[str, Any] = {}
        if self.event.prior == "visit":
            self._visit_before()
            fill(prior, fields, "MRG", "Encounter", self.r)
            person: dict[str, Any] = {}
            fill(person, fields, "MRG", "Patient", self.r)
            self.before, self.before_key = prior, self._key(person)
            return
        if self.event.prior == "merge":
            fill(prior, fields, "MRG", "Patient", self.r)
        if not prior:
            return
        if self.patient is None:
            self._known_patient({})
        key = self._key(prior)
        prior["active"] = False
        prior["link"] = [{"other": {"reference": self.patient_reference}, "type": "replaced-by"}]
        reference = self.r.add("Patient", id_of("Patient", key, self.r.naming), prior)
        self._add_to_patient({"link": [{"other": {"reference": reference}, "type": "replaces"}]})

    def _visit_before(self) -> None:
        """Say of a visit that it is not to be found any more under the number that MRG named."""
        prior, self.before = self.before, None
        if prior:
            key = key_of(prior["identifier"][0])
            prior["status"] = GONE
            prior["class"] = UNKNOWN_CLASS
            self.r.add("Encounter", self._of_patient("Encounter", key, self.before_key), prior)

    def done(self) -> None:
        """End the message: what only its last segment shows."""
        self._visit_before()
        if not self.event.link or len(self.patients) < 2:
            return
        for (_, one), (other, _) in (self.patients[:2], self.patients[1::-1]):
            one.setdefault("link", []).append({"other": {"reference": other}, "type": self.event.link})

    def visit(self, fields: list[bytes]) -> None:
        """PV1: the visit."""
        resource: dict[str, Any] = {}
        fill(resource, fields, "PV1", "Encounter", self.r)
        self.encounter = None
        self.scope.shared.pop("encounter", None)
        if resource:
            self._known_visit(resource)

    def _known_visit(self, resource: dict[str, Any]) -> None:
        _in_order(resource)
        of_class = resource.get("class", {}).get("code", "")
        ended = "end" in resource.get("period", {})
        known = _CLASS_STATUS.get(of_class, "unknown")
        resource["status"] = self.event.status or ("finished" if ended else known)
        resource.setdefault("class", UNKNOWN_CLASS)
        if self.patient is not None:
            resource["subject"] = self.scope.shared["subject"]
        key = key_of((resource.get("identifier") or [{}])[0])
        if self.before and key_of(self.before["identifier"][0]) == key:
            resource["identifier"] += self.before[
                "identifier"
            ]  # it has its number still, and another patient
            self.before = None
        self._visit_before()
        reference = self.r.add("Encounter", self._of_patient("Encounter", key), resource)
        self.encounter = resource
        self.scope.shared["encounter"] = {"reference": reference}

    def visit_more(self, fields: list[bytes]) -> None:
        """PV2: more about the visit."""
        said: dict[str, Any] = {}
        fill(said, fields, "PV2", "Encounter", self.r)
        if said and self.encounter is None:
            self._known_visit({})
        if said and self.encounter is not None:
            self.encounter.update(said)

    def report(self, fields: list[bytes]) -> None:
        """OBR: a report, whose observations follow."""
        resource: dict[str, Any] = {}
        fill(resource, fields, "OBR", "DiagnosticReport", self.r)
        raw = fields[7].partition(self.r.repetition)[0] if len(fields) > 7 else b""
        value, beside = time_forward(raw, self.r) if raw and raw != NULL else (None, None)
        period = resource.get("effectivePeriod")
        target, name = (resource, "effectiveDateTime") if period is None else (period, "start")
        if value:
            target[name] = value
        if beside:
            target[f"_{name}"] = {"extension": beside}
        if period is not None:
            _order(period)
        self.scope.time = {key: resource[key] for key in _TIMES if key in resource}
        if not resource:
            self.scope.report = None
            return
        resource.setdefault("status", "unknown")
        resource.setdefault("code", UNCODED)
        resource.update(self.scope.shared)
        self.scope.report = resource
        self.r.add("DiagnosticReport", "", resource)

    def _note(self, fields: list[bytes]) -> None:
        if self.noted is None:
            return
        raw = fields[3] if len(fields) > 3 and fields[3] != NULL else b""
        pieces = raw.split(self.r.repetition)
        joined = lines(pieces, self.r) if len(pieces) > 1 else None
        text = joined or string("\n".join(self.r.text(piece) for piece in pieces))
        note: dict[str, Any] = {"extension": [LINED]} if joined else {}
        fill(note, fields, "NTE", "Annotation", self.r)
        if text:
            note["text"] = text
            if len(pieces) > 1 and not joined:
                exact = "~".join(escape(self.r.text(piece)) for piece in pieces)
                note["_text"] = {"extension": [original(exact)]}
        elif note:
            note["_text"] = {"extension": [absent()]}
        else:
            return
        if self.noted is self.scope.report:
            self.noted.setdefault("extension", []).append({"url": REPORT_NOTE, "valueAnnotation": note})
        else:
            self.noted.setdefault("note", []).append(note)


def _in_order(resource: dict[str, Any]) -> None:
    if "period" in resource:
        _order(resource["period"])


def _order(period: dict[str, Any]) -> None:
    """Take an end that is before the start out of a Period; its text stays beside (per-1)."""
    start, end = period.get("start", ""), period.get("end", "")
    if start and end and not before(start, end):
        period["_end"] = {
            "extension": [*period.get("_end", {}).get("extension", ()), original(date_time_back(end))]
        }
        del period["end"]


_TIMES = ("effectiveDateTime", "_effectiveDateTime", "effectivePeriod")
_CLASS_STATUS = {
    tables.forward("0004")[code][0]: status for code, (status, _) in tables.forward("0004status").items()
}
_STEPS = {
    b"PID": _Work.person,
    b"PD1": _Work.more,
    b"NK1": _Work.relative,
    b"MRG": _Work.merged,
    b"PV1": _Work.visit,
    b"PV2": _Work.visit_more,
    b"OBR": _Work.report,
}
