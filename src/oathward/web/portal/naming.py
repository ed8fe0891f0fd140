"""Who did something, as a patient reads it: themselves, somebody who works here by name and role, somebody else by neither.

Rules:
- A name is read from the signed document of that person and a role from their signed grant, as of now; what does not
  verify names nobody.
- Where the site says so (``[portal] staff_names``) the role stands alone.
- Another holder of the same patient is not named: their name is sealed, and who they are the patient knows.

Deliberately absent: numbers, units and addresses of staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.core.labels import Role
from oathward.policy.people import GRANT, PERSON, Grant, Person
from oathward.vault.authority import load

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.web.portal.view import View

ROLES: Mapping[Role, str] = {
    Role.CLINICIAN: "people.clinician",
    Role.PRIVACY_OFFICER: "people.privacy",
    Role.CLINICAL_ENGINEER: "people.devices",
    Role.INTEGRATION_ENGINEER: "people.links",
    Role.SECURITY_ANALYST: "people.safety",
    Role.AUDITOR: "people.auditor",
    Role.ADMINISTRATOR: "people.system",
    Role.KEY_HOLDER: "people.keys",
    Role.VENDOR_USER: "people.maker",
}
"""What a role is called; of several the first counts."""

SAYS = (*ROLES.values(), "people.you", "people.other", "people.staff", "people.named")


def names(view: View, ids: Iterable[str]) -> dict[str, str]:
    """Say who each of some ids is: of people, of holders, or words that name neither."""
    wanted = set(ids)
    with read(view.site.engine) as db:
        return {one: _name(view, db, one) for one in wanted}


def _name(view: View, db: Connection, id_: str) -> str:
    if view.holder is not None and id_ == view.holder.holder:
        return view.say("people.you")
    try:
        person = Person.from_body(_body(view, db, PERSON, id_))
    except (AuthorityError, ValueError):
        return view.say("people.other")
    role = view.say(_role(view, db, id_))
    if not view.site.settings.portal.staff_names or not person.name:
        return role
    return view.say("people.named", name=person.name, role=role)


def _role(view: View, db: Connection, id_: str) -> str:
    try:
        held = {one.role for one in Grant.from_body(_body(view, db, GRANT, id_)).roles}
    except (AuthorityError, ValueError):
        held = set()
    return next((text for role, text in ROLES.items() if role in held), "people.staff")


def _body(view: View, db: Connection, kind: str, id_: str) -> bytes:
    return load(db, view.site.site, kind, id_, view.site.authority, view.site.seen).body
