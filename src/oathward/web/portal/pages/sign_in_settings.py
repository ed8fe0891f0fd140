"""My sign-in: language, visits, passkeys; who may see my record; hiding it from my own phone; no longer acting for somebody.

Rules:
- Whatever ends something has a page of its own that says what it means, and ends it by its button alone.
- Everything here works without script, but for adding a passkey: browsers make one by script alone. That page, and none
  other, allows the one script, a file of this site.
- Ending somebody else's access and giving up one's own are at once, also where a page is open.

Deliberately absent: a new mail address (whoever invites sees first that it is theirs), giving access (staff).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.web.portal import safety
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.portal import Mine, Seat
    from oathward.web.portal.view import View

HERE = "/my-sign-in"
LABEL_LENGTH_MAX = 40
_CREDENTIAL_LENGTH_MAX = 20_000


def _page(view: View) -> Response:
    assert view.holder is not None, "the frame lets nobody else here"
    found = _mine(view)
    return view.page(
        "sign_in_settings.html",
        mine=found,
        own=_own(view),
        acting=[seat for seat in view.holder.seats if not seat.own],
        told=view.texts.code,
    )


def _language(view: View) -> Response:
    code = view.form.get("language", "")
    if code not in view.render.languages:
        raise InputError(reason=Reason.NOT_FOUND)
    view.site.keeper.portal.language(code, view.proof)
    answer = view.go(HERE)
    safety.keep(answer, view.request, safety.LANGUAGE, code)
    return answer


def _everywhere(view: View) -> Response:
    view.site.keeper.portal.sign_out_everywhere(view.proof)
    return _left(view)


def _asked(view: View) -> Response:
    """Say what it means to end an access, of a proxy or one's own as one."""
    who = _who(view)
    return view.page("access_end.html", who=who, access=view.request.path_params["access"])


def _end(view: View) -> Response:
    _who(view)
    view.site.keeper.portal.access_end(view.request.path_params["access"], view.proof)
    return _after(view)


def _hide_asked(view: View) -> Response:
    if _own(view) is None:
        raise InputError(reason=Reason.NOT_FOUND)
    return view.page("access_hide.html")


def _hide(view: View) -> Response:
    seat = _own(view)
    if seat is None:
        raise InputError(reason=Reason.NOT_FOUND)
    view.site.keeper.portal.access_hide(seat.access, view.proof)
    return _after(view)


def _passkey_remove(view: View) -> Response:
    view.site.keeper.portal.passkey_remove(view.form.get("passkey", "")[:64] or "none", view.proof)
    return view.go(HERE)


def _passkey_page(view: View, *, failed: bool = False) -> Response:
    answer = view.page("passkey.html", failed=failed, status=409 if failed else 200)
    answer.headers["content-security-policy"] = safety.SCRIPT_CSP
    return answer


def _passkey_begin(view: View) -> Response:
    ceremony, options = view.site.keeper.portal.passkey_enrol_begin(view.proof)
    return JSONResponse({"ceremony": ceremony, "options": options})


def _passkey_add(view: View) -> Response:
    ceremony, credential = view.form.get("ceremony", "")[:64], view.form.get("credential", "")
    label = view.form.get("label", "").strip()[:LABEL_LENGTH_MAX]
    if not ceremony or not credential or len(credential) > _CREDENTIAL_LENGTH_MAX or not label.isprintable():
        return _passkey_page(view, failed=True)
    try:
        view.site.keeper.portal.passkey_enrol_finish(ceremony, credential, label or "-", view.proof)
    except OathwardError as error:
        if error.reason is not Reason.PASSKEY_REFUSED:
            raise
        return _passkey_page(view, failed=True)
    return view.go(HERE)


def _mine(view: View) -> Mine:
    return view.site.keeper.portal.mine(view.proof)


def _own(view: View) -> Seat | None:
    assert view.holder is not None, "the frame lets nobody else here"
    return next((seat for seat in view.holder.seats if seat.own), None)


def _who(view: View) -> str:
    """Name whose access it is: of somebody who acts for me; empty for my own, as who acts for somebody.

    Raises:
        InputError: ``not-found``: neither.
    """
    assert view.holder is not None, "the frame lets nobody else here"
    access = view.request.path_params["access"]
    if any(seat.access == access and not seat.own for seat in view.holder.seats):
        return ""
    for one in _mine(view).proxies:
        if one.access == access:
            return one.name.reveal()
    raise InputError(reason=Reason.NOT_FOUND)


def _after(view: View) -> Response:
    """Go on where something is left to see; else say goodbye."""
    try:
        left = view.site.keeper.portal.who(view.proof).seats
    except OathwardError as error:
        if error.reason is not Reason.NOT_PERMITTED:
            raise
        return _left(view)
    answer = view.go(HERE if left else "/")
    safety.forget(answer, view.request, safety.PATIENT)
    return answer


def _left(view: View) -> Response:
    answer = view.go("/left")
    safety.forget(answer, view.request)
    return answer


PAGE = Page(
    "mine.title",
    (
        Route(HERE, _page, "signed-in"),
        Route(f"{HERE}/language", _language, "signed-in", "POST"),
        Route(f"{HERE}/sign-out-everywhere", _everywhere, "signed-in", "POST"),
        Route(f"{HERE}/end/{{access}}", _asked, "signed-in"),
        Route(f"{HERE}/end/{{access}}", _end, "signed-in", "POST"),
        Route(f"{HERE}/hide", _hide_asked, "signed-in"),
        Route(f"{HERE}/hide", _hide, "signed-in", "POST"),
        Route(f"{HERE}/passkeys/remove", _passkey_remove, "signed-in", "POST"),
        Route(f"{HERE}/passkey", _passkey_page, "signed-in"),
        Route(f"{HERE}/passkey", _passkey_add, "signed-in", "POST"),
        Route(f"{HERE}/passkey/begin", _passkey_begin, "signed-in", "POST"),
    ),
    order=90,
)
