"""People, by the API: who is here and which roles they have; proposing and approving stand with their pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import views
from oathward.policy.access import Thing
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.people.views import PersonView
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class RoleOut:
    """A role that was granted; `holds`: now; `used`: when it was last used, null for never."""

    role: str
    holds: bool
    begins: datetime
    ends: datetime | None
    why: str
    proposer: str
    approver: str
    used: datetime | None


@dataclass(frozen=True, slots=True)
class PersonOut:
    """A person as the signed documents say; `signed`: `yes`, or why they are not believed."""

    id: str
    name: str
    number: str
    mail: str
    state: str
    party: str
    makes: list[str]
    units: list[str]
    roles: list[RoleOut]
    signed: str


def people(view: View) -> Response:
    """List people by name, with their roles."""
    asks = view.asks
    wanted = views.Wanted(
        view.now_us, words=asks.get("words", ""), state=asks.get("state", ""), role=asks.get("role", "")
    )
    with read(view.site.engine) as db:
        found = views.page(
            db, view.site.site, _reader(view), wanted, after=asks.get("after", ""), limit=view.limit + 1
        )
    rows = found[: view.limit]
    return view.listed([_plain(one) for one in rows], rows[-1].person.id if len(found) > view.limit else "")


def person(view: View) -> Response:
    """Give one person."""
    with read(view.site.engine) as db:
        found = views.one(db, view.site.site, _reader(view), view.part("person"))
    if found is None:
        raise InputError("person", "there is no such person", reason=Reason.NOT_FOUND)
    return view.json(_plain(found))


def _reader(view: View) -> views.Reader:
    return views.Reader(view.site.authority, view.site.seen, view.now_us)


def _about(view: View) -> Thing:
    return Thing("person", view.part("person"), owner=view.part("person"))


def _plain(found: PersonView) -> PersonOut:
    one = found.person
    roles = [
        RoleOut(
            *(role.role.value, role.holds, from_micros(role.from_us)),
            from_micros(role.until_us) if role.until_us is not None else None,
            *(role.why, role.proposer, role.approver),
            from_micros(role.last_us) if role.last_us else None,
        )
        for role in found.roles
    ]
    return PersonOut(
        *(one.id, one.name, one.number, one.mail, one.state, one.party),
        *(sorted(one.makes), sorted(one.units), roles, found.signed),
    )


API = (
    Route(
        "/api/v1/people",
        people,
        action="people.see",
        api=True,
        call=Call(
            gives=PersonOut,
            listed=True,
            asks={
                **PAGED,
                "words": Query("stand in name or number"),
                "state": Query("of the person", ("active", "left")),
                "role": Query("that holds now", tuple(role.value for role in Role)),
            },
        ),
    ),
    Route(
        "/api/v1/people/{person}",
        person,
        action="people.see",
        thing=_about,
        api=True,
        call=Call(gives=PersonOut),
    ),
)
