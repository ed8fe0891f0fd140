"""Signing in: a passkey alone, a password and then a second factor, the hospital's provider, or a one-time link.

Steps: 1 one of the four · 2 a code or a passkey, where the first was not enough by itself · or enrolment (``enrol``),
where there is no second factor yet. At most two, then the page that was asked for.

Rules:
- Whoever gives something wrong learns that it did not fit, and never what of it, nor whether there is such a login.
- Forms carry a token of this browser (``before``): nobody can have another's browser sign in as somebody.
- Opening a one-time link only shows who will be signed in after a press of a button: what a mail program or a preview
  fetches uses no link up.
- The session's secret goes into a cookie that script cannot read and that no other site's page sends along.
- After signing in one comes to the page one asked for; an address of elsewhere is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from oathward.core.errors import InputError, KeeperError, OathwardError
from oathward.core.reasons import Reason
from oathward.vault.keeper.client.people import NOBODY
from oathward.vault.keeper.proof import pending_proof
from oathward.web.page import BEGIN, Page, Route
from oathward.web.render import THEME_COOKIE, THEMES
from oathward.web.sign_in import before
from oathward.web.sign_in.before import local
from oathward.web.sign_in.begins import BEGINS
from oathward.web.sign_in.provider import provider_of
from oathward.web.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_KEY_LENGTH_MAX = 64
_LOGIN_LENGTH_MAX = 128
PASSWORD_LENGTH_MAX = 256
_CREDENTIAL_LENGTH_MAX = 65_536
_THEME_S = 31_536_000
SAID = frozenset(
    {
        Reason.SIGN_IN_REFUSED,
        Reason.SIGN_IN_TOO_MANY,
        Reason.SIGN_IN_LINKS_OFF,
        Reason.INVITATION_ENDED,
        Reason.PASSWORD_REFUSED,
        Reason.CODE_REFUSED,
        Reason.PASSKEY_REFUSED,
        Reason.NOT_PERMITTED,
        Reason.INPUT_INVALID,
    }
)
"""Reasons that a form says by itself, where they came from what was typed into it."""
_OWN_WORDS = frozenset({Reason.INPUT_INVALID, Reason.NOT_PERMITTED, Reason.PASSWORD_REFUSED})
"""Of those, the ones whose own words say more than their meaning."""


def show(view: View) -> Response:
    """Offer the ways in; somebody who is signed in goes on."""
    after = local(view.asked("next", "/"))
    if view.visit is not None and not view.asked("key"):
        return view.go(after)
    return _page(view, after, key=view.asked("key"))


def by_link(view: View) -> Response:
    """Use a one-time link up."""
    after = local(view.form.get("next", "/"))
    try:
        secret, visit = view.site.keeper.session_begin(_key_of(view.form.get("key", "")))
    except (InputError, KeeperError) as error:
        if error.reason not in SAID:
            raise
        return _page(view, after, status=403, failed="link", code=error.reason.code)
    return before.entered(view, view.go(after), secret, visit.left_s)


def by_password(view: View) -> Response:
    """Take login and password; what comes next is the keeper's answer."""
    after, login = local(view.form.get("next", "/")), view.form.get("login", "").strip()
    try:
        before.check(view)
        typed = _typed(login, view.form.get("password", ""))
        step = view.site.keeper.people.sign_in_password(*typed, view.origin)
    except (InputError, KeeperError) as error:
        shown = login[:_LOGIN_LENGTH_MAX]
        return _page(view, after, failed="password", login=shown, **told(error))
    return before.go_on(view, step, after)


def passkey_begin(view: View) -> Response:
    """Give what the browser's passkey is asked; as the second factor where a sign-in is pending."""
    before.check(view)
    BEGINS.count(view.origin, str(view.site.settings.data))
    pending = before.pending(view) if view.form.get("second") else None
    proof = pending_proof(pending.secret) if pending else NOBODY
    return ceremony(*view.site.keeper.people.passkey_begin(proof))


def by_passkey(view: View) -> Response:
    """Take what the browser's passkey said."""
    pending = before.pending(view) if view.form.get("second") else None
    after = pending.after if pending else local(view.form.get("next", "/"))
    try:
        before.check(view)
        step = view.site.keeper.people.passkey_finish(
            view.form.get("ceremony", ""),
            credential_of(view.form),
            view.origin,
            pending_proof(pending.secret) if pending else NOBODY,
        )
    except (InputError, KeeperError) as error:
        if pending:
            return _second(view, pending, failed="passkey", **told(error))
        return _page(view, after, failed="passkey", **told(error))
    return before.go_on(view, step, after)


def second(view: View) -> Response:
    """Ask for the second factor."""
    pending = before.pending(view)
    if pending is None or pending.state != before.SECOND:
        return view.go("/sign-in")
    return _second(view, pending)


def by_code(view: View) -> Response:
    """Take a code of the authenticator app."""
    pending = before.pending(view)
    if pending is None:
        return view.go("/sign-in")
    try:
        before.check(view)
        step = view.site.keeper.people.sign_in_second(pending.secret, code_of(view.form), view.origin)
    except (InputError, KeeperError) as error:
        return _second(view, pending, failed="code", **(told(error) | code_words(error)))
    return before.go_on(view, step, pending.after)


def again(view: View) -> Response:
    """Begin anew: forget what was begun."""
    response = view.go("/sign-in")
    before.forget_pending(view, response)
    return response


def sign_out(view: View) -> Response:
    """End the session, here and at the keeper."""
    view.site.keeper.session_end(view.proof)
    return view.signed_out(view.go("/sign-in"))


def theme(view: View) -> Response:
    """Choose light or dark; the system's own where neither is named."""
    response = view.go(local(view.form.get("next", "/")))
    wanted = view.form.get("theme", "")
    if wanted in THEMES:
        response.set_cookie(
            THEME_COOKIE, wanted, max_age=_THEME_S, httponly=True, samesite="strict", path="/"
        )
    else:
        response.delete_cookie(THEME_COOKIE, httponly=True, samesite="strict", path="/")
    return response


def told(error: OathwardError, said: Collection[Reason] = SAID) -> dict[str, Any]:
    """Give what a form says by itself of an error: status, code, and words of this case where there are any.

    Raises:
        OathwardError: it is none that a form says.
    """
    if error.reason not in said:
        raise error
    words = f"{error.where} {error.why}" if error.reason in _OWN_WORDS else ""
    return {"status": max(error.reason.answer.http, 400), "code": error.reason.code, "why": words}


def code_words(error: OathwardError) -> dict[str, str]:
    """Say of a code alone that it does not fit: there is nothing else it could be."""
    if error.reason is not Reason.SIGN_IN_REFUSED:
        return {}
    return {"why": "this code does not fit: wait until your app shows the next one, and type that"}


def code_of(form: Mapping[str, str]) -> str:
    """Read a code as people type it: with spaces or without."""
    return "".join(form.get("code", "").split())[:16]


def credential_of(form: Mapping[str, str]) -> str:
    """Read what a passkey said.

    Raises:
        InputError: there is nothing, or too much.
    """
    text = form.get("credential", "")
    if not text or len(text) > _CREDENTIAL_LENGTH_MAX:
        why = "sent nothing; press its button again, script must be on for passkeys"
        raise InputError("passkey", why, reason=Reason.INPUT_INVALID)
    return text


def ceremony(id_: str, options: Mapping[str, object]) -> Response:
    """Answer script with what it passes to the browser's passkeys."""
    return Response(orjson.dumps({"ceremony": id_, "options": options}), media_type="application/json")


def _typed(login: str, password: str) -> tuple[str, str]:
    """Give what the keeper is asked: nobody's login where these can be no one's, for the same work and answer."""
    fits = (
        0 < len(login) <= _LOGIN_LENGTH_MAX and login.isprintable() and len(password) <= PASSWORD_LENGTH_MAX
    )
    return (login, password) if fits else ("-", "")


def _page(view: View, after: str, *, status: int = 200, **values: str) -> Response:
    given = {"key": "", "failed": "", "code": "", "why": "", "login": "", **values}
    founded = _founded(view)
    provider = view.site.settings.oidc.name if provider_of(view.site.settings) else ""
    more = {"after": after, "founded": founded, "provider": provider, **given}
    if not founded:  # a link is all there is, and it is no form that another page could send
        return view.page("sign_in.html", status=status, links=True, **more)
    links = view.site.settings.people.links_sign_in
    return before.page(view, "sign_in.html", status=status, links=links, **more)


def _second(view: View, pending: before.Pending, *, status: int = 200, **values: str) -> Response:
    given = {"failed": "", "code": "", "why": "", **values}
    return before.page(view, "sign_in_second.html", status=status, offers=pending.offers, **given)


def _founded(view: View) -> bool:
    """Say whether this site has people: before that there are one-time links alone."""
    return bool(view.site.keeper.state().get("founded"))


def _key_of(text: str) -> str:
    """Take a key, or a whole link that was pasted.

    Raises:
        InputError: neither.
    """
    text = text.strip()
    _, mark, key = text.partition("key=")
    key = key if mark else text
    if not key or len(key) > _KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise InputError("link", "is not one of `oathward console`", reason=Reason.INPUT_INVALID)
    return key


PAGE = Page(
    "Sign in",
    (
        Route("/sign-in", show, public=True, action=BEGIN),
        Route("/sign-in", by_link, "POST", public=True, action=BEGIN),
        Route("/sign-in/password", by_password, "POST", public=True, action=BEGIN),
        Route("/sign-in/passkey/begin", passkey_begin, "POST", public=True, action=BEGIN),
        Route("/sign-in/passkey", by_passkey, "POST", public=True, action=BEGIN),
        Route("/sign-in/second", second, public=True, action=BEGIN),
        Route("/sign-in/second", by_code, "POST", public=True, action=BEGIN),
        Route("/sign-in/again", again, "POST", public=True, action=BEGIN),
        Route("/sign-out", sign_out, "POST", action="own.see"),
        Route("/theme", theme, "POST", action="own.see"),
    ),
)
