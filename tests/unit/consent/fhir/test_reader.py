"""Consents as FHIR writes them: what each element means, and what is made of one that cannot be read."""

import copy
import datetime as dt
from zoneinfo import ZoneInfo

import orjson
import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.unit.policy.small import NOW_US

from oathward.consent.fhir import words
from oathward.consent.fhir.dates import moment
from oathward.consent.fhir.parts import REMARKS
from oathward.consent.fhir.reader import PROVISIONS_MAX, Reading, read
from oathward.consent.query import Query, ask
from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.labels import CLASSES, Purpose

SCOPE = {"coding": [{"system": words.SCOPE, "code": "patient-privacy"}]}
HR, SPO2 = "LN|8867-4", "MDC|150456"
HR_CODE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}


def consent(provision: object = None, **more: object) -> dict:
    found = {"resourceType": "Consent", "status": "active", "scope": SCOPE, **more}
    return found if provision is None else found | {"provision": provision}


def reading(resource: dict, **options) -> Reading:
    return read(resource, orjson.dumps(resource), **options)


def rule(type_: str | None = "permit", **elements: object) -> dict:
    return ({"type": type_} if type_ else {}) | elements


def actor(
    reference: object = "Organization/1", code: str = "IRCP", system: str = words.PARTICIPATION
) -> dict:
    reference = {"reference": reference} if isinstance(reference, str) else reference
    return {"role": {"coding": [{"system": system, "code": code}]}, "reference": reference}


def coding(code: str, system: str = words.ACT_REASON) -> dict:
    return {"system": system, "code": code}


def policy(code: str) -> dict:
    return {"coding": [coding(code, words.ACT_CODE)]}


def answer(resource: dict, **query: object) -> str:
    plain = {"purpose": "TREAT", "recipient": frozenset({"Organization/1"}), "at_us": NOW_US}
    return ask(reading(resource).statements, Query(**(plain | query))).word


def remarks(resource: dict) -> set[str]:
    return {remark.code for remark in reading(resource).remarks}


# --- what counts, and what holds where no provision speaks


@pytest.mark.parametrize("status", ["aktive", "ACTIVE", "gone", "", 1, None, ["active"]])
def test_a_status_that_r4_does_not_have_is_a_mistake_and_not_a_consent_that_says_nothing(status):
    """A denial with a slip of the pen must not be passed over."""
    for type_ in ("permit", "deny"):
        with pytest.raises(InputError, match=r"Consent\.status") as refused:
            reading(consent(rule(type_), status=status))
        assert "aktive" not in str(refused.value)


@pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "inactive", "entered-in-error"])
def test_only_an_active_consent_says_anything(status):
    for type_ in ("permit", "deny"):
        found = reading(consent(rule(type_), status=status))
        assert (found.active, found.statements) == (False, ())
        assert {r.code for r in found.remarks} == {"consent.not-active"}
        assert found.origins


BASES = [
    ("opt in", consent(policyRule=policy("OPTIN")), "permit"),
    ("opt out", consent(policyRule=policy("OPTOUT")), "deny"),
    ("opt in, with restrictions", consent(policyRule=policy("OPTINR")), "permit"),
    ("opt out, with exceptions", consent(policyRule=policy("OPTOUTE")), "deny"),
    ("a law", consent(policyRule=policy("hipaa-self-pay")), "none"),
    ("nothing", consent(), "none"),
    ("both", consent(policyRule={"coding": [coding("OPTIN", words.ACT_CODE), coding("OPTOUT", words.ACT_CODE)]}), "deny"),
    ("a code of another system", consent(policyRule={"coding": [coding("OPTIN", "urn:x")]}), "none"),
    ("the root's type", consent(rule("permit"), policyRule=policy("hipaa-self-pay")), "permit"),
    ("the root's type, denying", consent(rule("deny")), "deny"),
    ("opt in, in a period", consent(rule(None, period={"start": "2020"}), policyRule=policy("OPTIN")), "permit"),
    ("opt in, in a period that is over", consent(rule(None, period={"end": "2020"}), policyRule=policy("OPTIN")), "none"),
    ("opt out, with an exception at the root", consent(rule("permit", actor=[actor()]), policyRule=policy("OPTOUT")), "permit"),
    ("opt out, an exception for another", consent(rule("permit", actor=[actor("Organization/2")]), policyRule=policy("OPTOUT")), "deny"),
    ("opt in, with an exception at the root", consent(rule("deny", actor=[actor()]), policyRule=policy("OPTIN")), "deny"),
    ("opt in, an exception for another", consent(rule("deny", actor=[actor("Organization/2")]), policyRule=policy("OPTIN")), "permit"),
    ("opt in, over when its exception is", consent(rule("deny", actor=[actor("Organization/2")], period={"end": "2020"}), policyRule=policy("OPTIN")), "none"),
    ("opt out, with conditions nobody can place", consent(rule(None, actor=[actor("Organization/2")]), policyRule=policy("OPTOUT")), "deny"),
    ("no type, a nested permit", consent(rule(None, provision=[rule("permit")])), "permit"),
    ("no type, a nested denial", consent(rule(None, provision=[rule("deny")])), "deny"),
    ("a nested rule without a type", consent(rule("permit", provision=[rule(None)])), "deny"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "expected"), [row[1:] for row in BASES], ids=[row[0] for row in BASES])
def test_what_holds_where_no_provision_speaks(resource, expected):
    assert answer(resource) == expected


def test_emergency_only():
    resource = consent(policyRule=policy("EMRGONLY"))
    assert answer(resource) == "deny"
    assert answer(resource, purpose="ETREAT") == answer(resource, purpose="BTG") == "permit"


@pytest.mark.parametrize(
    ("scope", "treat", "research"),
    [("patient-privacy", "permit", "permit"), ("research", "none", "permit"), ("treatment", "permit", "none"),
     ("adr", "none", "none"), ("other", "none", "none")],
)  # fmt: skip
def test_a_scope_is_of_purposes(scope, treat, research):
    resource = consent(rule("permit"), scope={"coding": [coding(scope, words.SCOPE)]})
    assert (answer(resource), answer(resource, purpose="HRESCH")) == (treat, research)
    assert ("consent.scope-other" in remarks(resource)) is (scope in {"adr", "other"})


def test_a_denial_of_another_scope_is_of_everything():
    for scope in ({"coding": [coding("adr", words.SCOPE)]}, {"text": "x"}, {}):
        assert answer(consent(rule("deny"), scope=scope)) == "deny"
    research = {"coding": [coding("research", words.SCOPE)]}
    assert answer(consent(rule("deny"), scope=research)) == "none", "it is of research"
    assert answer(consent(rule("deny", purpose=[coding("TREAT")]), scope=research)) == "deny", "it says so"


def test_a_scope_may_stand_as_a_category():
    old = {k: v for k, v in consent(rule("permit"), category=[SCOPE, {"coding": []}]).items() if k != "scope"}
    assert answer(old) == "permit"
    assert answer({k: v for k, v in old.items() if k != "category"}) == "none"


# --- conditions

CONDITIONS = [
    ("purpose", {"purpose": [coding("TREAT")]}, {}, {"purpose": "HRESCH"}),
    ("one of two purposes", {"purpose": [coding("HRESCH"), coding("TREAT")]}, {}, {"purpose": "HPAYMT"}),
    ("a purpose below", {"purpose": [coding("TREAT")]}, {"purpose": "ETREAT"}, {"purpose": "PUBHLTH"}),
    ("every purpose", {"purpose": [coding("PurposeOfUse")]}, {}, None),
    ("actor", {"actor": [actor()]}, {}, {"recipient": frozenset({"Organization/2"})}),
    ("one of two actors", {"actor": [actor("Practitioner/1"), actor()]}, {}, {"recipient": frozenset({"x"})}),
    ("an actor with its version", {"actor": [actor("Organization/1/_history/3")]}, {}, {"recipient": frozenset({"x"})}),
    ("an actor by identifier", {"actor": [actor({"identifier": {"system": "urn:x", "value": "7"}})]}, {"recipient": frozenset({"urn:x|7"})}, {}),
    ("an actor by both", {"actor": [actor({"reference": "Organization/9", "identifier": {"system": "urn:x", "value": "7"}})]}, {"recipient": frozenset({"urn:x|7"})}, {}),
    ("primary recipient", {"actor": [actor(code="PRCP")]}, {}, {"recipient": frozenset({"x"})}),
    ("class", {"class": [coding("Observation", words.RESOURCE_TYPES)]}, {}, {"class_": "patient.name"}),
    ("another class", {"class": [coding("Patient", words.RESOURCE_TYPES)]}, {"class_": "patient.name"}, {}),
    ("code", {"code": [HR_CODE]}, {"codes": frozenset({HR})}, {"codes": frozenset({SPO2})}),
    ("code by its translation", {"code": [HR_CODE]}, {"codes": frozenset({SPO2, HR})}, {}),
    ("code of a system nobody named", {"code": [{"coding": [coding("7", "urn:acme")]}]}, {"codes": frozenset({"urn:acme|7"})}, {}),
    ("sensitivity", {"securityLabel": [coding("HIV", words.ACT_CODE)]}, {"sensitivity": frozenset({"HIV"})}, {}),
    ("a sensitivity below", {"securityLabel": [coding("SPI", words.ACT_CODE)]}, {"sensitivity": frozenset({"OPIOIDUD"})}, {"sensitivity": frozenset({"HIV"})}),
    ("period", {"period": {"start": "2026-01-01", "end": "2026-12-31"}}, {}, {"at_us": NOW_US + 200 * 86_400_000_000}),
    ("disclosure", {"action": [{"coding": [coding("disclose", words.ACTION)]}]}, {}, None),
    ("access and correction", {"action": [{"coding": [coding(c, words.ACTION)]} for c in ("access", "correct")]}, {}, None),
    ("words from before R4", {"purpose": [coding("TREAT", "http://hl7.org/fhir/v3/ActReason")]}, {}, {"purpose": "HRESCH"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("elements", "inside", "outside"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS]
)
@pytest.mark.parametrize("type_", ["permit", "deny"])
def test_a_condition_is_met_or_not(type_, elements, inside, outside):
    resource = consent(rule(type_, **elements))
    assert answer(resource, **inside) == type_
    if outside is not None:
        assert answer(resource, **outside) == "none"
    assert not remarks(resource)


def test_a_confidentiality_is_a_high_water_mark():
    resource = consent(rule("permit", securityLabel=[coding("R", words.CONFIDENTIALITY)]))
    assert [answer(resource, confidentiality=level) for level in "UNRV"] == [
        "permit",
        "permit",
        "permit",
        "none",
    ]
    resource = consent(rule("deny", securityLabel=[coding("R", words.CONFIDENTIALITY)]))
    assert [answer(resource, confidentiality=level) for level in "UNRV"] == ["none", "none", "deny", "deny"]
    assert remarks(resource) == {"consent.label-at-least"}


def test_two_kinds_of_labels():
    labels = [coding("R", words.CONFIDENTIALITY), coding("HIV", words.ACT_CODE)]
    hiv = frozenset({"HIV"})
    permit, deny = consent(rule("permit", securityLabel=labels)), consent(rule("deny", securityLabel=labels))
    for level, kinds, permitted, denied in (
        ("N", hiv, "permit", "deny"), ("R", hiv, "permit", "deny"), ("V", hiv, "none", "deny"),
        ("R", frozenset(), "none", "deny"), ("N", frozenset(), "none", "none"), ("N", hiv | {"PSY"}, "none", "deny"),
    ):  # fmt: skip
        assert answer(permit, confidentiality=level, sensitivity=kinds) == permitted
        assert answer(deny, confidentiality=level, sensitivity=kinds) == denied


def test_a_code_that_came_without_its_system():
    """It may be that one: a denial takes it, a permit does not give it."""
    bare = frozenset({"|8867-4"})
    assert answer(consent(rule("permit", code=[HR_CODE])), codes=bare) == "none"
    assert answer(consent(rule("deny", code=[HR_CODE])), codes=bare) == "deny"


def test_an_absolute_reference():
    whole = "https://ehr.example/fhir/Organization/1"
    for type_, relative in (("permit", "none"), ("deny", "deny")):
        resource = consent(rule(type_, actor=[actor(whole)]))
        assert answer(resource, recipient=frozenset({whole})) == type_
        assert answer(resource) == relative


def test_a_contained_actor_is_known_by_its_identifiers():
    one = {"resourceType": "Organization", "id": "o", "identifier": [{"system": "urn:x", "value": "7"}]}
    for type_ in ("permit", "deny"):
        resource = consent(rule(type_, actor=[actor("#o")]), contained=[one])
        assert answer(resource, recipient=frozenset({"urn:x|7"})) == type_
        assert answer(resource) == "none"
    assert answer(consent(rule("deny", actor=[actor("#gone")]))) == "deny"


def test_the_numbers_of_relatives_are_not_kept():
    by_id = {"system": "urn:ssn", "value": "078-05-1120"}
    mother = {"resourceType": "RelatedPerson", "id": "m", "identifier": [by_id]}
    for reference in (
        {"reference": "RelatedPerson/7", "identifier": by_id},
        {"type": "RelatedPerson", "identifier": by_id},
        {"reference": "#m"},
    ):
        for type_ in ("permit", "deny"):
            resource = consent(rule(type_, actor=[actor(reference)]), contained=[mother])
            assert "078-05-1120" not in repr(reading(resource).statements)
            assert answer(resource) == "none", "no recipient is one of them"


# --- what cannot be read

UNREAD = [
    ("consent.modifier-unread", {"modifierExtension": [{"url": "urn:x"}], "purpose": [coding("HRESCH")]}),
    ("consent.element-unread", {"expression": {"language": "text/fhirpath"}}),
    ("consent.data-unread", {"data": [{"meaning": "related", "reference": {"reference": "Encounter/1"}}]}),
    ("consent.data-unread", {"dataPeriod": {"start": "2020"}}),
    ("consent.purpose-unread", {"purpose": [coding("TREAT", "urn:x")]}),
    ("consent.purpose-unread", {"purpose": [coding("BILLING"), coding("HRESCH")]}),
    ("consent.purpose-unread", {"purpose": [{"display": "research"}]}),
    ("consent.class-unread", {"class": [coding("34133-9", "http://loinc.org")]}),
    ("consent.class-unread", {"class": [coding("Sequence", words.RESOURCE_TYPES)]}),
    ("consent.code-unread", {"code": [{"text": "heart rate"}]}),
    ("consent.code-unread", {"code": [{"coding": [{"code": "8867-4"}]}]}),
    ("consent.label-unread", {"securityLabel": [coding("NODSCLCD", words.ACT_CODE)]}),
    ("consent.label-unread", {"securityLabel": [coding("HIV", "urn:x")]}),
    ("consent.label-unread", {"securityLabel": [{}]}),
    ("consent.actor-unread", {"actor": [actor(code="CST")]}),
    ("consent.actor-unread", {"actor": [actor(), actor(code="AUT")]}),
    ("consent.actor-unread", {"actor": [actor({"display": "Good Health Clinic"})]}),
    ("consent.actor-unread", {"actor": [actor({"identifier": {"value": "7"}})]}),
    ("consent.actor-unread", {"actor": [actor() | {"modifierExtension": [{}]}]}),
    ("consent.actor-unread", {"actor": [actor(system="urn:x")]}),
    ("consent.period-unread", {"period": {"start": "yesterday"}}),
    ("consent.period-unread", {"period": {"start": "2026-01-01T08:00:00"}}),
    ("consent.period-unread", {"period": {"end": 2026}, "purpose": [coding("TREAT")]}),
    ("consent.period-unread", {"period": {"start": "2027", "end": "2026"}}),
    ("consent.action-other", {"action": [{"coding": [coding("read", words.ACTION)]}]}),
    ("consent.action-other", {"action": [{"text": "access"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "elements"), UNREAD, ids=[f"{n}-{row[0]}" for n, row in enumerate(UNREAD)])
def test_what_cannot_be_read_permits_nothing_and_denies_all_of_it(code, elements):
    assert answer(consent(rule("permit", **elements))) == "none", "the permit does not count"
    assert answer(consent(rule("deny", **elements))) == "deny", "the denial counts without that condition"
    lifted = consent(rule("deny", provision=[rule("permit", **elements)]))
    assert answer(lifted) == "deny", "it is no exception either"
    for resource in (consent(rule("deny", **elements)), lifted):
        assert code in remarks(resource)


def test_what_is_read_of_a_list_still_permits():
    resource = consent(rule("permit", purpose=[coding("TREAT"), coding("BILLING")]))
    assert (answer(resource), answer(resource, purpose="HRESCH")) == ("permit", "none")


def test_a_purpose_that_is_none_of_ours():
    assert answer(consent(rule("deny", purpose=[coding("HMARKT")]))) == "none", "no link is for that"
    narrower = [coding("CLINTRCH")]
    assert answer(consent(rule("permit", purpose=narrower)), purpose="HRESCH") == "none"
    assert answer(consent(rule("deny", purpose=narrower)), purpose="HRESCH") == "deny", "it may be that"


@pytest.mark.parametrize(
    ("action", "permit", "deny"),
    [("collect", "none", "deny"), ("use", "none", "deny"), ("correct", "none", "none")],
)
def test_other_actions(action, permit, deny):
    of = [{"coding": [coding(action, words.ACTION)]}]
    assert (answer(consent(rule("permit", action=of))), answer(consent(rule("deny", action=of)))) == (
        permit,
        deny,
    )
    assert "consent.action-other" in remarks(consent(rule("permit", action=of)))


@pytest.mark.parametrize(
    "more", [{"modifierExtension": [{}]}, {"implicitRules": "urn:x"}, {"decision": "permit"}]
)
def test_what_may_turn_the_whole_consent(more):
    narrow = {"purpose": [coding("HRESCH")]}
    assert answer(consent(rule("permit"), **more)) == "none"
    assert answer(consent(rule("deny", **narrow), **more)) == "deny"
    assert answer(consent(rule("permit", provision=[rule("deny", **narrow)]), **more)) == "deny"
    assert answer(consent(rule("permit"), _status={"id": "x"})) == "permit", (
        "an extension of a value is none of these"
    )


def test_a_modifier_turns_what_is_nested_too():
    nested = rule("deny", purpose=[coding("HRESCH")])
    resource = consent(rule("permit", provision=[rule("permit", modifierExtension=[{}], provision=[nested])]))
    assert answer(resource) == "deny"


def test_more_than_is_read_denies_everything():
    many = consent(rule("permit", provision=[rule("permit")] * (PROVISIONS_MAX + 1)))
    deep = rule("permit")
    for _ in range(20):
        deep = rule("permit", provision=[deep])
    wide = [rule("deny", actor=[actor(f"Practitioner/{n}")]) for n in range(PROVISIONS_MAX)]
    for resource in (many, consent(deep), consent(rule("permit", provision=wide))):
        assert answer(resource) == "deny"
        assert "consent.too-large" in remarks(resource)


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        ({"resourceType": "Patient"}, "resourceType"),
        (consent([]), "Consent.provision"),
        (consent(rule(provision={})), "Consent.provision.provision"),
        (consent(rule(provision=[rule(actor=["x"])])), "Consent.provision.provision[0].actor"),
        (consent(rule(purpose="TREAT")), "Consent.provision.purpose"),
        (consent(rule(action={})), "Consent.provision.action"),
    ],
)
def test_what_is_no_consent_is_refused_with_its_place(resource, where):
    with pytest.raises(InputError) as error:
        reading(resource)
    assert error.value.where == where


# --- what becomes of it


def test_a_statement_says_which_provision_it_was():
    resource = consent(rule("permit", provision=[rule("deny", actor=[actor("Organization/2")])]))
    found = reading(resource)
    permit, denial = found.statements
    digest = permit.source.split()[1]
    assert len(digest) == 64
    assert permit.source == f"fhir {digest} provision"
    assert denial.source == f"fhir {digest} provision.provision[0]"
    assert permit.fact.id != denial.fact.id
    assert permit.origins == denial.origins == found.origins


def test_what_a_consent_is_known_by():
    first = consent(identifier=[{"system": "urn:x", "value": "1"}, {"system": "urn:x", "value": "2"}], id="a")
    second = consent(rule("deny"), identifier=[{"system": "urn:x", "value": "2"}], id="b")
    other = consent(identifier=[{"system": "urn:y", "value": "2"}], id="b")
    assert reading(first).origins & reading(second).origins
    assert not reading(second).origins & reading(other).origins
    by_id, moved = consent(id="a"), consent(id="a", organization=[{"reference": "Organization/2"}])
    assert reading(by_id).origins == reading(consent(rule("deny"), id="a")).origins
    assert reading(by_id).origins != reading(moved).origins
    assert reading(consent()).origins != reading(consent(rule("deny"))).origins


def test_whose_consent_it_is():
    by_id = reading(
        consent(patient={"identifier": {"system": "urn:x", "value": "1", "type": {"coding": [coding("MR")]}}})
    )
    assert [(s, v.reveal(), t) for s, v, t in by_id.patient.identifiers] == [("urn:x", "1", "MR")]
    assert reading(consent(patient={"reference": "Patient/52"})).patient.reference.reveal() == "Patient/52"
    inside = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:x", "value": "2"}]}
    held = reading(consent(patient={"reference": "#p"}, contained=[inside]))
    assert [v.reveal() for _, v, _ in held.patient.identifiers] == ["2"]
    assert "52" not in repr(reading(consent(patient={"reference": "Patient/52"})))
    assert reading(consent()).patient.identifiers == ()


def test_reading_changes_nothing():
    resource = consent(rule("permit", modifierExtension=[{}], provision=[rule("deny")]))
    before = copy.deepcopy(resource)
    reading(resource)
    assert resource == before


def test_every_remark_has_its_words():
    assert all(text and code.startswith("consent.") for code, text in REMARKS.items())


# --- words


def test_our_purposes_have_their_place_among_the_standards():
    for purpose in Purpose:
        narrow, wide = words.purposes_of(str(purpose))
        assert str(purpose) in narrow
        assert narrow == wide


def test_each_resource_type_is_of_classes_there_are():
    for type_ in ("Observation", "Patient", "Condition", "Device", "MedicationRequest", "DocumentReference"):
        own, taken = words.classes_of_type(type_)
        assert own <= taken <= CLASSES
    assert words.classes_of_type("Bundle") == (frozenset({"*"}), frozenset({"*"}))


# --- time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2026-12", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2024-02", "2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("2026-03-31", "2026-03-31T00:00:00+00:00", "2026-04-01T00:00:00+00:00"),
        ("2026-03-31T10:00:00Z", "2026-03-31T10:00:00+00:00", "2026-03-31T10:00:01+00:00"),
        ("2026-03-31T10:00:00+02:00", "2026-03-31T08:00:00+00:00", "2026-03-31T08:00:01+00:00"),
        ("2026-03-31T10:00:00-05:30", "2026-03-31T15:30:00+00:00", "2026-03-31T15:30:01+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00", "2017-01-01T00:00:01+00:00"),
        ("2026-03-31T10:00:00.5Z", "2026-03-31T10:00:00.500000+00:00", "2026-03-31T10:00:00.600000+00:00"),
        ("2026-03-31T10:00:00.123Z", "2026-03-31T10:00:00.123000+00:00", "2026-03-31T10:00:00.124000+00:00"),
        ("2026-03-31T10:00:00.12345678Z", "2026-03-31T10:00:00.123456+00:00", "2026-03-31T10:00:00.123457+00:00"),
    ],
)  # fmt: skip
def test_a_time_of_any_precision(text, start, end):
    assert moment(text, end=False, zone=dt.UTC) == micros(dt.datetime.fromisoformat(start))
    assert moment(text, end=True, zone=dt.UTC) == micros(dt.datetime.fromisoformat(end))


def test_a_day_is_of_the_zone_that_is_named():
    for text, start, end in (
        ("2026-03-29", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),  # 23 hours
        ("2026-07", "2026-07-01T00:00:00+02:00", "2026-08-01T00:00:00+02:00"),
    ):
        assert moment(text, end=False, zone=BERLIN) == micros(dt.datetime.fromisoformat(start))
        assert moment(text, end=True, zone=BERLIN) == micros(dt.datetime.fromisoformat(end))
    inside = "2026-03-31T10:00:00Z"
    assert moment(inside, end=False, zone=BERLIN) == moment(inside, end=False, zone=dt.UTC)


def test_the_end_of_all_time_is_no_end():
    assert moment("9999", end=True, zone=dt.UTC) is None
    assert moment("9999-12-31", end=True, zone=dt.UTC) is None
    assert moment("0001-01-01", end=False, zone=ZoneInfo("Asia/Tokyo")) is None


@pytest.mark.parametrize(
    "text",
    ["", "26", "0000", "2026-13", "2026-02-30", "2026-1-1", "2026-01-01T10:00Z", "2026-01-01T24:00:00Z", "2026-01-01T10:00:00",
     "2026-01-01 10:00:00Z", "2026-01-01T10:00:00+15:00", "2026-01-01T10:00:00.Z", "x2026", "2026\n"],
)  # fmt: skip
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=r"."):
        moment(text, end=False, zone=dt.UTC)


# --- examples of others


@needs_corpus
def test_the_example_of_the_standard():
    """It opts in, until the end of the first day of 2016."""
    body = (CORPUS / "fhir/r4-examples/consent-example.json").read_bytes()
    found = read(orjson.loads(body), body)
    assert not found.remarks
    for day, word in (
        ("1963-12-31", "none"),
        ("1964-01-01", "permit"),
        ("2016-01-01", "permit"),
        ("2016-01-02", "none"),
    ):
        at_us = moment(day, end=False, zone=dt.UTC)
        asked = Query("TREAT", frozenset({"anybody"}), at_us)
        assert ask(found.statements, asked).word == word
