"""My account: who I am here, my factors, my sessions; and proving again who I am.

Rules:
- What changes a factor, or ends another session, takes a fresh proof of two factors: the keeper says so, and the browser
  comes back here after it.
- What somebody else did to how one signs in is shown until one puts it away.
- A session's secret is renewed by a fresh proof; the browser gets the new one.
- Of another person's account nothing is shown (People and access has that).
"""

from __future__ import annotations

from starlette.responses import Response

from oathward.core.db import read
from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason
from oathward.policy.people import GRANT, Grant, RoleGrant
from oathward.vault.authority import load
from oathward.vault.keeper.client.people import Own
from oathward.web.page import Page, Route
from oathward.web.pages.enrol import label_of, shown, shown_again, twice
from oathward.web.pages.sign_in import (
    PASSWORD_LENGTH_MAX,
    SAID,
    ceremony,
    code_of,
    code_words,
    credential_of,
    told,
)
from oathward.web.sign_in import before
from oathward.web.sign_in.before import local
from oathward.web.view import View

STEP_UP = "/step-up"
DONE = {
    "password": "The password is changed; your other sessions have ended, at the command line too.",
    "factor": "The factor is removed; your other sessions have ended, at the command line too.",
    "added": "The new factor is yours from now on; your other sessions have ended, at the command line too.",
    "ended": "The session has ended.",
    "others": "All your other sessions have ended.",
    "proved": "Thank you. You may go on.",
    "away": "It is put away, and stays in the ledger.",
}
KINDS = {"password": "password", "totp": "authenticator app", "passkey": "passkey"}
"""Kinds of factors in words."""
WAYS = {
    "invitation": "an invitation",
    "password": "password",
    "totp": "code of an app",
    "passkey": "passkey",
    "oidc": "provider",
    "provider": "provider",
    "link": "one-time link",
}
"""Factors in words; one without words is written as it is."""
_SAID = SAID | {Reason.FACTOR_LAST, Reason.FACTOR_MISSING}


def show(view: View) -> Response:
    """Show one's own account."""
    return _page(view)


def again(view: View) -> Response:
    """Lead back to the account whoever loads an answer of its forms anew."""
    return view.go("/account")


def change_password(view: View) -> Response:
    """Change one's password."""
    try:
        view.site.keeper.people.password_change(view.form.get("current", ""), twice(view), view.proof)
    except (InputError, KeeperError) as error:
        return _refused(view, error, "password")
    return view.go(view.link("/account", done="password"))


def remove_factor(view: View) -> Response:
    """Remove one of one's factors."""
    try:
        view.site.keeper.people.factor_remove(view.form.get("factor", ""), view.proof)
    except KeeperError as error:
        return _refused(view, error, "factors")
    return view.go(view.link("/account", done="factor"))


def app_begin(view: View) -> Response:
    """Show the secret of an authenticator app, and ask for its first code."""
    try:
        secret, uri = view.site.keeper.people.enrol_totp_begin(view.proof)
    except KeeperError as error:
        return _refused(view, error, "factors")
    return view.page("enrol_app.html", action="/account/app/code", code="", why="", **shown(secret, uri))


def app_finish(view: View) -> Response:
    """Take the first code."""
    try:
        view.site.keeper.people.enrol_totp_finish(code_of(view.form), label_of(view), view.proof)
    except (InputError, KeeperError) as error:
        if error.reason is not Reason.CODE_REFUSED:
            return _refused(view, error, "factors")
        again = shown_again(view)
        return view.page(
            "enrol_app.html", action="/account/app/code", **told(error), **again
        )  # fmt: skip
    return view.go(view.link("/account", done="added"))


def passkey_begin(view: View) -> Response:
    """Give what the browser makes a passkey with; script goes where a redirect leads it."""
    try:
        return ceremony(*view.site.keeper.people.enrol_passkey_begin(view.proof))
    except KeeperError as error:
        return _refused(view, error, "factors")


def passkey_finish(view: View) -> Response:
    """Take the new passkey."""
    try:
        view.site.keeper.people.enrol_passkey_finish(
            view.form.get("ceremony", ""), credential_of(view.form), label_of(view), view.proof
        )
    except (InputError, KeeperError) as error:
        return _refused(view, error, "factors")
    return view.go(view.link("/account", done="added"))


def end_session(view: View) -> Response:
    """End one of one's sessions, or all but this."""
    which = view.form.get("session", "")
    own = {row.id for row in view.site.keeper.people.session_list(view.proof)}
    if which != "others" and which not in own:
        raise InputError("session", "has ended already, or is none of yours", reason=Reason.NOT_FOUND)
    try:
        view.site.keeper.people.session_revoke(which, view.proof)
    except KeeperError as error:
        return _refused(view, error, "sessions")
    return view.go(view.link("/account", done="others" if which == "others" else "ended"))


def put_away(view: View) -> Response:
    """Put a notice away."""
    try:
        view.site.keeper.people.notice_put_away(view.form.get("notice", ""), view.proof)
    except KeeperError as error:
        return _refused(view, error, "notices")
    return view.go(view.link("/account", done="away"))


def step_up(view: View) -> Response:
    """Ask somebody who is signed in to prove again who they are."""
    return _step_up(view, local(view.asked("next", "/account")))


def step_up_code(view: View) -> Response:
    """Take a code."""
    after = local(view.form.get("next", "/account"))
    try:
        password = view.form.get("password", "")
        if len(password) > PASSWORD_LENGTH_MAX or (not password and _both(view)):
            raise InputError("password", "is asked for as well as the code", reason=Reason.INPUT_INVALID)
        step = view.site.keeper.people.step_up_code(code_of(view.form), view.proof, password)
    except (InputError, KeeperError) as error:
        return _step_up(view, after, error, **({} if _both(view) else code_words(error)))
    return before.renewed(view, view.go(after), step)


def step_up_passkey_begin(view: View) -> Response:
    """Give what the browser's passkey is asked."""
    return ceremony(*view.site.keeper.people.passkey_begin(view.proof))


def step_up_passkey(view: View) -> Response:
    """Take what the browser's passkey said."""
    after = local(view.form.get("next", "/account"))
    try:
        step = view.site.keeper.people.passkey_finish(
            view.form.get("ceremony", ""), credential_of(view.form), view.origin, view.proof
        )
    except (InputError, KeeperError) as error:
        return _step_up(view, after, error)
    return before.renewed(view, view.go(after), step)


def _page(view: View, *, error: InputError | KeeperError | None = None, part: str = "") -> Response:
    people = bool(view.visit and view.visit.person_id)
    own = view.site.keeper.people.account_own(view.proof) if people else None
    return view.page(
        "account.html",
        own=own,
        roles=_roles(view) if own else (),
        removable=_removable(own) if own else frozenset(),
        failed=part if error else "",
        **(told(error, _SAID) if error else {"code": "", "why": ""}),
        done=DONE.get(view.asked("done", known=DONE), ""),
        length_min=view.site.settings.people.password_length_min,
        minutes=view.site.settings.people.step_up_minutes,
        kinds=KINDS,
        ways=WAYS,
    )


def _roles(view: View) -> tuple[RoleGrant, ...]:
    """Read one's roles that hold now, and until when, from the signed grant."""
    visit = view.visit
    if visit is None or not visit.roles:
        return ()
    site = view.site
    with read(site.engine) as db:
        document = load(db, site.site, GRANT, visit.person_id, site.authority, site.seen)
    held = [r for r in Grant.from_body(document.body).roles if r.role in visit.roles]
    return tuple(
        r for r in held if r.from_us <= view.now_us and (r.until_us is None or view.now_us < r.until_us)
    )


def _removable(own: Own) -> frozenset[str]:
    """Say which factors may go: not the password, and not the last of the second ones. The keeper decides."""
    second = [factor.id for factor in own.factors if factor.kind != "password"]
    return frozenset(second) if len(second) > 1 else frozenset()


def _refused(view: View, error: InputError | KeeperError, part: str) -> Response:
    """Say on the page why not; or have it proved again who this is."""
    if error.reason is Reason.ACCESS_PROVE_BOTH:
        return view.go(view.link(STEP_UP, next="/account", both="yes"))
    if error.reason in {Reason.ACCESS_STEP_UP, Reason.ACCESS_FACTOR}:
        return view.go(view.link(STEP_UP, next="/account"))
    if error.reason not in _SAID:
        raise error
    return _page(view, error=error, part=part)


def _step_up(view: View, after: str, error: InputError | KeeperError | None = None, **words: str) -> Response:
    people = bool(view.visit and view.visit.person_id)
    own = view.site.keeper.people.account_own(view.proof) if people else None
    kinds = {factor.kind for factor in own.factors} if own else set()
    oidc = view.site.settings.oidc
    return view.page(
        "step_up.html",
        after=after,
        both=_both(view),
        kinds=kinds,
        provider=oidc.name if oidc.issuer and oidc.acr else "",
        minutes=view.site.settings.people.step_up_minutes,
        **((told(error, _SAID) if error else {"code": "", "why": ""}) | words),
    )


def _both(view: View) -> bool:
    """Say whether two factors are asked for: the page was gone to, or its form sent, for what takes them."""
    return "yes" in {view.asked("both"), view.form.get("both", "")}


_FORMS = ("app", "app/code", "factors/remove", "notices/away", "passkey", "password", "sessions/end")
"""What answers with a page where it is refused, or asks for more."""

PAGE = Page(
    "My account",
    (
        Route("/account", show, action="own.see"),
        *(Route(f"/account/{step}", again, action="own.see") for step in _FORMS),
        Route("/account/password", change_password, "POST", action="own.change"),
        Route("/account/factors/remove", remove_factor, "POST", action="own.change"),
        Route("/account/app", app_begin, "POST", action="own.change"),
        Route("/account/app/code", app_finish, "POST", action="own.change"),
        Route("/account/passkey/begin", passkey_begin, "POST", action="own.change"),
        Route("/account/passkey", passkey_finish, "POST", action="own.change"),
        Route("/account/notices/away", put_away, "POST", action="own.change"),
        Route("/account/sessions/end", end_session, "POST", action="own.change"),
        Route(STEP_UP, step_up, action="own.see"),
        Route(STEP_UP, step_up_code, "POST", action="own.see"),
        Route(f"{STEP_UP}/passkey/begin", step_up_passkey_begin, "POST", action="own.see"),
        Route(f"{STEP_UP}/passkey", step_up_passkey, "POST", action="own.see"),
    ),
)
