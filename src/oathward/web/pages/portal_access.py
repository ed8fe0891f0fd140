"""Portal access: who has access to one patient's portal; invite the patient or who stands in for them, send again, end.

Rules:
- A number, a name, an address, a day of birth are typed into a form and sent in its body: they stand in no address, and on no
  page afterwards. Errors name a field.
- The form to invite asks for a fresh proof before anything is typed, so that nothing typed is lost to it.
- A patient who is not there has no such page, also for who may list everybody's accesses.

Deliberately absent: keys and codes: they go by letter to the address, and whoever invites never has them; names and
addresses of those who have access: the keeper tells them to nobody but themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.consent.sheet import moment
from oathward.core.errors import InputError, KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.explaining import now
from oathward.web import seeking
from oathward.web.page import Page, Route, named
from oathward.web.portal.texts import FOLDER

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

BASES = {
    "self": "the patient",
    "parent": "a parent",
    "guardian": "a guardian",
    "attorney": "somebody with power of attorney",
    "wish": "somebody the patient named",
}
SCOPES = {
    "see": "see what devices send and who looked",
    "choose": "choose who may see it",
    "request": "ask for a copy",
}
STANDINGS = {
    "in-force": ("ok", "in force"),
    "ended": ("off", "ended"),
    "hidden": ("note", "hidden by the patient"),
    "early": ("note", "not begun"),
    "late": ("off", "past its end"),
    "of-age": ("off", "the child is of age"),
    "unsure": ("note", "waits until this machine's clock is sure"),
}
WHY = {
    "staff": "it is not needed any more",
    "mistake": "it was given by mistake",
    "death": "the patient died: ends every access to them",
}
LANGUAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))
OVER = frozenset({"ended", "late", "of-age"})
_LENGTHS = {"name": 100, "address": 254}


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who is invited, as typed; values do not show."""

    name: Phi[str]
    address: Phi[str]
    language: str
    basis: str
    scope: tuple[str, ...]
    until: str = ""
    born: Phi[str] | None = None


def show(view: View) -> Response:
    """Ask for the patient."""
    return _asked(view)


def again(view: View) -> Response:
    """Lead back to the form whoever loads an answer of it anew."""
    return view.go("/portal-access")


def find(view: View) -> Response:
    """Go to the patient of a subject id or a number, or say that there is nobody to go to."""
    return seeking.find(view, "/portal-access", _asked)


def one(view: View) -> Response:
    """List who has access to one patient's portal."""
    subject = view.part("subject")
    now.family_of(view.site, subject)
    return view.page(
        "portal_access.html",
        bases=BASES,
        over=OVER,
        rows=view.site.keeper.portal.given(subject, view.proof),
        said=view.asked("said", known=_SAID),
        saids=_SAID,
        scopes=SCOPES,
        standings=STANDINGS,
        subject=subject,
        why=WHY,
    )


def form(view: View) -> Response:
    """Ask whom to invite."""
    now.family_of(view.site, view.part("subject"))
    return _form(view)


def invite(view: View) -> Response:
    """Invite somebody, and have the letter sent."""
    subject, typed = view.part("subject"), view.form
    now.family_of(view.site, subject)
    born = typed.get("born", "").strip()
    wanted = Invitation(
        name=Phi(typed.get("name", "").strip()),
        address=Phi(typed.get("address", "").strip()),
        language=typed.get("language", ""),
        basis=typed.get("basis", ""),
        scope=tuple(one for one in SCOPES if one in view.many("scope")),
        until=typed.get("until", "").strip(),
        born=Phi(born) if born else None,
    )
    found = wrong(wanted)
    if found:
        return _form(view, found, 400)
    try:
        carry_out(view, subject, wanted)
    except (InputError, KeeperError) as error:
        if error.reason not in {Reason.INPUT_INVALID, Reason.CONFLICT}:
            raise
        return _form(view, [error.why], 400)
    return view.go(view.link(f"/portal-access/{subject}", said="invited"))


def carry_out(view: View, subject: str, wanted: Invitation) -> str:
    """Have the keeper give the access; gives its id.

    Raises:
        InputError, KeeperError: what is wrong, by field.
    """
    return view.site.keeper.portal.invite(
        *(subject, wanted.name, wanted.address, view.proof),
        language=wanted.language,
        basis=wanted.basis,
        scope=wanted.scope,
        until_us=moment(wanted.until, "until", end=True),
        born=wanted.born,
    )


def resend(view: View) -> Response:
    """Send an invitation once more."""
    view.site.keeper.portal.invite_again(view.form.get("access", "")[:64] or "-", view.proof)
    return view.go(view.link(f"/portal-access/{view.part('subject')}", said="again"))


def end(view: View) -> Response:
    """End an access at once, also where a page is open."""
    why = view.form.get("why", "")
    if why not in WHY:
        raise InputError("why", "choose one", reason=Reason.INPUT_INVALID)
    view.site.keeper.portal.end(view.form.get("access", "")[:64] or "-", why, view.proof)
    return view.go(view.link(f"/portal-access/{view.part('subject')}", said="ended"))


def wrong(wanted: Invitation) -> list[str]:
    """Say what of an invitation cannot be, by field."""
    fields = {"name": wanted.name, "address": wanted.address}
    found = [
        f"{name}: 1 to {_LENGTHS[name]} characters"
        for name, value in fields.items()
        if not 0 < len(value.reveal()) <= _LENGTHS[name] or not value.reveal().isprintable()
    ]
    return found + [
        words
        for words, is_so in (
            ("language: choose one", wanted.language not in LANGUAGES),
            ("who: choose one", wanted.basis not in BASES),
            ("may: tick at least one", not wanted.scope or not set(wanted.scope) <= set(SCOPES)),
        )
        if is_so
    ]


def _form(view: View, found: list[str] | None = None, status: int = 200) -> Response:
    kept = ("language", "basis", "until")  # what tells who it is is typed again
    return view.page(
        "portal_invite.html",
        status=status,
        adult=view.site.settings.portal.adult_years,
        bases=BASES,
        given={"language": "en", "basis": "self", "until": ""}
        | {name: view.form[name] for name in kept if name in view.form},
        languages=LANGUAGES,
        scopes=SCOPES,
        subject=view.part("subject"),
        ticked=view.many("scope") or list(SCOPES),
        wrong=found or [],
    )


def _asked(view: View, *, nobody: bool = False, missing: bool = False) -> Response:
    return view.page(
        "portal_accesses.html",
        authorities=sorted(view.site.settings.patients.authorities),
        missing=missing,
        nobody=nobody,
        numbers=view.may("patient.find"),
    )


_SAID = {
    "invited": "Invited. The letter goes out within a minute or so.",
    "again": "Sent again. The invitation before is good for nothing any more.",
    "ended": "Ended, also where a page is open.",
}
_OF = "/portal-access/{subject}"

PAGE = Page(
    "Portal access",
    (
        Route("/portal-access", show, action="portal.list"),
        Route("/portal-access/find", again, action="portal.list"),
        Route("/portal-access/find", find, "POST", action="portal.list"),
        Route(_OF, one, action="portal.list", thing=named("patient", "subject")),
        Route(f"{_OF}/invite", form, action="portal.invite", thing=named("patient", "subject")),
        Route(f"{_OF}/invite", invite, "POST", action="portal.invite", thing=named("patient", "subject")),
        Route(f"{_OF}/again", resend, "POST", action="portal.invite", thing=named("patient", "subject")),
        Route(f"{_OF}/end", end, "POST", action="portal.end", thing=named("patient", "subject")),
    ),
    group="Decide",
    key="f",
    order=70,
)
