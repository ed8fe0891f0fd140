"""What elements are: by type, by review, by role; the tables load only with known words and existing places."""

import pytest

from oathward.core.labels import CLASSES
from oathward.protocols.fhir import elements, overrides, tables
from oathward.protocols.fhir.elements import Element


def element(path: str) -> Element:
    """Find an element by its path: ``Patient.contact.name.family``."""
    kind, *keys = path.split(".")
    found = elements.resource(kind)
    for key in keys:
        found = elements.children(found)[key]
    return found


@pytest.mark.parametrize(
    ("path", "cls", "part"),
    [
        ("Patient.name.family", "patient.name", ""),
        ("Patient.name.period.start", "patient.name", "rest"),
        ("Patient.identifier.value", "patient.identifier", ""),
        ("Patient.identifier.system", "patient.identifier", "rest"),
        ("Patient.address.line", "patient.address", "street"),
        ("Patient.address.text", "patient.address", "street"),
        ("Patient.address.postalCode", "patient.address", "postcode"),
        ("Patient.address.district", "patient.address", "rest"),
        ("Patient.telecom.value", "patient.contact", ""),
        ("Patient.birthDate", "patient.birth-date", ""),
        ("Patient.deceasedDateTime", "patient.birth-date", ""),
        ("Patient.photo.data", "patient.image", ""),
        ("Patient.contact.name.family", "relative.name", ""),
        ("Patient.contact.period.start", "relative.time", ""),
        ("Patient.link.other", "patient.identifier", "rest"),
        ("Practitioner.name.text", "staff.name", ""),
        ("Organization.name", "organisation.name", ""),
        ("Organization.contact.name.family", "staff.name", ""),
        ("Device.serialNumber", "device.identity", ""),
        ("Device.udiCarrier.deviceIdentifier", "device.type", ""),
        ("Device.udiCarrier.carrierHRF", "device.identity", "rest"),
        ("Device.deviceName.name", "note.text", ""),
        ("Observation.code", "observation.code", ""),
        ("Observation.effectivePeriod.start", "observation.time", ""),
        ("Observation.issued", "observation.time", ""),
        ("Observation.referenceRange.low", "observation.value", ""),
        ("Observation.text.div", "note.text", ""),
        ("Observation.note.text", "note.text", ""),
        ("Observation.meta.lastUpdated", "message.time", ""),
        ("Observation.meta.security", "structure", ""),
        ("Encounter.period.start", "patient.time", ""),
        ("Encounter.identifier.value", "patient.encounter", ""),
        ("Condition.code", "clinical.code", ""),
        ("Condition.onsetString", "note.text", ""),
        ("Claim.total.value", "financial", ""),
        ("DocumentReference.content.attachment.data", "attachment", ""),
        # by type alone
        ("NutritionOrder.dateTime", "patient.time", ""),
        ("NutritionOrder.oralDiet.instruction", "note.text", ""),
        ("BodyStructure.image.data", "attachment", ""),
        ("VisionPrescription.lensSpecification.power", "clinical.code", ""),
    ],
)
def test_what_an_element_is(path: str, cls: str, part: str):
    found = element(path)
    assert (found.cls, found.part) == (cls, part)


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        ("Observation.code", "whole"),
        ("Observation.component.valueQuantity", "group"),
        ("Condition.subject", "masked"),
        ("Condition.code", "whole"),
        ("Provenance.recorded", "masked"),
        ("Consent.provision.actor.reference", "whole"),
        ("Patient.gender", "gone"),
        ("Appointment.participant", "group"),
    ],
)
def test_what_happens_when_it_goes(path: str, lost: str):
    assert element(path).lost == lost


def test_every_class_is_a_word_of_ours_and_has_a_rank():
    seen: set[str] = set()

    def look(at: Element, above: frozenset[object]) -> None:
        for child in elements.children(at).values():
            if child.cls:
                seen.add(child.cls)
            what = child.within if child.kind == "object" else child.kind
            simple = child.kind in elements.PRIMITIVES or child.kind in ("Extension", "Resource", "type")
            if not simple and what not in above:
                look(child, above | {what})

    for kind in sorted(tables.resource_types()):
        look(elements.resource(kind), frozenset())
    assert seen <= CLASSES
    assert len(seen) > 30
    for cls in CLASSES:
        elements.strictness(cls)


def test_every_reviewed_path_exists():
    for kind, rows in overrides.reviewed().items():
        known = {row.path for row in tables.elements_of(kind)}
        for path in rows:
            *above, key = path.split(".")
            choices = (
                row
                for row in tables.elements_of(kind)
                if row.path.endswith("[x]")
                and row.path.rpartition(".")[0] == ".".join(above)
                and key.startswith(row.path.rpartition(".")[2][:-3])
            )
            assert path in known or any(choices), f"{kind}.{path}"


def test_the_reviewed_types_are_those_we_said():
    asked = """Patient RelatedPerson Device DeviceMetric Observation Encounter DocumentReference Consent Provenance
    Practitioner PractitionerRole Organization Location Condition Procedure MedicationRequest MedicationStatement
    MedicationAdministration AllergyIntolerance Immunization DiagnosticReport ServiceRequest Specimen CarePlan
    CareTeam Communication QuestionnaireResponse Media Binary Coverage Claim Flag Goal EpisodeOfCare Appointment
    AuditEvent"""
    assert {*asked.split()} <= {*overrides.reviewed()}


@pytest.mark.parametrize(
    "row",
    [
        ["Patient", "name", "patient.nam", "-", "source"],
        ["Patient", "name", "patient.name/half", "-", "source"],
        ["Patient", "name", "patient.name:shape", "-", "source"],
        ["Patient", "name", "patient.name", "perhaps", "source"],
        ["Patient", "name", "patient.name", "-", ""],
    ],
)
def test_a_row_that_cannot_be_used_does_not_load(row: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overrides.tables, "rows", lambda _name: iter([row]))
    with pytest.raises(ValueError, match="Patient name"):
        overrides.reviewed.__wrapped__()


def test_an_element_reviewed_twice_does_not_load(monkeypatch: pytest.MonkeyPatch):
    row = ["Patient", "name", "patient.name", "-", "source"]
    monkeypatch.setattr(overrides.tables, "rows", lambda _name: iter([row, row]))
    with pytest.raises(ValueError, match="twice"):
        overrides.reviewed.__wrapped__()


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("Patient", "patient.identifier"),
        ("Device", "device.identity"),
        ("Encounter", "patient.encounter"),
        ("Observation", "message.control"),
        ("Practitioner", "staff.identifier"),
        ("Basic", "message.control"),
    ],
)
def test_the_class_of_ids(kind: str, cls: str):
    assert overrides.id_class(kind) == cls
