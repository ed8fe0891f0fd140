"""Roles that nobody may hold together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.labels import Role
from oathward.policy.people import Grant, Person, RoleGrant
from oathward.policy.people_rules import GRANTABLE, conflicts, not_grantable, unfit, unfit_grant

ROLE_SETS = st.frozensets(st.sampled_from(list(Role)))


@pytest.mark.parametrize("other", [role for role in Role if role is not Role.AUDITOR])
def test_an_auditor_has_no_other_role(other: Role) -> None:
    assert [set(pair) for pair in conflicts(frozenset((Role.AUDITOR, other)))] == [{Role.AUDITOR, other}]


@pytest.mark.parametrize("other", [Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST])
def test_a_key_holder_approves_no_policy(other: Role) -> None:
    assert [set(pair) for pair in conflicts(frozenset((Role.KEY_HOLDER, other)))] == [
        {Role.KEY_HOLDER, other}
    ]


@pytest.mark.parametrize(
    "roles",
    [
        {Role.ADMINISTRATOR, Role.INTEGRATION_ENGINEER},
        {Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST},
        {Role.CLINICIAN, Role.CLINICAL_ENGINEER},
        {Role.KEY_HOLDER, Role.ADMINISTRATOR},
        {Role.AUDITOR},
        set(),
    ],
)
def test_what_may_stand_together_has_no_conflict(roles: set[Role]) -> None:
    assert conflicts(frozenset(roles)) == ()


@given(ROLE_SETS, ROLE_SETS)
def test_more_roles_never_take_a_conflict_away(some: frozenset[Role], more: frozenset[Role]) -> None:
    assert set(conflicts(some)) <= set(conflicts(some | more))


@given(ROLE_SETS)
def test_a_conflict_names_two_roles_of_those_given(roles: frozenset[Role]) -> None:
    for one, other in conflicts(roles):
        assert {one, other} <= roles
        assert one is not other


def test_nobody_is_granted_what_is_of_services_or_of_a_site_without_people() -> None:
    assert set(not_grantable(frozenset(Role))) == {Role.PROVISIONER, Role.SETUP, Role.PATIENT, Role.PROXY}
    assert not not_grantable(GRANTABLE)


NOW, DAY = 1_800_000_000_000_000, 86_400_000_000
ANNA = Person(id="anna", name="Anna", since_us=NOW - 900 * DAY)
LEFT = replace(ANNA, state="left")


class TestRecords:
    """What may follow on a person's record."""

    @pytest.mark.parametrize(
        ("before", "after", "why"),
        [
            (None, ANNA, ""),
            (ANNA, replace(ANNA, name="Anna Holm"), ""),
            (ANNA, LEFT, ""),
            (LEFT, replace(LEFT, mail="a@h.example"), ""),
            (LEFT, replace(ANNA, since_us=NOW), ""),
            (LEFT, ANNA, "comes back, and must begin anew"),
            (LEFT, replace(ANNA, since_us=NOW - DAY), "comes back, and must begin anew"),
            (ANNA, replace(ANNA, since_us=0), "would begin earlier than the record before it"),
            (ANNA, replace(ANNA, id="bert"), "is another person"),
            (None, replace(ANNA, since_us=NOW + DAY), "begins in the future"),
        ],
    )
    def test_nobody_gets_the_roles_of_before_back(
        self, before: Person | None, after: Person, why: str
    ) -> None:
        assert unfit(before, after, NOW) == why


class TestGrants:
    """What may follow on what a person was granted."""

    OLD = RoleGrant(Role.CLINICIAN, NOW - 9 * DAY, None, "works here")
    ENDED = RoleGrant(Role.AUDITOR, NOW - 9 * DAY, NOW - DAY, "audit of spring")

    @pytest.mark.parametrize(
        ("before", "after", "why"),
        [
            ((), (replace(OLD, from_us=NOW),), ""),
            ((OLD,), (OLD, RoleGrant(Role.CLINICAL_ENGINEER, NOW)), ""),
            ((OLD,), (replace(OLD, until_us=NOW),), ""),
            ((ENDED,), (ENDED, replace(OLD, from_us=NOW)), ""),
            ((ENDED,), (ENDED, OLD), "begins or ends in the past"),
            ((OLD,), (replace(OLD, until_us=NOW - DAY),), "begins or ends in the past"),
            ((ENDED,), (replace(ENDED, until_us=NOW - 2 * DAY),), "begins or ends in the past"),
            ((OLD,), (), "what was granted before may only end sooner"),
            ((OLD,), (replace(OLD, from_us=NOW),), "what was granted before may only end sooner"),
            ((ENDED,), (replace(ENDED, until_us=None),), "what was granted before may only end sooner"),
            ((ENDED,), (replace(ENDED, until_us=NOW + DAY),), "what was granted before may only end sooner"),
            ((), (OLD, OLD), "names one role twice from the same time"),
            ((), (RoleGrant(Role.CLINICIAN, NOW + DAY),), "begins in the future"),
            ((OLD,), (OLD, RoleGrant(Role.AUDITOR, NOW)), "nobody is both clinician and auditor"),
            ((), (RoleGrant(Role.PROVISIONER, NOW),), "nobody is granted provisioner"),
            ((), (RoleGrant(Role.SETUP, NOW),), "nobody is granted setup"),
        ],
    )
    def test_what_was_granted_may_end_and_nothing_else(
        self, before: tuple[RoleGrant, ...], after: tuple[RoleGrant, ...], why: str
    ) -> None:
        assert unfit_grant(Grant("anna", after), Grant("anna", before), NOW) == why

    def test_roles_of_before_a_return_stand_in_nobodys_way_and_hold_no_more(self) -> None:
        roles = (RoleGrant(Role.AUDITOR, NOW - 9 * DAY), RoleGrant(Role.CLINICIAN, NOW))
        grant = Grant("anna", roles)
        assert unfit_grant(grant, Grant("anna", roles[:1]), NOW, since_us=NOW - DAY) == ""
        assert grant.at(NOW, NOW - DAY) == {Role.CLINICIAN}
