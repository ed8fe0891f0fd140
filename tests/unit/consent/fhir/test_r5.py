"""R5 Consents: what each element means, which edition a Consent is of, and what of it is read narrower."""

import orjson
import pytest
from tests.unit.consent.fhir.test_reader import HR_CODE, actor, coding, consent, policy, rule
from tests.unit.policy.small import NOW_US

from oathward.consent.fhir import words
from oathward.consent.fhir.r5 import TYPE, edition_of
from oathward.consent.fhir.reader import read
from oathward.consent.query import Query, ask
from oathward.core.errors import InputError
from oathward.core.labels import Purpose

PRIVACY = [{"coding": [coding("patient-privacy", words.SCOPE)]}]
RESEARCH = {"purpose": [coding("HRESCH")]}


def r5(decision: str | None = None, *provisions: dict, **more: object) -> dict:
    found = {"resourceType": "Consent", "status": "active", "category": PRIVACY, **more}
    found |= {"decision": decision} if decision else {}
    return found | ({"provision": list(provisions)} if provisions else {})


def reading(resource: dict, **options):
    return read(resource, orjson.dumps(resource), **options)


def answer(resource: dict, purpose: str = "TREAT", **more: object) -> str:
    options = {name: more.pop(name) for name in ("edition", "now_us") if name in more}
    plain = {"purpose": purpose, "recipient": frozenset({"Organization/1"}), "at_us": NOW_US}
    return ask(reading(resource, **options).statements, Query(**(plain | more))).word


def remarks(resource: dict, **options) -> set[tuple[str, str]]:
    return {(remark.code, remark.where) for remark in reading(resource, **options).remarks}


def said(type_: str, **elements: object) -> dict:
    return {"modifierExtension": [{"url": TYPE, "valueCode": type_}], **elements}


READ = [
    ("a decision", r5("permit"), "permit", "permit"),
    ("a decision against", r5("deny"), "deny", "deny"),
    ("a provision is an exception", r5("permit", RESEARCH), "permit", "deny"),
    ("and to a denial too", r5("deny", RESEARCH), "deny", "permit"),
    ("an exception to the exception", r5("permit", {"provision": [RESEARCH]}), "deny", "permit"),
    ("a period that is over", r5("permit", period={"end": "2020"}), "none", "none"),
    ("an exception for another", r5("permit", {"actor": [actor("Organization/2")]}), "permit", "permit"),
    ("resource types", r5("permit", {"resourceType": [coding("Observation", "http://hl7.org/fhir/fhir-types")]}), "deny", "deny"),
    ("another resource type", r5("permit", {"resourceType": [coding("Coverage", words.RESOURCE_TYPES)]}), "permit", "permit"),
    ("a code nobody asked for", r5("permit", {"code": [HR_CODE]}), "permit", "permit"),
    ("a basis that opts in", r5("permit", regulatoryBasis=[policy("OPTIN")]), "permit", "permit"),
    ("a basis alone never permits", r5(None, regulatoryBasis=[policy("OPTIN")]), "none", "none"),
    ("a basis alone denies", r5(None, regulatoryBasis=[policy("OPTOUT")]), "deny", "deny"),
    ("a basis against a decision", r5("permit", regulatoryBasis=[policy("OPTOUT")]), "deny", "deny"),
    ("a law says nothing", r5("permit", regulatoryBasis=[policy("hipaa-self-pay")]), "permit", "permit"),
    ("provisions without a decision deny", r5(None, RESEARCH), "none", "deny"),
    ("a decision nobody knows denies", r5("maybe"), "deny", "deny"),
    ("provisions that say their types", r5(None, said("permit"), said("deny", **RESEARCH)), "permit", "deny"),
    ("the saying of a type beside a decision is none", r5("permit", said("permit")), "deny", "deny"),
    ("a type that contradicts its depth denies", r5("deny", {"type": "deny"}), "deny", "deny"),
    ("a type that contradicts its depth permits nothing", r5("permit", {"type": "permit", **RESEARCH}), "permit", "deny"),
    ("a type that says what the depth does", r5("permit", {"type": "deny", **RESEARCH}), "permit", "deny"),
    ("a class of R4 in it is not read", r5("permit", {"class": [coding("Coverage", words.RESOURCE_TYPES)]}), "deny", "deny"),
    ("a document type is not read", r5("permit", {"documentType": [coding("application/pdf", "urn:ietf:bcp:13")]}), "deny", "deny"),
    ("an expression is not read", r5("permit", {"expression": {"language": "text/fhirpath"}}), "deny", "deny"),
    ("nor lifts it anything", r5("deny", {"expression": {"language": "text/fhirpath"}}), "deny", "deny"),
    ("research by its category", r5("permit", category=[{"coding": [coding("research", "http://terminology.hl7.org/CodeSystem/consentcategorycodes")]}]), "none", "permit"),
    ("a category that may be of anything", r5("permit", category=[{"coding": [coding("59284-0", "http://loinc.org")]}]), "none", "none"),
    ("and denies all the same", r5("deny", category=[{"coding": [coding("59284-0", "http://loinc.org")]}]), "deny", "deny"),
    ("a grantee", r5("permit", grantee=[{"reference": "Organization/1"}]), "permit", "permit"),
    ("another grantee", r5("permit", grantee=[{"reference": "Organization/2"}]), "none", "none"),
    ("a grantee without a name", r5("permit", grantee=[{"display": "Good Health Clinic"}]), "none", "none"),
    ("a denial is not of grantees alone", r5("deny", grantee=[{"reference": "Organization/2"}]), "deny", "deny"),
    ("who manages and controls it says nothing", r5("permit", manager=[{"reference": "Organization/2"}], controller=[{}]), "permit", "permit"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "treat", "research"), [r[1:] for r in READ], ids=[r[0] for r in READ])
def test_what_an_r5_consent_says(resource, treat, research):
    assert edition_of(resource)[0] == "r5" or "provision" not in resource
    assert (answer(resource, edition="r5"), answer(resource, "HRESCH", edition="r5")) == (treat, research)


def test_places_are_those_of_r5():
    resource = r5("permit", {"resourceType": [coding("Nothing", "urn:x")], "provision": [{"type": "deny"}]})
    assert ("consent.class-unread", "Consent.provision[0].resourceType") in remarks(resource)
    assert ("consent.element-unread", "Consent.provision[0].provision[0]") in remarks(resource)
    assert [s.source.split()[2] for s in reading(resource).statements] == ["decision", "provision[0]", "provision[0].provision[0]"]  # fmt: skip
    assert ("consent.scope-other", "Consent.category") in remarks(r5("permit", category=[]))
    assert ("consent.contradicted", "Consent.decision") in remarks(
        r5("permit", regulatoryBasis=[policy("OPTOUT")])
    )
    with pytest.raises(InputError) as error:
        reading(r5("permit", {"actor": ["x"]}))
    assert error.value.where == "Consent.provision[0].actor"


def test_whose_it_is():
    named = {"identifier": {"system": "urn:x", "value": "7"}}
    assert [v.reveal() for _, v, _ in reading(r5("permit", subject=named)).patient.identifiers] == ["7"]
    old = consent(
        id="a", organization=[{"reference": "Organization/2"}], identifier=[{"system": "urn:x", "value": "1"}]
    )
    new = r5(
        "permit",
        id="b",
        controller=[{"reference": "Organization/2"}],
        identifier=[{"system": "urn:x", "value": "1"}],
    )
    assert reading(old).origins == reading(new).origins, (
        "a later version of it takes its place, whatever its edition"
    )


@pytest.mark.parametrize("status", ["draft", "inactive", "not-done", "entered-in-error"])
def test_only_an_active_one_says_anything(status):
    assert not reading(r5("deny", status=status)).active


def test_one_that_may_be_active_denies_and_does_not_permit():
    assert (answer(r5("permit", status="unknown")), answer(r5("deny", status="unknown"))) == ("none", "deny")
    assert ("consent.status-unknown", "Consent.status") in remarks(r5("permit", status="unknown"))


@pytest.mark.parametrize(
    ("edition", "status"), [("r4", "unknown"), ("r4", "not-done"), ("r5", "proposed"), ("r5", "rejected")]
)
def test_a_status_of_the_other_edition_is_a_mistake(edition, status):
    resource = r5("deny", status=status) if edition == "r5" else consent(rule("deny"), status=status)
    with pytest.raises(InputError, match=r"Consent\.status"):
        reading(resource)


# --- which edition


EDITIONS = [
    (consent(rule()), "r4", False),
    (r5("permit"), "r5", False),
    (r5(None, RESEARCH), "r5", False),
    ({"resourceType": "Consent", "status": "active"}, "r4", False),
    ({"meta": {"profile": ["http://hl7.org/fhir/5.0/StructureDefinition/Consent"]}}, "r5", False),
    ({"meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/Consent|5.0.0"]}}, "r5", False),
    ({"meta": {"profile": ["http://example.org/StructureDefinition/Consent|5.0.0"]}}, "r4", False),
    (consent(rule(), decision="permit"), "r4", True),
    (consent(rule(), meta={"profile": ["http://hl7.org/fhir/5.0/StructureDefinition/Consent"]}), "r4", True),
    (r5("permit", RESEARCH, patient={"reference": "Patient/1"}), "r5", True),
    (r5("permit", dateTime="2026"), "r4", True),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "edition", "mixed"), EDITIONS)
def test_which_edition_a_consent_is_of(resource, edition, mixed):
    assert edition_of(resource) == (edition, mixed)


MIXED = [
    (r5("permit", dateTime="2026"), "none"),
    (r5("deny", dateTime="2026"), "deny"),
    (r5("deny", policyRule=policy("OPTIN")), "deny"),
    (r5("permit", policyRule=policy("OPTOUT")), "deny"),
    (r5("permit", RESEARCH, policyRule=policy("OPTIN")), "deny"),
    (r5("deny", {"provision": [RESEARCH]}, scope=PRIVACY[0]), "deny"),
    (consent(rule("permit"), decision="deny"), "deny"),
    (consent(rule("permit"), decision="permit"), "none"),
    (consent(rule("permit"), regulatoryBasis=[policy("OPTOUT")]), "deny"),
]


@pytest.mark.parametrize(("resource", "expected"), MIXED)
def test_one_of_both_editions_permits_nothing_and_denies_all_where_either_denies(resource, expected):
    assert (answer(resource), answer(resource, "HRESCH")) == (expected, expected)
    assert ("consent.edition-mixed", "Consent") in remarks(resource)


def test_who_says_the_edition_is_believed():
    resource = r5("permit", RESEARCH)
    assert answer(resource, "HRESCH", edition="r5") == "deny"
    with pytest.raises(InputError, match=r"Consent\.provision"):
        reading(resource, edition="r4")
    with pytest.raises(InputError, match=r"Consent\.provision"):
        reading(consent(rule()), edition="r5")
    # What the edition that was said does not have makes all of it doubtful.
    assert answer(r5("permit", dateTime="2026"), edition="r5") == "none"
    assert answer(r5("deny", dateTime="2026", period={"end": "2020"}), edition="r5") == "deny"


def test_every_purpose_is_of_some_decision():
    assert {answer(r5("permit"), str(purpose)) for purpose in Purpose} == {"permit"}
