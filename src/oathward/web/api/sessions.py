"""Sessions, by the API: one's own and, for those who may, others'; ending them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.web.calls import Call
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from oathward.vault.keeper.client.people import SessionRow
    from oathward.web.view import View


OTHERS = "others"


@dataclass(frozen=True, slots=True)
class SessionOut:
    """An open session; `own`: the one that asks; `by`: how the person proved who they are; `origin`: from where."""

    id: str
    person: str
    by: str
    kind: str
    begun: datetime
    used: datetime
    left_s: int
    origin: str
    own: bool


def own(view: View) -> Response:
    """List one's own sessions."""
    return view.listed([shown(one) for one in view.site.keeper.people.session_list(view.proof)])


def of_person(view: View) -> Response:
    """List the sessions of a person."""
    found = view.site.keeper.people.session_list(view.proof, view.part("person"))
    return view.listed([shown(one) for one in found])


def end_own(view: View) -> Response:
    """End one of one's own sessions; `others`: all of them but this one."""
    people, id_ = view.site.keeper.people, view.part("session")
    if id_ != OTHERS and id_ not in {one.id for one in people.session_list(view.proof)}:
        raise InputError("session", "there is no such session", reason=Reason.NOT_FOUND)
    people.session_revoke(id_, view.proof)
    return Response(status_code=204)


def end(view: View) -> Response:
    """End anybody's session."""
    view.site.keeper.people.session_revoke(view.part("session"), view.proof)
    return Response(status_code=204)


def _about(view: View) -> Thing:
    return Thing("session", view.part("person"), owner=view.part("person"))


def shown(one: SessionRow) -> SessionOut:
    """Tell one session."""
    return SessionOut(
        *(one.id, one.person_id, one.by, one.kind, from_micros(one.begun_us), from_micros(one.seen_us)),
        *(one.left_s, one.origin, one.own),
    )


API = (
    Route(
        "/api/v1/own/sessions",
        own,
        action="own.see",
        api=True,
        call=Call(gives=SessionOut, listed=True),
    ),
    Route(
        "/api/v1/own/sessions/{session}",
        end_own,
        "DELETE",
        action="own.change",
        thing=named("account", own=True),
        api=True,
        call=Call(status=204),
    ),
    Route(
        "/api/v1/people/{person}/sessions",
        of_person,
        action="sessions.see",
        thing=_about,
        api=True,
        call=Call(gives=SessionOut, listed=True),
    ),
    Route(
        "/api/v1/sessions/{session}",
        end,
        "DELETE",
        action="session.revoke",
        thing=named("session", "session"),
        api=True,
        call=Call(status=204),
    ),
)
