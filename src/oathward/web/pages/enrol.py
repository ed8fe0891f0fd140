"""Enrolling: from an invitation to a password and a second factor, before anything else is shown.

Steps: 1 the invitation's link, used up by a press of a button · 2 a password · 3 a second factor: a passkey, or codes of
an authenticator app · then signed in. Who has a password and no second factor begins at 3.

Rules:
- The keeper knows which step comes next; what this browser says of it only chooses the page that is shown.
- The secret of an authenticator app is shown once, on the page that asks for its first code; it stays in that form alone.
- Opening the link uses nothing up.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from oathward.core.errors import InputError, KeeperError, OathwardError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import pending_proof
from oathward.web.page import BEGIN, Page, Route
from oathward.web.pages.sign_in import ceremony, code_of, credential_of, told
from oathward.web.sign_in import before, qr
from oathward.web.sign_in.before import Pending
from oathward.web.view import View

_SECRET = re.compile(r"[A-Z2-7]{16,128}")
_URI_LENGTH_MAX = 512
LABEL_LENGTH_MAX = 40


def show(view: View) -> Response:
    """Show an invitation, or where this browser stands with one."""
    key = view.asked("key")
    pending = before.pending(view)
    if not key and pending is not None and pending.state == before.ENROL:
        return view.go("/enrol/password" if "password" in pending.offers else "/enrol/factor")
    return _page(view, "enrol.html", key=key)


def begin(view: View) -> Response:
    """Use an invitation up."""
    try:
        before.check(view)
        key = view.form.get("key", "").strip()
        key = key.partition("key=")[2] or key
        step = view.site.keeper.people.enrol_begin(key[:200], view.origin)
    except (InputError, KeeperError) as error:
        return _page(view, "enrol.html", key="", **told(error))
    return before.go_on(view, step, "/")


def password(view: View) -> Response:
    """Ask for a password."""
    pending = _standing(view, "password")
    return _page(view, "enrol_password.html", pending=pending) if pending else view.go("/enrol")


def set_password(view: View) -> Response:
    """Take the password."""
    pending = _standing(view, "password")
    if pending is None:
        return view.go("/enrol")
    try:
        before.check(view)
        step = view.site.keeper.people.enrol_password(twice(view), pending.secret)
    except (InputError, KeeperError) as error:
        return _refused(view, error, "enrol_password.html", pending=pending)
    return before.go_on(view, step, pending.after)


def factor(view: View) -> Response:
    """Ask which second factor it shall be."""
    pending = _standing(view, "passkey", "totp")
    return _page(view, "enrol_factor.html", pending=pending) if pending else view.go("/enrol")


def app_begin(view: View) -> Response:
    """Show the secret of an authenticator app, and ask for its first code."""
    pending = _standing(view, "totp")
    if pending is None:
        return view.go("/enrol")
    before.check(view)
    secret, uri = view.site.keeper.people.enrol_totp_begin(pending_proof(pending.secret))
    return _page(view, "enrol_app.html", action="/enrol/app/code", **shown(secret, uri))


def app_finish(view: View) -> Response:
    """Take the first code."""
    pending = _standing(view, "totp")
    if pending is None:
        return view.go("/enrol")
    try:
        before.check(view)
        step = view.site.keeper.people.enrol_totp_finish(
            code_of(view.form), label_of(view), pending_proof(pending.secret)
        )
    except (InputError, KeeperError) as error:
        again = shown_again(view)
        return _refused(view, error, "enrol_app.html", action="/enrol/app/code", **again)
    return before.go_on(view, step, pending.after)


def passkey_begin(view: View) -> Response:
    """Give what the browser makes a passkey with."""
    before.check(view)
    pending = _standing(view, "passkey")
    if pending is None:
        why = "has not begun, or took too long; open the link again, or ask for a new one"
        raise InputError("enrolment", why, reason=Reason.INVITATION_ENDED)
    return ceremony(*view.site.keeper.people.enrol_passkey_begin(pending_proof(pending.secret)))


def passkey_finish(view: View) -> Response:
    """Take the new passkey."""
    pending = _standing(view, "passkey")
    if pending is None:
        return view.go("/enrol")
    try:
        before.check(view)
        step = view.site.keeper.people.enrol_passkey_finish(
            view.form.get("ceremony", ""),
            credential_of(view.form),
            label_of(view),
            pending_proof(pending.secret),
        )
    except (InputError, KeeperError) as error:
        return _refused(view, error, "enrol_factor.html", pending=pending)
    return before.go_on(view, step, pending.after)


def twice(view: View) -> str:
    """Read a new password that was typed twice.

    Raises:
        InputError: the two differ.
    """
    once, again = view.form.get("password", ""), view.form.get("again", "")
    if once != again:
        raise InputError("password", "differs the second time; type it twice", reason=Reason.INPUT_INVALID)
    return once


def label_of(view: View) -> str:
    """Read what somebody calls a factor; empty where they do not.

    Raises:
        InputError: it is too long.
    """
    label = " ".join(view.form.get("label", "").split())
    if len(label) > LABEL_LENGTH_MAX or not label.isprintable():
        why = f"takes up to {LABEL_LENGTH_MAX} characters"
        raise InputError("name of the factor", why, reason=Reason.INPUT_INVALID)
    return label


def shown(secret: str, uri: str) -> dict[str, Any]:
    """Give what a page needs to show an authenticator app's secret: to scan, and in fours to type."""
    fours = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    return {"secret": secret, "uri": uri, "fours": fours, "square": qr.encode(uri)}


def shown_again(view: View) -> dict[str, Any]:
    """Give the same from the form that showed it, after a code that did not fit.

    Raises:
        InputError: the form is not one of ours.
    """
    secret, uri = view.form.get("secret", ""), view.form.get("uri", "")
    fits = uri.startswith("otpauth://totp/") and len(uri) <= _URI_LENGTH_MAX and uri.isascii()
    if not _SECRET.fullmatch(secret) or not fits:
        raise InputError("form", "is not one of this console", reason=Reason.INPUT_INVALID)
    return shown(secret, uri)


def _standing(view: View, *offers: str) -> Pending | None:
    """Say where this browser stands, if one of these may come next."""
    pending = before.pending(view)
    fits = pending is not None and pending.state == before.ENROL and bool({*offers} & {*pending.offers})
    return pending if fits else None


def _refused(view: View, error: OathwardError, template: str, **values: Any) -> Response:
    """Say on the page why not; at the beginning where it took too long."""
    if error.reason is not Reason.SIGN_IN_REFUSED:
        return _page(view, template, **values, **told(error))
    ended = {"code": Reason.INVITATION_ENDED.code, "why": "this took too long; open the link again"}
    response = _page(view, "enrol.html", status=403, key="", **ended)
    before.forget_pending(view, response)
    return response


def _page(view: View, template: str, *, status: int = 200, **values: Any) -> Response:
    return before.page(
        view,
        template,
        status=status,
        **{
            "code": "",
            "why": "",
            "hours": view.site.settings.people.enrolment_hours_max,
            "length_min": view.site.settings.people.password_length_min,
            **values,
        },
    )


PAGE = Page(
    "Enrol",
    (
        Route("/enrol", show, public=True, action=BEGIN),
        Route("/enrol", begin, "POST", public=True, action=BEGIN),
        Route("/enrol/password", password, public=True, action=BEGIN),
        Route("/enrol/password", set_password, "POST", public=True, action=BEGIN),
        Route("/enrol/factor", factor, public=True, action=BEGIN),
        Route("/enrol/app", app_begin, "POST", public=True, action=BEGIN),
        Route("/enrol/app/code", app_finish, "POST", public=True, action=BEGIN),
        Route("/enrol/passkey/begin", passkey_begin, "POST", public=True, action=BEGIN),
        Route("/enrol/passkey", passkey_finish, "POST", public=True, action=BEGIN),
    ),
)
