"""Who may do what: the shipped rules against the cases beside them, and the engine that asks them."""

from dataclasses import replace
from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy import access
from oathward.policy.access import SETUP, Actor, Around, Denied, Permitted, Rules, Thing, Unclear, decide
from oathward.policy.actions import ACTIONS
from oathward.policy.people import Grant, Person, RoleGrant, Service
from oathward.policy.people_cases import failed, read_people_cases
from oathward.policy.reading import Document, Section

RULES = Rules.builtin()
NOW_US = 1_782_907_200_000_000


def cases():
    errors: list = []
    name = "rules.test.toml"
    document = Document(name, files("oathward.policy.rules").joinpath(name).read_bytes())
    section = Section(document, document.table, errors)
    found = read_people_cases(section)
    section.done()
    assert errors == []
    return found


CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_shipped_rules_answer_as_their_cases_say(case):
    assert case.wrong(case.answer(RULES)) == ""


@pytest.mark.turns(3, "statement")  # all cases are asked of the whole above
@pytest.mark.parametrize("statement", RULES.statements, ids=lambda s: s.id)
def test_without_any_one_policy_a_case_fails(statement):
    """Alone, or (the floor) beside a site's own policy that permits everything."""
    rest = tuple(s for s in RULES.statements if s is not statement)
    # Most are needed alone, and what they are beside the site's own policy is not asked then.
    needed = wrong(rest) or wrong((*rest, *permitting())) - wrong((*RULES.statements, *permitting()))
    assert needed, f"no case in rules.test.toml needs {statement.id}"


@cache
def permitting():
    """A site's own policy that permits everything."""
    return access.read_people({"people/all.cedar": b'@id("all") permit(principal, action, resource);'}, [])


def wrong(statements):
    return {case.name for case, _ in failed(CASES, access._compiled(statements))}


def test_every_shipped_policy_says_why():
    assert [s.id for s in RULES.statements if not s.why] == []


def test_every_action_is_permitted_to_some_role_and_to_nobody_without_one():
    plain = Around("TREAT", strong=True, fresh=True, relation=True)
    for action, info in ACTIONS.items():
        thing = Thing(info.thing, "thing-1", owner="somebody")
        answers = [
            decide(RULES, Actor(kind, "me", frozenset({role})), action, thing, around)
            for role in Role
            for kind in ("person", "service", "holder")
            for around in (plain, replace(plain, purpose="HOPERAT"), replace(plain, purpose="ETREAT"))
        ]
        own = action.startswith("own.") or action == "portal.own"
        assert own or any(isinstance(a, Permitted) for a in answers), action
        nobody = decide(RULES, Actor("person", "me", frozenset()), action, thing, plain)
        assert isinstance(nobody, Permitted) is (action == "home.see"), action


@given(
    st.frozensets(st.sampled_from(sorted(Role))),
    st.sampled_from(sorted(ACTIONS)),
    st.booleans(),
    st.builds(Around, st.sampled_from(["", "TREAT", "HOPERAT"]), st.booleans(), st.booleans(), st.booleans()),
)
def test_what_the_floor_forbids_no_role_has(roles, action, own, around):
    info = ACTIONS[action]
    actor = Actor("person", "me", roles)
    answer = decide(RULES, actor, action, Thing(info.thing, "x", owner="me" if own else "you"), around)
    if not isinstance(answer, Permitted):
        return
    assert not (info.group == "Approve" and own)
    assert not (
        Role.AUDITOR in roles and info.group in {"Change", "Approve", "Open"} and action != "own.change"
    )
    assert not (Role.ADMINISTRATOR in roles and info.group in {"Open", "Approve"})
    assert not (Role.KEY_HOLDER in roles and info.group == "Approve")
    assert not (info.fresh and not around.fresh)
    assert around.strong or own or Role.SETUP in roles
    if action == "patient.open":
        assert Role.CLINICIAN in roles
        assert around.relation


def test_remembered_answers_are_those_of_a_fresh_question():
    for case in CASES:
        fresh = access._compiled(RULES.statements)
        assert case.answer(fresh) == case.answer(RULES)


def test_an_error_in_a_policy_is_unclear_and_never_a_permit():
    errors: list = []
    bad = access.read_people(
        {"people/a.cedar": b'@id("a") forbid(principal, action == Action::"devices.see", resource) '
                           b'when { context.make.like("x") == true };'}, errors)  # fmt: skip
    assert errors, "the schema refuses what does not type"
    assert bad == () or isinstance(
        decide(access._compiled((*RULES.statements, *bad)), SETUP, "devices.see", Thing("device")), Unclear
    )


def test_an_attribute_that_is_not_sent_makes_it_unclear(monkeypatch):
    rules = access._compiled(RULES.statements)
    monkeypatch.setattr(rules.cuts["policy.approve"], "reads", ("ours", "own", "roles", "strong"))
    actor = Actor("person", "me", frozenset({Role.SECURITY_ANALYST}))
    answer = decide(rules, actor, "policy.approve", Thing("proposal", "p"), Around(strong=True, fresh=True))
    assert isinstance(answer, Unclear)
    assert answer.why is Reason.POLICY_ERROR


def test_an_unknown_action_or_another_kind_of_thing_is_unclear():
    assert isinstance(decide(RULES, SETUP, "no.such", Thing("device")), Unclear)
    assert isinstance(decide(RULES, SETUP, "devices.see", Thing("patient")), Unclear)


def test_a_sites_own_policies_narrow_and_widen_within_the_floor():
    text = b"""@id("site-night") forbid(principal, action == Action::"device.adopt", resource) when { context.roles.contains("integration-engineer") };
@id("site-more") permit(principal, action in Action::"Approve", resource) when { context.roles.contains("administrator") };
@id("site-one") permit(principal == Person::"p-7", action == Action::"devices.see", resource);
"""
    errors: list = []
    found = access.read_people({"people/site.cedar": text}, errors)
    assert errors == []
    rules = access._compiled((*RULES.statements, *found))
    plain = Around(strong=True, fresh=True)

    def ask(action, *roles, id_="me"):
        actor = Actor("person", id_, frozenset(roles))
        return decide(rules, actor, action, Thing(ACTIONS[action].thing, "x", owner="you"), plain)

    assert isinstance(ask("device.adopt", Role.INTEGRATION_ENGINEER), Denied)
    assert isinstance(ask("policy.approve", Role.ADMINISTRATOR), Denied), "the floor is stronger"
    assert isinstance(ask("devices.see", id_="p-7"), Permitted)
    assert isinstance(ask("devices.see", id_="p-8"), Denied), "not remembered from another person"


def test_who_left_or_whose_grant_ended_has_no_role():
    person = Person(id="p", name="P")
    grant = Grant("p", (RoleGrant(Role.CLINICIAN, NOW_US, NOW_US + 10), RoleGrant(Role.AUDITOR, NOW_US + 5)))
    assert access.actor_of(person, grant, NOW_US - 1).roles == frozenset()
    assert access.actor_of(person, grant, NOW_US).roles == {Role.CLINICIAN}
    assert access.actor_of(person, grant, NOW_US + 10).roles == {Role.AUDITOR}
    assert access.actor_of(replace(person, state="left"), grant, NOW_US).roles == frozenset()
    assert access.actor_of(person, None, NOW_US).roles == frozenset()


def test_a_service_is_nobody_without_its_owner():
    service = Service(id="s", name="S", owner="p", roles=frozenset({Role.PROVISIONER}), until_us=NOW_US + 1)
    owner = Person(id="p", name="P")
    assert access.actor_of_service(service, owner, NOW_US).roles == {Role.PROVISIONER}
    for gone, now_us in ((None, NOW_US), (replace(owner, state="left"), NOW_US), (owner, NOW_US + 1)):
        assert access.actor_of_service(service, gone, now_us).roles == frozenset()
    assert access.actor_of_service(replace(service, state="left"), owner, NOW_US).roles == frozenset()
