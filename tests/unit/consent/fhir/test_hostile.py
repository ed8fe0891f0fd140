"""Consents that are malformed, contradictory, too deep, unsigned, of another day or another patient: the narrower answer wins.

Each row is the same for a permit and for a denial: what a doubt takes from the one it leaves to the other.
"""

import orjson
import pytest
from tests.unit.consent.fhir.test_r5 import RESEARCH, r5
from tests.unit.consent.fhir.test_reader import actor, coding, consent, policy, rule
from tests.unit.policy.small import NOW_US

from oathward.consent.arrived import arrived
from oathward.consent.fhir.reader import PROVISIONS_MAX, read
from oathward.consent.fhir.sets import gather
from oathward.consent.query import Query, ask
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.protocols.fhir.json import loads

DAY_US = 86_400_000_000
STAFF = [{"reference": "Practitioner/1"}]


def found(resource: dict):
    return read(resource, orjson.dumps(resource), now_us=NOW_US)


def answer(resource: dict, **query: object) -> str:
    plain = {"purpose": "TREAT", "recipient": frozenset({"Organization/1"}), "at_us": NOW_US}
    return ask(found(resource).statements, Query(**(plain | query))).word


def deep(levels: int) -> dict:
    inner = rule("permit")
    for _ in range(levels):
        inner = rule("permit", provision=[inner])
    return inner


DOUBTS = [
    ("dated in the future", "consent.dated-ahead", {"dateTime": "2999-01-01"}, {"date": "2999-01-01"}),
    ("a date that is none", "consent.dated-ahead", {"dateTime": "tomorrow"}, {"date": 20260101}),
    ("verified by nobody", "consent.not-verified", {"verification": [{"verified": False}]}, {"verification": [{"verified": False}]}),
    ("a verification that does not say", "consent.not-verified", {"verification": [{}]}, {"verification": [{"verified": "yes"}]}),
    ("given by staff", "consent.giver-other", {"performer": STAFF}, {"grantor": STAFF}),
    ("given by an organisation", "consent.giver-other", {"performer": [{"type": "Organization"}]}, {"grantor": [{"type": "Organization"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "r4", "new"), [row[1:] for row in DOUBTS], ids=[row[0] for row in DOUBTS])
def test_a_doubt_takes_permits_and_leaves_denials(code, r4, new):
    for permit, denial in (
        (consent(rule("permit"), **r4), consent(rule("deny"), **r4)),
        (r5("permit", **new), r5("deny", **new)),
    ):
        assert (answer(permit), answer(denial)) == ("none", "deny")
        for one in (permit, denial):
            assert code in {remark.code for remark in found(one).remarks}
    lifted = consent(rule("deny", provision=[rule("permit")]), **r4)
    assert answer(lifted) == "deny", "no exception of it lifts anything"


@pytest.mark.parametrize(
    "more",
    [
        {"dateTime": "2020"},
        {"verification": [{"verified": False}, {"verified": True}]},
        {"performer": [{"reference": "Patient/1"}]},
        {"performer": [{"reference": "RelatedPerson/1"}, *STAFF]},
        {"performer": [{"display": "a neighbour"}]},
        {"performer": []},
    ],
)
def test_what_is_no_doubt(more):
    assert answer(consent(rule("permit"), **more)) == "permit"


def test_tomorrow_is_not_ahead_for_clocks_and_zones_differ():
    soon = consent(rule("permit"), dateTime="2026-06-01T00:00:00Z")
    at_us = 1_780_272_000_000_000  # that very moment
    for now_us, word in ((at_us - DAY_US, 1), (at_us - DAY_US - 1, 0), (None, 1)):
        assert len(read(soon, b"", now_us=now_us).statements) == word


CONTRADICTIONS = [
    ("opts in and out", consent(policyRule={"coding": policy("OPTIN")["coding"] + policy("OPTOUT")["coding"]})),
    ("permits and denies the same", consent(rule("permit", provision=[rule("deny"), rule("permit")]))),
    ("a basis against its decision", r5("permit", regulatoryBasis=[policy("OPTOUT")])),
    ("a type against its depth", r5("deny", {"type": "deny"})),
    ("two forms at once", consent(rule("permit"), decision="deny")),
    ("a type that is none", consent(rule("allow"))),
    ("a type that is no word", consent(rule(["permit"]))),
    ("a decision that is no word", r5() | {"decision": ["permit"]}),
    ("agrees to a policy that denies all", consent(rule("permit"), policy=[{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-deny"}])),
]  # fmt: skip


@pytest.mark.parametrize("resource", [r[1] for r in CONTRADICTIONS], ids=[r[0] for r in CONTRADICTIONS])
def test_what_contradicts_itself_denies(resource):
    assert answer(resource) == answer(resource, purpose="HRESCH") == "deny"


def test_of_two_consents_the_one_that_denies():
    statements = [*found(consent(rule("permit"))).statements, *found(r5("permit", RESEARCH)).statements]
    asked = Query("HRESCH", frozenset({"Organization/1"}), NOW_US)
    assert ask(statements, asked).word == "deny"


MALFORMED = [
    (consent(rule(provision={})), "Consent.provision.provision"),
    (consent(rule(actor=[None])), "Consent.provision.actor"),
    (consent(rule(), verification={}), "Consent.verification"),
    (consent(rule(), performer=["x"]), "Consent.performer"),
    (consent(rule(), status="activ"), "Consent.status"),
    (r5("permit", status=None), "Consent.status"),
    (r5("permit", provision={}) | {"decision": "permit", "status": "aktive"}, "Consent.status"),
    (r5() | {"provision": []}, "Consent.provision"),
    (r5() | {"provision": ["x"]}, "Consent.provision"),
    (r5("permit", {"provision": {}}), "Consent.provision[0].provision"),
    (r5("permit", {"purpose": "TREAT"}), "Consent.provision[0].purpose"),
    (r5("permit", regulatoryBasis={}), "Consent.regulatoryBasis"),
    (r5("permit", grantee={}), "Consent.grantee"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "where"), MALFORMED)
def test_what_is_malformed_is_refused_with_its_place_and_denies_while_it_waits(resource, where):
    with pytest.raises(InputError) as error:
        found(resource)
    assert error.value.where == where
    problems = gather([("a.json", orjson.dumps(resource))]).problems
    assert [problem.where for problem in problems] == [where]
    [denial] = arrived([resource], "m-1").denials
    assert denial.pending
    assert denial.purposes == denial.classes == denial.recipients == frozenset("*")


@pytest.mark.parametrize("levels", [20, 90])
def test_what_is_too_deep_denies_everything(levels):
    nested = deep(levels)
    new = r5("permit", {"provision": [nested]})
    for resource in (consent(nested), new):
        assert answer(resource) == answer(resource, purpose="HRESCH") == "deny"
        assert "consent.too-large" in {remark.code for remark in found(resource).remarks}
    wide = consent(rule("permit", provision=[rule("permit")] * (PROVISIONS_MAX + 1)))
    assert answer(wide) == answer(r5("deny", *[RESEARCH] * (PROVISIONS_MAX + 1))) == "deny"


def test_what_is_nested_without_end_is_refused_before_it_is_read():
    body = b'{"resourceType":"Consent","status":"active","provision":' + b'[{"provision":' * 5_000
    body += b"[]" + b"}]" * 5_000 + b"}"
    with pytest.raises(OathwardError) as error:
        loads(body)
    assert error.value.reason is Reason.LIMIT_EXCEEDED
    assert [problem.where for problem in gather([("a.json", body)]).problems] == [error.value.where]


def test_what_nobody_signed_permits_nothing_by_arriving():
    """An import is a person's word for it, and the keeper signs; a message is nobody's."""
    for one in (consent(rule("permit")), r5("permit")):
        came = arrived([one], "m-1")
        assert came.denials == ()
        assert came.permits, "what it would permit is known, and is no fact"


def test_a_reference_to_two_patients_is_of_neither():
    def patient(number: str) -> dict:
        by_id = [{"system": "urn:oid:1.2.3", "value": number}]
        return {"resourceType": "Patient", "id": "1", "identifier": by_id}

    for one in (
        consent(rule(), patient={"reference": "Patient/1"}),
        r5("permit", subject={"reference": "Patient/1"}),
    ):
        files = [("c.json", one), *((f"{n}.json", patient(n)) for n in ("7001", "7002"))]
        taken = gather([(name, orjson.dumps(body)) for name, body in files])
        assert [(problem.file, problem.where) for problem in taken.problems] == [
            ("c.json", "Consent.patient")
        ]
        assert [one.patient for one in taken.found] == [()]


def test_a_practitioners_or_a_groups_consent_is_of_no_patient():
    for kind in ("Practitioner", "Group"):
        [one] = gather([("a.json", orjson.dumps(r5("permit", subject={"reference": f"{kind}/1"})))]).found
        assert one.patient == ()


def test_a_recipient_of_another_name_is_nobody():
    resource = consent(rule("permit", actor=[actor("Organization/10")], purpose=[coding("TREAT")]))
    assert answer(resource) == "none"
