"""The guard on JSON: every disguise is caught whatever came in, and what is not a person's passes."""

import json

import pytest
from tests.unit.gateway.disguises import ALL as TEXTS
from tests.unit.gateway.fhir_disguises import ALL, SAFE
from tests.unit.gateway.guarding import FHIR_ORIGINAL, HL7_ORIGINAL, fhir, hl7v2

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard, of_fhir, of_hl7v2
from oathward.gateway.guard.tokens import Tokens
from oathward.gateway.guard.verdict import CLEAN, Stop

HASHER = WordHasher(b"k" * 32)
OBSERVATION = (
    '{"resourceType":"Observation","id":"0a1b2c3d4e5f6a7b8c9d-1","status":"final","category":[{"coding":[{"system":'
    '"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"coding":[{"system":'
    '"http://loinc.org","code":"59408-5","display":"Oxygen saturation"},{"system":"urn:iso:std:iso:11073:10101","code":'
    '"150456"}]},"subject":{"reference":"Patient/px55abq"},"effectiveDateTime":"2026-03-01T11:59:30.120+00:00",'
    '"valueQuantity":{"value":97,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}{}}'
)
ORIGINALS = {"FHIR": (fhir, FHIR_ORIGINAL), "HL7 v2": (hl7v2, HL7_ORIGINAL)}
FHIR_ONLY = {"logical id", "logical id, upper case", "logical id in base64", "logical id, UUID"}
PAIRS = [(wire, name) for wire in ORIGINALS for name in ALL if wire == "FHIR" or name not in FHIR_ONLY]


def check(fragment, *, guard=None, wire="FHIR", **options):
    """Ask about a safe Observation with one more member."""
    make, raw = ORIGINALS[wire]
    outgoing = OBSERVATION.replace("{}", f",{fragment}" if fragment else "").encode("utf-8", "surrogatepass")
    return (guard or Guard(WordHasher(b"k" * 32))).check(
        make(raw), outgoing, **({"carries_identity": False} | options)
    )


def test_there_are_enough_of_them():
    assert len(ALL) >= 100


@pytest.mark.parametrize("wire", ORIGINALS)
@pytest.mark.parametrize("name", SAFE)
def test_what_is_safe_does_not_stop(name, wire):
    assert not isinstance(check(SAFE[name], wire=wire), Stop)
    assert check("", wire=wire) is CLEAN


@pytest.mark.parametrize(("wire", "name"), PAIRS)
def test_a_disguise_is_caught_and_without_tokens_it_is_not(wire, name, monkeypatch):
    verdict = check(ALL[name], wire=wire)
    assert isinstance(verdict, Stop)
    for value in ("doe", "john", "4711223", "1970", "rosebud", "555", "88x21z"):
        assert value not in verdict.where.lower()
    for module in (of_fhir, of_hl7v2):
        monkeypatch.setattr(module, "tokens_of", lambda _: Tokens())
    assert check(ALL[name], wire=wire) is CLEAN


@pytest.mark.parametrize("name", TEXTS)
def test_a_disguise_of_texts_is_caught_in_a_text(name):
    for ascii_only in (True, False):
        text = json.dumps(TEXTS[name], ensure_ascii=ascii_only)
        assert isinstance(check(f'"note":[{{"text":{text}}}]'), Stop)


WARM = Guard(HASHER)


@pytest.mark.parametrize(("wire", "name"), PAIRS)
def test_a_disguise_is_caught_by_a_guard_that_has_seen_much(wire, name):
    for _ in range(2):
        assert isinstance(check(ALL[name], guard=WARM, wire=wire), Stop)
        assert check("", guard=WARM, wire=wire) is CLEAN
