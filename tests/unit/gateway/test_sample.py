"""What each recipient would get of a made-up message, element by element."""

import json

import pytest
from tests.unit.policy import small

from oathward.gateway.sample import sample
from oathward.gateway.twins import Story
from oathward.gateway.wires import FHIR, HL7V2
from oathward.policy.bundle import load
from oathward.policy.consents import ConsentFact

ANY = frozenset({"*"})
YES = ConsentFact("yes", True, ANY, ANY, ANY)
TYPES = 'message_types = ["ORU^R01"]'


@pytest.fixture(scope="module")
def bundle():
    """The starter bundle, its registry open to both wires."""
    files = small.files()
    for path in files:
        if path.startswith("links/"):
            files[path] = files[path].replace(TYPES.encode(), b'message_types = ["*"]')
    return load(files)


def rows_of(found):
    return {row.place: row for row in found.rows}


def test_every_element_of_hl7v2_says_what_becomes_of_it_and_why(bundle):
    found = sample(bundle, bundle.links["research-registry"], consents=(YES,))
    rows = rows_of(found)
    assert found.answer == "permit"
    assert rows["PID-5.1"].what == "removed"
    assert rows["PID-5.1"].why == "the link does not name this class"
    assert rows["PID-3.1"].what == "changed"
    assert rows["PID-3.1"].why == "profile safe-harbor: pseudonym"
    assert rows["PID-3.5"].why == "profile safe-harbor removes it"
    assert (rows["OBX-5"].what, rows["OBX-5"].becomes) == ("kept", "97")
    assert (rows["PID-7"].given, rows["PID-7"].becomes) == ("19560417", "1956")
    for row in found.rows:
        if row.what == "removed" and len(row.given) > 5:
            assert row.given not in found.document, row.place


def test_and_of_fhir_by_the_class_that_decided(bundle):
    found = sample(bundle, bundle.links["research-registry"], FHIR, consents=(YES,))
    rows = rows_of(found)
    assert rows["Observation.code.coding.code"].cls == "observation.code"
    assert rows["Observation.valueQuantity.value"].cls == "observation.value"
    assert rows["Observation.subject.reference"].cls == "patient.identifier"
    assert rows["Patient.identifier.value"].what == "changed"
    assert rows["Patient.name.family"].what == "removed"
    out = json.loads(found.document)
    assert {e["resource"]["resourceType"] for e in out["entry"]} >= {"Patient", "Observation"}
    assert "Testperson" not in found.document


def test_a_patient_is_called_the_same_on_both_wires(bundle):
    link = bundle.links["research-registry"]
    by_hl7 = rows_of(sample(bundle, link, HL7V2, consents=(YES,)))["PID-3.1"].becomes
    by_fhir = rows_of(sample(bundle, link, FHIR, consents=(YES,)))["Patient.identifier.value"].becomes
    assert by_hl7 == by_fhir != ""


def test_what_is_denied_says_why(bundle):
    found = sample(bundle, bundle.links["research-registry"])
    assert (found.answer, found.reasons, found.rows) == ("deny", ("decision.no-consent",), ())
    label = sample(bundle, bundle.links["research-registry"], story=Story(location="PSY1"), consents=(YES,))
    assert label.reasons == ("decision.label-denies",)


def test_a_consent_that_takes_a_class_away_is_named(bundle):
    no = ConsentFact("no", False, ANY, ANY, frozenset({"patient.demographic"}))
    found = sample(bundle, bundle.links["research-registry"], consents=(YES, no))
    assert rows_of(found)["PID-8"].why == "a consent or a label takes this class away"


def test_a_recipient_of_hl7v2_takes_no_fhir(bundle):
    assert sample(bundle, bundle.links["ehr"], FHIR).answer == "not taken"


def test_what_is_kept_is_the_original(bundle):
    found = sample(bundle, bundle.links["keep"])
    assert {row.what for row in found.rows} == {"kept"}
    assert found.document == ""
