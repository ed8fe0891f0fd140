"""Signing in: an address, then the code that was sent to it; the way in for who was invited; signing out.

Rules:
- The page after the address is the same whether or not anybody has it: the keeper says nothing else.
- Before anybody is signed in a browser holds a random value, which its forms are made for, and what the keeper gave it to
  show beside the code.
- A code is typed by a person: spaces in it are theirs.
- Signing in by passkey needs script, and has a page of its own, which alone allows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from oathward.core.errors import OathwardError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.web.portal import safety
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.portal import Entry
    from oathward.web.portal.view import View

_ADDRESS_LENGTH_MAX = 200
_CODE_LENGTH_MAX = 12
_KEY_LENGTH_MAX = 200
_SHOWN_LENGTH_MAX = 20_000
_TRIED = {
    Reason.SIGN_IN_REFUSED: "wrong",
    Reason.INVITATION_ENDED: "wrong",
    Reason.INPUT_INVALID: "wrong",
    Reason.SIGN_IN_TOO_MANY: "many",
}
"""What a page says itself; anything else is the frame's."""


def _form(view: View, template: str, *, failed: str = "", key: str = "") -> Response:
    """Show a form to somebody who is not signed in, with a value in their browser that it is made for."""
    return safety.with_before(view, lambda ready: ready.page(template, failed=failed, key=key))


def _ask(view: View) -> Response:
    return _form(view, "sign_in.html")


def _begin(view: View) -> Response:
    address = view.form.get("address", "").strip()
    if not address or len(address) > _ADDRESS_LENGTH_MAX or not address.isprintable():
        return _form(view, "sign_in.html", failed="wrong")
    try:
        entry = view.site.keeper.portal.sign_in_begin(Phi(address), view.origin)
    except OathwardError as error:
        return _form(view, "sign_in.html", failed=_failed(error))
    return _on(view, entry)


def _code(view: View) -> Response:
    return _form(view, "code.html")


def _typed(view: View) -> Response:
    code, pending = "".join(view.form.get("code", "").split()), safety.pending_of(view.before)
    if not pending or len(code) > _CODE_LENGTH_MAX or not code.isprintable():
        return _form(view, "code.html", failed="wrong")
    try:
        entry = view.site.keeper.portal.sign_in_code(pending, code, view.origin)
    except OathwardError as error:
        return _form(view, "code.html", failed=_failed(error))
    return _on(view, entry)


def _welcome(view: View) -> Response:
    return _form(view, "welcome.html", key=view.request.query_params.get("key", "")[:_KEY_LENGTH_MAX])


def _enrol(view: View) -> Response:
    key = view.form.get("key", "")[:_KEY_LENGTH_MAX]
    try:
        entry = view.site.keeper.portal.enrol_begin(key, view.origin)
    except OathwardError as error:
        return _form(view, "welcome.html", failed=_failed(error))
    return _on(view, entry)


def _passkey(view: View, *, failed: bool = False) -> Response:
    answer = safety.with_before(view, lambda ready: ready.page("sign_in_passkey.html", failed=failed))
    answer.headers["content-security-policy"] = safety.SCRIPT_CSP
    return answer


def _passkey_begin(view: View) -> Response:
    ceremony, options = view.site.keeper.portal.passkey_begin()
    return JSONResponse({"ceremony": ceremony, "options": options})


def _passkey_shown(view: View) -> Response:
    ceremony, credential = view.form.get("ceremony", ""), view.form.get("credential", "")
    if (
        not ceremony
        or not credential
        or len(ceremony) > _KEY_LENGTH_MAX
        or len(credential) > _SHOWN_LENGTH_MAX
    ):
        return _passkey(view, failed=True)
    try:
        entry = view.site.keeper.portal.passkey_finish(ceremony, credential, view.origin)
    except OathwardError as error:
        _failed(error)
        return _passkey(view, failed=True)
    return _on(view, entry)


def _on(view: View, entry: Entry) -> Response:
    """Go to the next step, or in."""
    if entry.state == "signed-in":
        answer = view.go("/")
        safety.forget(answer, view.request, safety.BEFORE, safety.PATIENT)
        safety.keep(answer, view.request, safety.SESSION, entry.secret, entry.left_s)
        return answer
    answer = view.go("/sign-in/code")
    safety.keep(answer, view.request, safety.BEFORE, safety.before_of(entry.pending), safety.BEFORE_S)
    return answer


def _sign_out(view: View) -> Response:
    view.site.keeper.portal.sign_out(view.proof)
    answer = view.go("/left")
    safety.forget(answer, view.request)
    return answer


def _left(view: View) -> Response:
    return view.page("left.html")


def _failed(error: OathwardError) -> str:
    """Say how a try failed, where the page has words for it.

    Raises:
        OathwardError: it has none.
    """
    if error.reason not in _TRIED:
        raise error
    return _TRIED[error.reason]


PAGE = Page(
    "sign_in.title",
    (
        Route("/sign-in", _ask, "public"),
        Route("/sign-in", _begin, "public", "POST"),
        Route("/sign-in/code", _code, "public"),
        Route("/sign-in/code", _typed, "public", "POST"),
        Route("/sign-in/passkey", _passkey, "public"),
        Route("/sign-in/passkey", _passkey_shown, "public", "POST"),
        Route("/sign-in/passkey/begin", _passkey_begin, "public", "POST"),
        Route("/enrol", _welcome, "public"),
        Route("/enrol", _enrol, "public", "POST"),
        Route("/sign-out", _sign_out, "signed-in", "POST"),
        Route("/left", _left, "public"),
    ),
)
