"""One test a row of ``oathward.consent.fhir.options``: what an option of IHE Privacy Consent on FHIR comes to here."""

from dataclasses import replace

import orjson
from tests.unit.consent.fhir.test_reader import actor, coding
from tests.unit.policy import small
from tests.unit.policy.small import NOW_US, facts

from oathward.consent.fhir import words
from oathward.consent.fhir.reader import read
from oathward.consent.fhir.whole import PCF
from oathward.consent.query import Query, ask
from oathward.core.labels import Purpose
from oathward.policy.decide import decide
from oathward.policy.memo import Memo
from oathward.policy.model import Permit

TPO = [coding("TREAT"), coding("HPAYMT"), coding("HOPERAT")]
ALL = ("TREAT", "HPAYMT", "HOPERAT", "HRESCH", "BTG", "PUBHLTH")
BUNDLE = small.bundle()


def pcf(type_: str = "permit", policy: str = "http://example.org/policy", **provision: object) -> dict:
    """A Consent in the shape of the profile: what it always has, and one provision."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [coding("patient-privacy", words.SCOPE)]},
        "category": [{"coding": [coding("59284-0", "http://loinc.org")]}],
        "patient": {"reference": "Patient/1"},
        "dateTime": "2022-06-13",
        "performer": [{"reference": "Patient/1"}],
        "organization": [{"reference": "Organization/9"}],
        "sourceReference": {"reference": "DocumentReference/1"},
        "policy": [{"uri": policy}],
        "provision": {"type": type_, **provision},
    }


def answer(resource: dict, purpose: str = "TREAT", recipient: str = "Organization/1", **more: object) -> str:
    found = read(resource, orjson.dumps(resource), now_us=NOW_US)
    asked = Query(purpose, frozenset({recipient}), **({"at_us": NOW_US} | more))
    return ask(found.statements, asked).word


def answers(resource: dict) -> dict[str, str]:
    return {purpose: answer(resource, purpose) for purpose in ALL}


def implicit(*without_consent: str) -> set[str]:
    """The purposes for which data go out of whose patient nobody ever said anything."""
    found = set()
    for purpose in ALL:
        link = replace(
            BUNDLE.links["ehr"], purpose=Purpose(purpose), without_consent=purpose in without_consent
        )
        bundle = replace(BUNDLE, answers=Memo(), verdicts=Memo())
        if isinstance(decide(bundle, link, facts(consents=(), consent_version=0), NOW_US), Permit):
            found.add(purpose)
    return found


def test_implicit_deny():
    assert implicit() == set()


def test_implicit_basic_normal():
    assert implicit("TREAT") == {"TREAT"}


def test_implicit_all_normal():
    assert implicit(*ALL) == set(ALL)


def test_implicit_break_glass_only():
    assert implicit("BTG") == {"BTG"}


def test_basic_overarching_policy():
    both = {
        policy: answers(pcf(policy=PCF + policy))
        for policy in ("deny", "break-glass-only", "basic-normal", "all-normal")
    }
    assert set(both["deny"].values()) == {"deny"}
    assert both["break-glass-only"] == dict.fromkeys(ALL, "deny") | {"BTG": "permit"}
    assert both["basic-normal"] == dict.fromkeys(ALL, "none") | {"TREAT": "permit", "BTG": "permit"}
    assert set(both["all-normal"].values()) == {"permit"}
    # Who rejects a policy is as narrow already; a version of one is that one.
    assert set(answers(pcf("deny", policy=PCF + "all-normal")).values()) == {"deny"}
    assert answer(pcf(policy=PCF + "deny|1.1.0")) == "deny"
    over = pcf(policy=PCF + "deny", period={"end": "2022"})
    assert answer(over) == "none", "who agreed for a time agreed for a time"


def test_basic_permit():
    assert set(answers(pcf()).values()) == {"permit"}


def test_basic_deny():
    assert set(answers(pcf("deny")).values()) == {"deny"}


def test_basic_time_limit():
    assert answer(pcf(period={"end": "2022-12-31"})) == "none"
    assert answer(pcf(period={"end": "2099-12-31"})) == "permit"


def test_basic_actor():
    for kind in ("Device", "RelatedPerson", "Practitioner", "Organization"):
        for type_ in ("permit", "deny"):
            one = pcf(type_, actor=[actor(f"{kind}/1")])
            assert (answer(one, recipient=f"{kind}/1"), answer(one, recipient=f"{kind}/2")) == (type_, "none")


def test_basic_purposes():
    for type_ in ("permit", "deny"):
        found = answers(pcf(type_, purpose=TPO))
        assert found == dict.fromkeys(ALL, type_) | {"HRESCH": "none", "PUBHLTH": "none"}


TIMEFRAME = {"dataPeriod": {"start": "2022-01-01", "end": "2022-12-31"}}


def by(meaning: str, reference: str) -> dict:
    return {"data": [{"meaning": meaning, "reference": {"reference": reference}}]}


def permitted_is_narrower(elements: dict) -> bool:
    """A permit of some data is of none, alone and as an exception."""
    lifted = pcf("deny", provision=[{"type": "permit", **elements}])
    return answer(pcf(purpose=TPO, **elements)) == "none" and answer(lifted) == "deny"


def denied_is_narrower(elements: dict) -> bool:
    """A denial of some data is of all, alone and as an exception; for other purposes the permit stands."""
    nested = pcf(purpose=[*TPO, coding("HRESCH")], provision=[{"type": "deny", "purpose": TPO, **elements}])
    said = (answer(pcf("deny", **elements)), answer(nested), answer(nested, "HRESCH"))
    return said == ("deny", "deny", "permit")


def test_timeframe_permitted():
    assert permitted_is_narrower(TIMEFRAME)


def test_timeframe_denied():
    assert denied_is_narrower(TIMEFRAME)


def test_data_by_id_permitted():
    assert permitted_is_narrower(by("instance", "Observation/1"))


def test_data_by_id_denied():
    assert denied_is_narrower(by("instance", "Observation/1"))


def test_author_permitted():
    assert permitted_is_narrower(by("authoredby", "Practitioner/1"))


def test_author_denied():
    assert denied_is_narrower(by("authoredby", "Practitioner/1"))


def test_relationship_permitted():
    assert permitted_is_narrower(by("related", "Encounter/1"))


def test_relationship_denied():
    assert denied_is_narrower(by("related", "Encounter/1"))


def test_additional_purpose():
    assert answers(pcf(purpose=[coding("HRESCH")])) == dict.fromkeys(ALL, "none") | {"HRESCH": "permit"}
    assert answers(pcf("deny", purpose=[coding("PUBHLTH")])) == dict.fromkeys(ALL, "none") | {
        "PUBHLTH": "deny"
    }


def test_purpose_of_a_project():
    project = [coding("project-7", "http://example.org/projects")]
    assert set(answers(pcf(purpose=project)).values()) == {"none"}
    assert set(answers(pcf("deny", purpose=project)).values()) == {"deny"}


def test_deny_but_break_glass():
    resource = pcf("deny", provision=[{"type": "permit", "purpose": [coding("BTG")]}])
    assert answers(resource) == dict.fromkeys(ALL, "deny") | {"BTG": "permit"}


def test_advanced_labels():
    normal = pcf(securityLabel=[coding("N", words.CONFIDENTIALITY)])
    assert (answer(normal), answer(normal, confidentiality="R")) == ("permit", "none")
    topic = pcf(provision=[{"type": "deny", "securityLabel": [coding("SUD", words.ACT_CODE)]}])
    assert (answer(topic), answer(topic, sensitivity=frozenset({"SUD"}))) == ("permit", "deny")
    unknown = pcf(securityLabel=[coding("topic-7", "http://example.org/topics")])
    assert answer(unknown) == "none"
