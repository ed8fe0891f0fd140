"""What stands in a message: classes by value, codes, uncatalogued extensions, what is left without some codes."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tests.fhir_shaped import put, transaction

from oathward.core.labels import CLASSES
from oathward.protocols.fhir import catalogue, verdicts
from oathward.protocols.fhir.catalogue import classes_present, codes, without_codes

ROOT = Path(__file__).resolve().parents[4]
LOINC, SNOMED, MDC = "http://loinc.org", "http://snomed.info/sct", "urn:iso:std:iso:11073:10101"


def observation(**more: Any) -> dict[str, Any]:
    coding = {"system": LOINC, "code": "8867-4"}
    return {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"coding": [coding]}} | more


BARE = {"structure", "observation.code", "message.control"}


def test_a_bare_observation():
    assert classes_present(put(observation())) == BARE


@pytest.mark.parametrize(
    ("more", "added"),
    [
        ({"valueQuantity": {"value": 72, "unit": "/min"}}, {"observation.value"}),
        ({"valueQuantity": {"value": 12345678901}}, {"note.text"}),
        ({"valueInteger": 3}, {"observation.value"}),
        ({"valueBoolean": True}, {"observation.value"}),
        ({"valueString": "Anna felt well"}, {"note.text"}),
        ({"valueDateTime": "2020-01-01"}, {"patient.time"}),
        (
            {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "27268008"}]}},
            {"observation.value"},
        ),
        (
            {"valueCodeableConcept": {"coding": [{"system": "http://x.org/a", "code": "b"}]}},
            {"note.text"},
        ),
        ({"valueCodeableConcept": {"text": "Anna"}}, {"note.text"}),
        (
            {"valueSampledData": {"origin": {"value": 0}, "period": 1, "dimensions": 1, "data": "1 2.5 E"}},
            {"observation.value"},
        ),
        (
            {"valueSampledData": {"origin": {"value": 0}, "period": 1, "dimensions": 1, "data": "1 Anna"}},
            {"observation.value", "note.text"},
        ),
        ({"note": [{"text": "x"}]}, {"note.text"}),
        ({"effectiveDateTime": "2020"}, {"observation.time"}),
        ({"subject": {"reference": "Patient/1", "display": "Anna"}}, {"patient.identifier", "patient.name"}),
        ({"subject": {"reference": "Group/1", "display": "Anna"}}, {"note.text"}),
        (
            {"performer": [{"reference": "Practitioner/1", "display": "Dr"}]},
            {"staff.identifier", "staff.name"},
        ),
        ({"device": {"reference": "Device/1"}}, {"device.identity"}),
        ({"encounter": {"reference": "Encounter/1"}}, {"patient.encounter"}),
        ({"identifier": [{"value": "7"}]}, {"order"}),
        ({"extension": [{"url": "http://x.org/who", "valueString": "Anna"}]}, {"uncatalogued"}),
        ({"modifierExtension": [{"url": "http://x.org/not", "valueBoolean": True}]}, {"uncatalogued"}),
        ({"_status": {"extension": [{"url": "http://x.org/who", "valueString": "Anna"}]}}, {"uncatalogued"}),
        ({"implicitRules": "http://x.org/rules"}, {"uncatalogued"}),
        ({"meta": {"versionId": "1", "source": "urn:x"}}, {"message.party"}),
        ({"meta": {"tag": [{"system": "http://x.org/t", "code": "anna"}]}}, {"note.text"}),
        (
            {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}},
            {"note.text"},
        ),
        (
            {
                "contained": [{"resourceType": "Patient", "id": "p", "name": [{"family": "Smith"}]}],
                "subject": {"reference": "#p"},
            },
            {"patient.name"},
        ),
    ],
)
def test_what_a_value_adds(more: dict[str, Any], added: set[str]):
    assert classes_present(put(observation(**more))) - BARE == added


UCUM = "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("more", "noted"),
    [
        ({"interpretation": [{"coding": [{"code": "AB-1"}]}]}, False),
        ({"method": {"coding": [{"code": "Smith", "system": "http://smith-clinic.example/codes"}]}}, True),
        ({"method": {"coding": [{"code": "AB-1", "system": "http://smith-clinic.example/codes"}]}}, True),
        ({"method": {"coding": [{"code": "AB-1", "system": "urn:oid:1.2.123456789"}]}}, True),
        ({"method": {"coding": [{"code": "AB-1", "system": "urn:oid:1.2.276.0.76"}]}}, False),
        ({"method": {"coding": [{"code": "27268008", "system": SNOMED, "version": "2026-01"}]}}, False),
        (
            {
                "method": {
                    "coding": [
                        {
                            "code": "27268008",
                            "system": SNOMED,
                            "version": "http://snomed.info/sct/900000000000207008/version/20240901",
                        }
                    ]
                }
            },
            False,
        ),
        ({"method": {"coding": [{"code": "27268008", "system": SNOMED, "version": "Smith"}]}}, True),
        ({"valueQuantity": {"value": 1, "unit": "beats/min"}}, False),
        ({"valueQuantity": {"value": 1, "unit": "mL/min/{1.73_m2}"}}, False),
        ({"valueQuantity": {"value": 1, "unit": "Smith"}}, True),
        ({"valueQuantity": {"value": 1, "unit": "mm", "system": UCUM, "code": "Smith"}}, True),
        ({"valueQuantity": {"value": 1, "unit": "mm[Hg]", "system": UCUM, "code": "mm[Hg]"}}, False),
        ({"valueQuantity": {"value": 1, "system": MDC, "code": "266016"}}, False),
    ],
)
def test_what_no_published_system_has_is_text(more: dict[str, Any], noted: bool):
    assert ("note.text" in classes_present(put(observation(**more)))) is noted


@pytest.mark.parametrize(("link", "noted"), [("1.2", False), ("/54112-4", False), ("of-Mr-Smith", True)])
def test_a_link_of_a_questionnaire_that_has_words_is_text(link: str, noted: bool):
    response = {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed"}
    asked = {"resourceType": "Questionnaire", "id": "q", "status": "active"}
    for body, kind in ((response, {}), (asked, {"type": "group"})):
        found = classes_present(put(body | {"item": [{"linkId": link} | kind]}))
        assert ("note.text" in found) is noted


@pytest.mark.parametrize(
    ("code", "cls"),
    [("21112-8", "patient.birth-date"), ("45394-4", "patient.name"), ("46098-0", "patient.demographic")],
)
def test_an_observation_of_a_person_is_what_its_code_says(code: str, cls: str):
    of_code = {"code": {"coding": [{"system": LOINC, "code": code}]}}
    assert cls in classes_present(put(observation(**of_code, valueString="1980")))


@pytest.mark.parametrize(
    ("coding", "text", "same"),
    [
        ({"system": MDC, "code": "147842", "display": "MDC_ECG_HEART_RATE"}, None, True),
        ({"system": MDC, "code": "147842", "display": "Smith"}, None, False),
        ({"system": SNOMED, "code": "27268008", "display": "27268008"}, None, False),
        ({"system": LOINC, "code": "8867-4", "display": "Heart rate"}, None, False),
        ({"system": "http://x.org/local", "code": "smith", "display": "smith"}, None, False),
        ({"system": MDC, "code": "147842"}, "MDC_ECG_HEART_RATE", True),
        ({"system": MDC, "code": "147842"}, "Smith", False),
        (
            {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "AMB"},
            None,
            True,
        ),
        (
            {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "Ann"},
            None,
            False,
        ),
    ],
)
def test_display_text_passes_only_where_it_says_no_more_than_its_code(
    coding: dict[str, str], text: str | None, same: bool
):
    """ADR 0009, the same rule as for HL7 v2."""
    code = {"coding": [coding]} | ({"text": text} if text else {})
    assert ("note.text" not in classes_present(put(observation(code=code)))) is same


@pytest.mark.parametrize(
    "extension",
    [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
            "valueAddress": {"city": "Bern"},
        },
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Meier"},
        {
            "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
            "extension": [{"url": "text", "valueString": "White"}],
        },
    ],
)
def test_reviewed_extensions_have_classes(extension: dict[str, Any]):
    found = classes_present(put({"resourceType": "Patient", "id": "p", "extension": [extension]}))
    assert "uncatalogued" not in found
    assert found & {"patient.address", "relative.name", "note.text"}


def test_an_unknown_extension_inside_a_reviewed_one_is_uncatalogued():
    extension = {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension": [{"url": "own", "valueString": "x"}],
    }
    message = put({"resourceType": "Patient", "id": "p", "extension": [extension]})
    assert "uncatalogued" in classes_present(message)
    assert catalogue.read(message).uncatalogued == 1


def test_codes_are_named_as_in_hl7_v2():
    message = put(
        observation(
            interpretation=[{"coding": [{"system": "http://x.org/own", "code": "H"}]}],
            component=[{"code": {"coding": [{"system": MDC, "code": "150456"}]}}],
            meta={"security": [{"system": SNOMED, "code": "27268008"}]},
        )
    )
    assert codes(message) >= {"LN|8867-4", "MDC|150456", "http://x.org/own|H"}


def test_without_a_code_its_resource_leaves_and_nothing_refers_to_it():
    other = observation(id="o2") | {"code": {"coding": [{"system": LOINC, "code": "718-7"}]}}
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "58410-2"}]},
        "result": [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}],
    }
    message = transaction(observation(), other, report)
    left = without_codes(message, frozenset(("LN|8867-4",)))
    assert [entry.id for entry in left.entries] == ["o2", "r1"]
    assert "o1" not in str(left.entries[1].resource)
    assert "Observation/o2" in str(left.entries[1].resource)
    assert "LN|8867-4" not in codes(left)
    assert len(message.entries) == 3


def test_a_code_in_a_component_or_a_contained_resource_counts():
    component = observation(
        component=[{"code": {"coding": [{"system": MDC, "code": "150456"}]}, "valueInteger": 1}]
    )
    assert without_codes(put(component), frozenset(("MDC|150456",))).entries == ()


def test_without_a_code_that_is_not_there_it_is_the_same_message():
    message = put(observation())
    assert without_codes(message, frozenset(("LN|1-8",))) is message


def test_the_last_message_is_read_once(monkeypatch: pytest.MonkeyPatch):
    message = put(observation())
    first = catalogue.read(message)
    monkeypatch.setattr(catalogue, "shape", None)
    assert catalogue.read(message) is first


def test_verdicts_keep_no_text_and_do_not_grow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verdicts, "REMEMBERED_MAX", 50)
    verdicts._known.clear()
    for n in range(200):
        verdicts.of_coding("http://x.org/a", f"c{n}", f"Name {n}")
    assert len(verdicts._known) <= 50
    assert all(isinstance(key, int) and isinstance(value, int) for key, value in verdicts._known.items())


def test_rows_cover_every_type_with_known_classes():
    rows = list(catalogue.rows())
    known = CLASSES | {"by target", "by type", "by URL"}
    assert {cls for row in rows for cls in row.classes} <= known
    assert len({row.kind for row in rows}) > 140
    assert sum(bool(row.source) for row in rows) > 700


def test_the_page_is_current():
    path = ROOT / "scripts" / "reference_fhir.py"
    spec = importlib.util.spec_from_file_location("reference_fhir", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.render() == (ROOT / "docs" / "reference" / "fhir-catalogue.md").read_text()
