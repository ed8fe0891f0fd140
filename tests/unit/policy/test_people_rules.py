"""Roles that nobody may hold together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.labels import Role
from oathward.policy.people_rules import GRANTABLE, conflicts, not_grantable

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
    assert set(not_grantable(frozenset(Role))) == {Role.PROVISIONER, Role.SETUP}
    assert not not_grantable(GRANTABLE)
