"""Which roles nobody may hold together, and what may follow on a record or a grant; whatever brings them.

| one | beside | because |
|---|---|---|
| auditor | every other | who reads everything changes nothing, and audits no work of their own |
| key holder | privacy officer, security analyst | these approve policy; an approver holds no keys |

Rules:
- Roles are compared, all of one person together; that it is one person is the caller's to know.
- The answer is the same whatever the order, and more roles never make a conflict go away.

Deliberately absent: dates. Whoever asks says which roles: those that hold now, and those that are to come.

Source: ANSI INCITS 359-2004, static separation of duty; NIST SP 800-53 rev. 5, AC-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from oathward.core.labels import UNGRANTED, Role
from oathward.policy.people import Grant, Person, RoleGrant

CLOCK_US_MAX = 3_600_000_000
"""Between planning a record and signing it lies at most so much."""

APART: tuple[tuple[Role, Role], ...] = (
    (Role.AUDITOR, Role.ADMINISTRATOR),
    *((Role.AUDITOR, role) for role in Role if role not in {Role.AUDITOR, Role.ADMINISTRATOR}),
    (Role.KEY_HOLDER, Role.PRIVACY_OFFICER),
    (Role.KEY_HOLDER, Role.SECURITY_ANALYST),
)
"""Pairs that are refused together."""

GRANTABLE: frozenset[Role] = frozenset(Role) - UNGRANTED
"""Roles a person may be granted."""

SERVICE_ROLES: frozenset[Role] = GRANTABLE - {Role.CLINICIAN, Role.KEY_HOLDER} | {Role.PROVISIONER}
"""Roles a service may have: no program treats patients or keeps keys."""

_APART = frozenset(frozenset(pair) for pair in APART)


def conflicts(roles: frozenset[Role]) -> tuple[tuple[Role, Role], ...]:
    """Give the pairs among these roles that one person may not hold together, in the order of ``Role``."""
    pairs = combinations([role for role in Role if role in roles], 2)
    return tuple(pair for pair in pairs if frozenset(pair) in _APART)


def not_grantable(roles: frozenset[Role]) -> tuple[Role, ...]:
    """Give those among these roles that no person may be granted, in the order of ``Role``."""
    return tuple(role for role in Role if role in roles - GRANTABLE)


def unfit(before: Person | None, after: Person, now_us: int) -> str:
    """Say why one record of a person may not follow another, in words; empty where it may.

    Who keeps the records could otherwise give somebody who came back the roles of before.
    """
    if before is not None and before.id != after.id:
        return "is another person"
    if after.since_us > now_us + CLOCK_US_MAX:
        return "begins in the future"
    if before is None:
        return ""
    if after.since_us < before.since_us:
        return "would begin earlier than the record before it"
    back = before.state == "left" and after.state == "active"
    if back and after.since_us < now_us - CLOCK_US_MAX:
        return "comes back, and must begin anew"
    return ""


def unfit_grant(grant: Grant, before: Grant | None, now_us: int, since_us: int = 0) -> str:
    """Say why a grant may not be made, in words; empty where it may.

    What was granted before may end, and is never taken out, put off or made longer. Nothing begins or ends in hindsight.

    Args:
        since_us: ``Person.since_us``; what was granted before that holds no more, and stands in nobody's way.
    """
    old = {(r.role, r.from_us): r for r in before.roles} if before else {}
    new = {(r.role, r.from_us): r for r in grant.roles}
    if len(new) != len(grant.roles):
        return "names one role twice from the same time"
    gone = [key for key in old if key not in new]
    longer = [key for key, r in old.items() if key in new and _ends(new[key]) > _ends(r)]
    if gone or longer:
        return "what was granted before may only end sooner"
    if untimely := _untimely(old, new, now_us):
        return untimely
    roles = frozenset(r.role for r in grant.roles if r.from_us >= since_us and _ends(r) > now_us)
    if wrong := not_grantable(roles):
        return f"nobody is granted {wrong[0]}"
    if clash := conflicts(roles):
        return f"nobody is both {clash[0][0]} and {clash[0][1]}"
    return ""


def _untimely(
    old: Mapping[tuple[Role, int], RoleGrant], new: Mapping[tuple[Role, int], RoleGrant], now_us: int
) -> str:
    """Say what begins in the future; or begins or ends in hindsight: who had which role when something was proposed stands."""
    begun = [r.from_us for key, r in new.items() if key not in old]
    if any(from_us > now_us + CLOCK_US_MAX for from_us in begun):
        return "begins in the future"
    past_us = now_us - CLOCK_US_MAX
    ended = [key for key in old.keys() & new.keys() if _ends(new[key]) < min(_ends(old[key]), past_us)]
    return "begins or ends in the past" if ended or any(from_us < past_us for from_us in begun) else ""


def _ends(role: RoleGrant) -> float:
    return float("inf") if role.until_us is None else role.until_us
