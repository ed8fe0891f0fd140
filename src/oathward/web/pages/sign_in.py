"""Signing in by a one-time link of ``oathward console``, signing out, and the choice of a theme.

Rules:
- Opening the link only shows who will be signed in after a press of a button: what a mail program or a preview
  fetches uses no link up.
- The session's secret goes into a cookie that script cannot read and that no other site's page sends along.
- After signing in one comes to the page one asked for; an address of elsewhere is left out.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason
from oathward.web import frame
from oathward.web.page import Page, Route
from oathward.web.render import THEME_COOKIE, THEMES
from oathward.web.view import View

_KEY_LENGTH_MAX = 64
_THEME_S = 31_536_000


def show(view: View) -> Response:
    """Ask for the link's key; somebody who is signed in goes on."""
    if view.visit is not None and not view.asked("key"):
        return view.go(_local(view.asked("next", "/")))
    return view.page(
        "sign_in.html", key=view.asked("key"), after=_local(view.asked("next", "/")), failed=False
    )


def sign_in(view: View) -> Response:
    """Use the link up."""
    after = _local(view.form.get("next", "/"))
    try:
        secret, visit = view.site.keeper.session_begin(_key_of(view.form.get("key", "")))
    except (InputError, KeeperError) as error:
        if error.reason not in {Reason.NOT_PERMITTED, Reason.INPUT_INVALID}:
            raise
        return view.page("sign_in.html", status=403, key="", after=after, failed=True)
    response = view.go(after)
    name = frame.cookie_name(view.request)
    response.set_cookie(name, secret, max_age=visit.left_s, httponly=True, samesite="strict", path="/")
    return response


def sign_out(view: View) -> Response:
    """End the session, here and at the keeper."""
    view.site.keeper.session_end(view.proof)
    response = view.go("/sign-in")
    response.delete_cookie(frame.cookie_name(view.request), httponly=True, samesite="strict", path="/")
    return response


def theme(view: View) -> Response:
    """Choose light or dark; the system's own where neither is named."""
    response = view.go(_local(view.form.get("next", "/")))
    wanted = view.form.get("theme", "")
    if wanted in THEMES:
        response.set_cookie(
            THEME_COOKIE, wanted, max_age=_THEME_S, httponly=True, samesite="strict", path="/"
        )
    else:
        response.delete_cookie(THEME_COOKIE, httponly=True, samesite="strict", path="/")
    return response


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


def _local(address: str) -> str:
    """Keep an address of this console; the first page where it is another's."""
    parts = urlsplit(address)
    here = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if here and not parts.netloc and not parts.scheme and "\\" not in address else "/"


PAGE = Page(
    "Sign in",
    (
        Route("/sign-in", show, public=True, action="session.begin"),
        Route("/sign-in", sign_in, "POST", public=True, action="session.begin"),
        Route("/sign-out", sign_out, "POST", action="own.see"),
        Route("/theme", theme, "POST", action="own.see"),
    ),
)
