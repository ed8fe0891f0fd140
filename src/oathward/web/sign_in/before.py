"""A browser that has begun to sign in: its cookies, from the first form to the session; and where it goes then.

| cookie | holds | until |
|---|---|---|
| ``…_begun`` | what the token of a form before sign-in is made of | the browser closes |
| ``…_pending`` | the keeper's secret of an unfinished sign-in or enrolment, and which factors may come next | 15 minutes |
| ``…_provider`` | what ties an answer of the provider to this browser, and where to go then | 15 minutes |
| the session's | the session's secret | the session ends |

Rules:
- The session's secret is always one that the keeper made for this sign-in: what a browser brought along is never used,
  the session it was in ends, and every cookie of the beginning goes.
- Script reads none of them, and other sites' pages send none along.
- What stands in ``…_pending`` beside its secret only chooses which page is shown: the keeper knows where it stands.

Deliberately absent: memory in this process; whether anything is believed.

Source: OWASP ASVS 5.0 V3.3, V7.2, V10.2.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.web import security
from oathward.web.security import token_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.people import Step
    from oathward.web.view import View

PENDING_S = 900
_COOKIE_LENGTH_MAX = 2_048
_BEGUN = re.compile(r"[A-Za-z0-9_-]{43}")
SECOND, ENROL, SIGNED_IN = "second", "enrol", "signed-in"


@dataclass(frozen=True, slots=True)
class Pending:
    """An unfinished sign-in or enrolment.

    Args:
        offers: factors that may come next. person, login: told while enrolling.
    """

    secret: str
    state: str
    offers: tuple[str, ...]
    person: str
    login: str
    after: str


def page(view: View, template: str, *, status: int = 200, **values: Any) -> Response:
    """Answer with a page for somebody who is not signed in; its forms carry the token of this browser.

    Somebody who is signed in may come to it as well: then it is the token of their session.
    """
    value = view.secret or _begun(view)
    made = value or secrets.token_urlsafe(32)
    response = view.page(template, status=status, token=token_of(made), **values)
    if not value:
        _set(view, response, "begun", made)
    return response


def check(view: View) -> None:
    """See that a form was shown to this browser.

    Raises:
        InputError: ``not-permitted``.
    """
    value = view.secret or _begun(view)
    if not value:
        why = "was not shown to this browser, or its cookies are off; load the page again"
        raise InputError("form", why, reason=Reason.NOT_PERMITTED)
    security.check_token(value, view.form)


def go_on(view: View, step: Step, after: str) -> Response:
    """Send the browser on from a step of the keeper's: to the next factor, or signed in to where it wanted."""
    if step.state == SIGNED_IN:
        return entered(view, view.go(after), step.secret, step.visit.left_s if step.visit else 0)
    where = "/sign-in/second" if step.state == SECOND else "/enrol/factor"
    if step.state == ENROL and "password" in step.offers:
        where = "/enrol/password"
    response = view.go(where)
    kept = [step.pending, step.state, list(step.offers), step.person, step.login, after]
    text = base64.urlsafe_b64encode(orjson.dumps(kept)).decode()
    _set(view, response, "pending", text, PENDING_S)
    return response


def entered(view: View, response: Response, secret: str, left_s: int) -> Response:
    """Put a new session into its cookie, end the one before, and drop what began this."""
    if view.secret:
        with contextlib.suppress(OathwardError):  # it has ended by itself
            view.site.keeper.session_end(view.proof)
    for name in ("begun", "pending"):
        _drop(view, response, name)
    return view.signed_in(response, secret, left_s)


def pending(view: View) -> Pending | None:
    """Read where this browser stands; nothing where it has not begun."""
    text = view.request.cookies.get(_name(view, "pending"), "")
    if not text or len(text) > _COOKIE_LENGTH_MAX:
        return None
    try:
        secret, state, offers, person, login, after = orjson.loads(base64.urlsafe_b64decode(text))
        words = [str(one) for one in offers]
    except (ValueError, TypeError):
        return None
    return Pending(str(secret), str(state), tuple(words), str(person), str(login), local(str(after)))


def forget_pending(view: View, response: Response) -> None:
    """Give an unfinished sign-in up."""
    _drop(view, response, "pending")


def renewed(view: View, response: Response, step: Step) -> Response:
    """Put a session's new secret in the place of its old one: after a fresh proof."""
    return view.signed_in(response, step.secret, step.visit.left_s) if step.visit else response


def to_provider(view: View, response: Response, value: str, after: str, *, again: bool) -> None:
    """Tie what comes back from the provider to this browser; ``again``: it proves again who is signed in."""
    where = base64.urlsafe_b64encode(after.encode()).decode()
    _set(view, response, "provider", f"{value}.{'again' if again else 'new'}.{where}", PENDING_S)


def from_provider(view: View) -> tuple[str, str, bool]:
    """Read what ties an answer to this browser, where to go then, and whether it proves something again."""
    text = view.request.cookies.get(_name(view, "provider"), "")[:_COOKIE_LENGTH_MAX]
    value, _, rest = text.partition(".")
    what, _, after = rest.partition(".")
    try:
        where = base64.urlsafe_b64decode(after).decode()
    except ValueError:
        where = "/"
    return value, local(where), what == "again"


def forget_provider(view: View, response: Response) -> Response:
    """Let an answer of the provider be for one use."""
    _drop(view, response, "provider")
    return response


def digest(value: str) -> str:
    """Give what the keeper is told of a cookie's value."""
    return hashlib.sha256(value.encode()).hexdigest()


def local(where: str) -> str:
    """Keep an address of this console; the first page where it is another's."""
    try:
        parts = urlsplit(where)
    except ValueError:
        return "/"
    here = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable()
    return where if here and not parts.netloc and not parts.scheme and "\\" not in where else "/"


def _begun(view: View) -> str:
    value = view.request.cookies.get(_name(view, "begun"), "")
    return value if _BEGUN.fullmatch(value) else ""


def _name(view: View, what: str) -> str:
    return f"{security.cookie_name(view.request)}_{what}"


def _secure(view: View) -> bool:
    return view.request.url.scheme == "https"


def _set(view: View, response: Response, what: str, value: str, age_s: int | None = None) -> None:
    response.set_cookie(
        _name(view, what),
        value,
        max_age=age_s,
        httponly=True,
        samesite="strict",
        path="/",
        secure=_secure(view),
    )


def _drop(view: View, response: Response, what: str) -> None:
    name = _name(view, what)
    if name in view.request.cookies:
        response.delete_cookie(name, path="/", httponly=True, samesite="strict", secure=_secure(view))
