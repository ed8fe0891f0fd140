"""The card of a Patient resource says what that of a PID says, and its words are those of the same person."""

import json

import pytest
from tests.unit.patients.making import WORD_KEY, message

from oathward.core.words import WordHasher, token_of
from oathward.patients.card import card_of, words_of_card
from oathward.patients.fhir_card import card_of_patient, words_of_patient
from oathward.patients.model import WordKind

HASHER = WordHasher(WORD_KEY)
EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
PATIENT = {
    "resourceType": "Patient",
    "id": "p-1",
    "identifier": [
        {"system": "HOSP", "value": "31415926", "type": {"coding": [{"system": "v2-0203", "code": "MR"}]}},
        {"system": "INS", "value": "ZN998877", "type": {"coding": [{"code": "HC"}]}},
    ],
    "name": [
        {"use": "official", "family": "Müller", "given": ["Iris", "Q"], "prefix": ["Dr"]},
        {"use": "maiden", "family": "Quill", "given": ["Iris"]},
    ],
    "telecom": [
        {"system": "phone", "value": "(0555) 321-4567", "use": "home"},
        {"system": "email", "value": "iris.m@example.org"},
    ],
    "gender": "female",
    "birthDate": "1956-02-29",
    "_birthDate": {
        "extension": [{"url": EXTENSION + "patient-birthTime", "valueDateTime": "1956-02-29T08:30:00+01:00"}]
    },
    "deceasedDateTime": "2026-01-02",
    "address": [
        {
            "use": "home", "line": ["12 Long Wharf", "Flat 3"], "city": "Saltingham", "postalCode": "SX1 2AB", "country": "GBR",
            "district": "Salts",
        }
    ],
    "maritalStatus": {"coding": [{"code": "M"}]},
    "multipleBirthInteger": 2,
    "communication": [
        {"language": {"coding": [{"code": "de"}]}},
        {"language": {"coding": [{"code": "en"}]}, "preferred": True},
    ],
    "extension": [
        {"url": EXTENSION + "patient-mothersMaidenName", "valueString": "Vexler"},
        {"url": EXTENSION + "patient-birthPlace", "valueAddress": {"city": "Port Vale"}},
        {"url": EXTENSION + "patient-religion", "valueCodeableConcept": {"coding": [{"code": "CAT"}]}},
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
         "extension": [{"url": "ombCategory", "valueCoding": {"code": "2106-3"}}]},
    ],
}  # fmt: skip
PID = (
    "PID|1||31415926^^^HOSP^MR~ZN998877^^^INS^HC||Müller^Iris^Q^^Dr^^L~Quill^Iris^^^^^M|Vexler|195602290830|F||2106-3"
    "|12 Long Wharf^Flat 3^Saltingham^^SX1 2AB^GBR^H^^Salts||(0555) 321-4567^PRN^PH~^NET^Internet^iris.m@example.org"
    "||en|M|CAT||||||Port Vale|Y|2||||20260102|Y"
)
WORDS = dict(words_of_patient(PATIENT, HASHER))


def test_the_card_of_a_patient_is_that_of_the_same_pid():
    adt = message("ADT^A28", PID)
    assert card_of_patient(PATIENT) == card_of(adt).replace(
        b'"birth":"195602290830', b'"birth":"19560229083000'
    )
    assert words_of_patient(PATIENT, HASHER) == words_of_card(adt, adt.named(b"PID")[0], HASHER)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("31415926", WordKind.IDENTIFIER), ("ZN-998877", WordKind.IDENTIFIER), ("iris MÜLLER", WordKind.TOKEN),
        ("Mueller, Iris", WordKind.TOKEN), ("0555 3214567", WordKind.TOKEN), ("iris.m@EXAMPLE.org", WordKind.TOKEN),
        ("29.02.1956", WordKind.BIRTH), ("1956-02-29", WordKind.BIRTH),
    ],
)  # fmt: skip
def test_whole_values(value, kind):
    assert WORDS[HASHER.token(token_of(value))] is kind


@pytest.mark.parametrize("text", ["Iris Q Müller", "Mueller, Iris Q", "Mueller Iris Q"])
def test_a_name_that_is_a_text_only(text):
    patient = {"resourceType": "Patient", "name": [{"text": text}]}
    assert json.loads(card_of_patient(patient)) == {"names": [{"text": text}]}
    words = dict(words_of_patient(patient, HASHER))
    for word in ("iris", "mueller"):
        assert words[HASHER.word(word)] is WordKind.NAME
    for whole in ("Iris Mueller", "Mueller, Iris", "Iris Q Mueller", "Mueller, Iris Q"):
        assert words[HASHER.token(token_of(whole))] is WordKind.TOKEN


@pytest.mark.parametrize(
    "patient",
    [
        {}, {"name": None}, {"name": "x"}, {"name": [None, 3, {"given": "x"}]}, {"identifier": [{"type": []}]}, {"birthDate": 3},
        {"_birthDate": {"extension": [{}]}}, {"communication": [{}]}, {"extension": [{"url": 3}]}, {"deceasedBoolean": "x"},
        {"multipleBirthInteger": True}, {"address": [{"line": "x"}]}, {"telecom": [{}]}, {"maritalStatus": {"coding": [3]}},
    ],
)  # fmt: skip
def test_what_has_another_type_than_it_should_is_left_out(patient):
    assert json.loads(card_of_patient(patient)) == {}
    assert words_of_patient(patient, HASHER) == []
