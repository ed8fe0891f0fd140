"""Somebody who is signed in, as the keeper tells it to the console and the command line; nothing here opens anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from oathward.core.labels import Role


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody signed in at the console.

    Args:
        person: as pages show them. person_id: empty on a site without people. roles: that hold now.
        acts: may order and adopt. left_s: until the session ends for good.
        strong: with two factors. fresh: proved again within the step-up time. by: how they proved who they are.
        kind: ``service`` where a program asks for itself. renew: the secret is due for another one.
        notices: so many things that somebody else did to how they sign in, and they have not put away.
    """

    id: str
    person: str
    acts: bool
    left_s: int
    person_id: str = ""
    roles: frozenset[Role] = frozenset()
    strong: bool = False
    fresh: bool = False
    by: str = ""
    kind: Literal["person", "service"] = "person"
    renew: bool = False
    notices: int = 0


def visit_of(found: Mapping[str, Any]) -> Visit:
    """Read what the keeper says of a session."""
    return Visit(**{**found, "roles": frozenset(map(Role, found.get("roles", ())))})
