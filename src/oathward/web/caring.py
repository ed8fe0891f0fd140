"""What pages about patients ask before they show anything: for which purpose, and whether a care relationship holds now.

Rules:
- Looked up for each request, in the database as it is; the keeper asks again with stamps before anything opens.
- A subject that is not there is looked for in the same way.
- Whom the viewer reached in an emergency they care for, while that glass stands.
- The purpose is the one asked for where the viewer may have it, else treatment, else the first they may have.

Deliberately absent: opening (the keeper), rules (``policy/access``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.core.errors import AuthorityError
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.patients import views as patients
from oathward.policy.access import Permitted, Thing
from oathward.policy.actions import ACTIONS
from oathward.policy.people import PERSON, Person
from oathward.vault import care, kept
from oathward.vault.authority import load
from oathward.vault.care import Relation

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.web.view import View

PARTS_MAX = 16
PURPOSES: dict[str, str] = {
    Purpose.TREAT: "Treatment",
    Purpose.ETREAT: "Emergency treatment",
    Purpose.BTG: "Break the glass",
    Purpose.HOPERAT: "Operations: why something happened",
    Purpose.PATRQT: "The patient asked for it",
    Purpose.HPAYMT: "Payment",
    Purpose.HRESCH: "Research",
    Purpose.PUBHLTH: "Public health",
    Purpose.SYSADMIN: "System administration",
}
"""What somebody opens content for, as pages say it; in the order in which they are offered."""


def purposes(view: View, action: str) -> dict[str, str]:
    """List the purposes for which the viewer may do something to a patient they care for."""
    thing = Thing(ACTIONS[action].thing, "\x00")
    asks = view.asking
    return {
        one: words
        for one, words in PURPOSES.items()
        if isinstance(asks.opening(one, relation=True).answer(action, thing), Permitted)
    }


def purpose(view: View, action: str) -> str:
    """Choose the purpose of this request."""
    asked = view.form.get("purpose", "") or view.asked("purpose")
    if asked in PURPOSES:  # one they may not have is refused, not replaced
        return asked
    return next(iter(purposes(view, action)), Purpose.TREAT.value)


def finding(view: View) -> tuple[str, bool]:
    """For routes that look for a patient: no relationship is needed to ask."""
    return purpose(view, "patient.find"), False


def opening(view: View) -> tuple[str, bool]:
    """For routes about the subject in the path."""
    return purpose(view, "patient.open"), relation(view, view.part("subject")) is not None


def reading(view: View) -> tuple[str, bool]:
    """For routes about the content of the message in the path."""
    id_ = view.part("message")
    names = [id_, *(f"{id_}.{number}" for number in range(1, PARTS_MAX + 1))]
    with read(view.site.engine) as db:
        person = _person(view, db)
        found = sorted({row.subject for row in kept.find(db, view.site.site, names)}) or [""]
        cares = [_relation(view, db, person, one) for one in found]
    return purpose(view, "message.open"), any(one is not None for one in cares)


def relation(view: View, subject: str) -> Relation | None:
    """Say why the viewer cares for a patient now."""
    with read(view.site.engine) as db:
        return _relation(view, db, _person(view, db), subject)


def mine(view: View, limit: int) -> list[tuple[str, Relation]]:
    """List whom the viewer cares for now."""
    with read(view.site.engine) as db:
        person = _person(view, db)
        asked = care.Asked.by(view.site.settings.people)
        return care.mine(db, view.site.site, person, view.now_us, asked, limit=limit) if person else []


def _relation(view: View, db: Connection, person: Person | None, subject: str) -> Relation | None:
    asked = care.Asked.by(view.site.settings.people)
    found = care.relation(db, view.site.site, person or _NOBODY, subject, view.now_us, asked)
    if person is None or not subject:
        return None
    return found or _reached(view, db, subject)


def _reached(view: View, db: Connection, subject: str) -> Relation | None:
    """Give what stands in for a relationship while the viewer's session has reached this patient in an emergency."""
    site = view.site
    for one in site.keeper.glass.mine(view.proof):
        if one.reached and subject in patients.confirmed_family(
            db, site.site, one.subject, site.authority, site.seen
        ):
            return Relation("emergency", "", one.begun_us, one.until_us)
    return None


_NOBODY = Person(id="", name="")


def _person(view: View, db: Connection) -> Person | None:
    if view.visit is None or not view.visit.person_id:
        return None
    site = view.site
    try:
        body = load(db, site.site, PERSON, view.visit.person_id, site.authority, site.seen).body
    except AuthorityError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise
    return Person.from_body(body)
