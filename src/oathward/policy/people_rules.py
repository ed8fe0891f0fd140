"""Which roles nobody may hold together, whatever account or approval brings them.

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

from itertools import combinations

from oathward.core.labels import Role

APART: tuple[tuple[Role, Role], ...] = (
    (Role.AUDITOR, Role.ADMINISTRATOR),
    *((Role.AUDITOR, role) for role in Role if role not in {Role.AUDITOR, Role.ADMINISTRATOR}),
    (Role.KEY_HOLDER, Role.PRIVACY_OFFICER),
    (Role.KEY_HOLDER, Role.SECURITY_ANALYST),
)
"""Pairs that are refused together."""

GRANTABLE: frozenset[Role] = frozenset(Role) - {Role.PROVISIONER, Role.SETUP}
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
