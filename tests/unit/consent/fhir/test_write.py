"""Statements as FHIR Consents: what is written, what is refused, and that nothing of it is made up."""

from dataclasses import replace

import orjson
import pytest
from tests.unit.consent.fhir.test_r5 import answer
from tests.unit.policy.small import NOW_US

from oathward.consent.fhir import words
from oathward.consent.fhir.r5 import TYPE
from oathward.consent.fhir.reader import read
from oathward.consent.fhir.write import RULES_MAX, Head, write
from oathward.consent.model import Statement, statement
from oathward.core.errors import InputError
from oathward.core.labels import Confidentiality
from oathward.core.reasons import Reason
from oathward.policy.consents import Box

WHO = {"system": "urn:oid:1.2.3", "value": "7001"}
SUBJECT = "01234567-89ab-7def-8123-456789abcdef"
ANY = frozenset("*")


def head(edition: str) -> Head:
    return Head(SUBJECT, WHO, edition, NOW_US)


def says(permit=True, *, unless: tuple[Box, ...] = (), **more) -> Statement:
    own = {name: more.pop(name) for name in ("codes", "labels", "recipients") if name in more}
    one = statement(permit=permit, **({"purposes": "*", "recipients": "*", "classes": "*"} | more))
    return replace(one, fact=replace(one.fact, unless=unless, **{n: frozenset(v) for n, v in own.items()}))


def facts(statements) -> set:
    return {replace(one.fact, id="") for one in statements}


def back(resources) -> list[Statement]:
    return [s for one in resources for s in read(one, orjson.dumps(one)).statements]


def refused(edition: str, *statements: Statement) -> InputError:
    with pytest.raises(InputError) as error:
        write(statements, head(edition))
    assert error.value.reason is Reason.CONSENT_NOT_IN_FHIR
    return error.value


BOTH = pytest.mark.parametrize("edition", ["r4", "r5"])
RESEARCH = Box(purposes=frozenset({"HRESCH"}))
NATIVE = [
    ("opt in", [says()], "permit", None),
    ("opt in but for research", [says(), says(False, purposes=["HRESCH"])], "permit", [{"purpose": "HRESCH"}]),
    ("opt out", [says(False)], "deny", None),
    ("opt out but for research", [says(False, unless=(RESEARCH,)), says(purposes=["HRESCH"])], "deny", [{"purpose": "HRESCH"}]),
    ("opt in for a time", [says(start_us=0, end_us=NOW_US)], "permit", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("some", "decision", "nested"), [row[1:] for row in NATIVE], ids=[row[0] for row in NATIVE]
)
def test_a_decision_with_its_exceptions_is_written_as_fhir_has_it(some, decision, nested):
    [old], [new] = write(some, head("r4")), write(some, head("r5"))
    assert old["policyRule"]["coding"][0]["code"] == {"permit": "OPTIN", "deny": "OPTOUT"}[decision]
    assert (old["provision"]["type"], new["decision"]) == (decision, decision)
    found = [{"purpose": one["purpose"][0]["code"]} for one in new.get("provision", [])]
    assert found == (nested or [])
    assert not any("modifierExtension" in one for one in new.get("provision", []))
    assert old["provision"].get("period") == new.get("period")
    assert facts(back([old])) == facts(back([new])) == facts(some)


@BOTH
def test_what_no_decision_says_stands_side_by_side(edition):
    some = [
        says(purposes=["HRESCH"], recipients=["Organization/1"]),
        says(False, classes=["observation.*"], purposes=["PUBHLTH"]),
    ]
    [made] = write(some, head(edition))
    assert facts(back([made])) == facts(some)
    rules = made["provision"] if edition == "r5" else made["provision"]["provision"]
    if edition == "r5":
        assert "decision" not in made
        assert [one["modifierExtension"] for one in rules] == [
            [{"url": TYPE, "valueCode": t}] for t in ("permit", "deny")
        ]
        # Who does not know the extension may not pass over it; without it nothing of it permits.
        plain = [{name: value for name, value in one.items() if name != "modifierExtension"} for one in rules]
        assert answer({**made, "provision": plain}, "HRESCH") == "deny"
    else:
        assert "type" not in made["provision"]
        assert [one["type"] for one in rules] == ["permit", "deny"]


EACH = {
    "a purpose with all below it": says(purposes=["TREAT", "ETREAT", "BTG"]),
    "research": says(purposes=["HRESCH"]),
    "a class": says(classes=["observation.*"]),
    "the patient": says(classes=["patient.*"]),
    "a reference": says(recipients=["Organization/54"]),
    "an identifier": says(recipients=["urn:x|7"]),
    "a recipient of the policy": says(recipients=["research-registry"]),
    "a code": says(codes=["LN|8867-4", "http://example.org/codes|x"]),
    "up to a level": says(labels=["U", "L", "M", "N"]),
    "from a level on": says(False, labels=["R", "V"]),
    "a kind": says(False, labels=words.kinds_of("SUD", wide=True)),
    "microseconds": says(start_us=1, end_us=NOW_US + 999_999),
    "before 1970": says(start_us=-1_000_001, end_us=0),
    "a denial that lost its words": replace(
        says(False), fact=replace(says(False).fact, purposes=frozenset())
    ),
}


@BOTH
@pytest.mark.parametrize("name", EACH)
def test_each_condition_comes_back(name, edition):
    one = EACH[name]
    [found] = back(write([one], head(edition)))
    expected = replace(one.fact, id="", purposes=one.fact.purposes or ANY)
    assert replace(found.fact, id="") == expected


REFUSED = {
    "a purpose without what is below it": says(purposes=["TREAT"]),
    "a class that no resource types come to": says(classes=["observation.value"]),
    "a denial of a patient, and of no relative": says(False, classes=["patient.*"]),
    "an exception that permits nothing": says(False, unless=(RESEARCH,)),
    "a level without those below it": says(labels=[str(Confidentiality.R)]),
    "a code without a system": says(codes=["|8867-4"]),
    "a denial by an absolute reference alone": says(False, recipients=["https://example.org/Organization/1"]),
    "a permit that lost its words": replace(says(), fact=replace(says().fact, purposes=frozenset())),
}


@BOTH
@pytest.mark.parametrize("name", REFUSED)
def test_what_fhir_does_not_say_exactly_is_refused_and_not_dropped(name, edition):
    one = REFUSED[name]
    error = refused(edition, says(purposes=["PUBHLTH"]), one)
    assert error.where == f"statement {one.fact.id}"
    assert edition.upper() in error.why


@BOTH
def test_the_patient_is_who_the_caller_says(edition):
    for one in write([says(), says(False, source="portal")], head(edition)):
        assert one["patient" if edition == "r4" else "subject"] == {"type": "Patient", "identifier": WHO}
        assert SUBJECT not in str(one)
        assert [v.reveal() for _, v, _ in read(one, b"").patient.identifiers] == ["7001"]


@BOTH
def test_one_a_source_in_order_and_the_same_each_time(edition):
    some = [
        says(purposes=["HRESCH"], source="portal"),
        says(False, source="paper"),
        says(classes=["location"], source="portal"),
    ]
    made = write(some, head(edition))
    assert made == write(some[::-1], head(edition))
    assert len(made) == 2
    assert len({one["id"] for one in made}) == 2
    other = write(some, replace(head(edition), subject=SUBJECT[::-1]))
    assert not {one["id"] for one in made} & {one["id"] for one in other}


@BOTH
def test_many_statements_of_one_source_are_several_consents(edition):
    some = [says(False, recipients=[f"Organization/{n}"], source="portal") for n in range(2 * RULES_MAX + 1)]
    made = write(some, head(edition))
    assert len(made) == 3
    assert facts(back(made)) == facts(some)
    assert write([], head(edition)) == []


def test_a_consent_of_the_profile_says_what_r4_asks_for():
    [one] = write([says()], head("r4"))
    for name in ("status", "scope", "category", "patient", "policyRule", "dateTime"):  # ppc-1, ppc-2
        assert one[name]
    assert one["dateTime"] == "2026-07-01T12:00:00Z"
