"""Who has access to one patient's portal, by the API; what the page Portal access does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.explaining import now
from oathward.web.calls import Call
from oathward.web.page import Route, named
from oathward.web.pages.portal_access import WHY, Invitation, carry_out, wrong

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.portal import Given
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class PortalAccessOut:
    """One access; `standing`: `in-force`, or why not; `enrolled`: they signed in once. Names are told to nobody."""

    access: str
    basis: str
    scope: list[str]
    since: datetime
    until: datetime | None
    standing: str
    enrolled: bool


@dataclass(frozen=True, slots=True)
class InvitationIn:
    """Whom to invite; `basis`: `self`, `parent`, `guardian`, `attorney`, `wish`; `born`: the patient's, of a child."""

    name: str
    address: str
    scope: list[str]
    basis: str = "self"
    language: str = "en"
    until: str = ""
    born: str = ""


@dataclass(frozen=True, slots=True)
class EndIn:
    """`why`: `staff`, `mistake`, or `death`, which ends every access to the patient."""

    why: str = "staff"


@dataclass(frozen=True, slots=True)
class PortalAccessId:
    """The access that it was about."""

    access: str


def given(view: View) -> Response:
    """List who has access to one patient's portal."""
    subject = view.part("subject")
    now.family_of(view.site, subject)
    return view.listed([_plain(one) for one in view.site.keeper.portal.given(subject, view.proof)])


def invite(view: View) -> Response:
    """Give somebody access to a patient's portal, and have the letter sent; its key is told to nobody else."""
    subject, body = view.part("subject"), view.body
    now.family_of(view.site, subject)
    wanted = Invitation(
        *(Phi(body.name.strip()), Phi(body.address.strip()), body.language, body.basis, tuple(body.scope)),
        until=body.until,
        born=Phi(body.born) if body.born else None,
    )
    for words in wrong(wanted):
        raise InputError("body", words, reason=Reason.INPUT_INVALID)
    return view.json(PortalAccessId(carry_out(view, subject, wanted)))


def resend(view: View) -> Response:
    """Send an invitation once more; the one before is good for nothing any more."""
    view.site.keeper.portal.invite_again(view.part("access"), view.proof)
    return view.json(PortalAccessId(view.part("access")))


def end(view: View) -> Response:
    """End an access at once, also where a page is open."""
    if view.body.why not in WHY:
        raise InputError("body.why", f"one of {', '.join(WHY)}", reason=Reason.INPUT_INVALID)
    view.site.keeper.portal.end(view.part("access"), view.body.why, view.proof)
    return view.json(PortalAccessId(view.part("access")))


def _plain(one: Given) -> PortalAccessOut:
    until = from_micros(one.until_us) if one.until_us else None
    return PortalAccessOut(
        *(
            one.access,
            one.basis,
            list(one.scope),
            from_micros(one.start_us),
            until,
            one.standing,
            one.enrolled,
        )
    )


_OF = "/api/v1/portal-access/{subject}"

API = (
    Route(
        _OF,
        given,
        action="portal.list",
        thing=named("patient", "subject"),
        api=True,
        call=Call(gives=PortalAccessOut, listed=True),
    ),
    Route(
        _OF,
        invite,
        "POST",
        action="portal.invite",
        thing=named("patient", "subject"),
        api=True,
        call=Call(gives=PortalAccessId, takes=InvitationIn),
    ),
    Route(
        f"{_OF}/{{access}}/again",
        resend,
        "POST",
        action="portal.invite",
        thing=named("patient", "subject"),
        api=True,
        call=Call(gives=PortalAccessId),
    ),
    Route(
        f"{_OF}/{{access}}/end",
        end,
        "POST",
        action="portal.end",
        thing=named("patient", "subject"),
        api=True,
        call=Call(gives=PortalAccessId, takes=EndIn),
    ),
)
