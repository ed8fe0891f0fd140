"""Tokens: how a program, or a person at a command line, comes to one.

| call | for | shows |
|---|---|---|
| ``POST /api/v1/token`` | a service | a signed assertion (private_key_jwt), or its client certificate on this very connection |
| ``POST /api/v1/sign-in`` | a person's command line | login, password and a code of the authenticator |
| ``POST /api/v1/step-up`` | the same | another code: what takes a fresh proof may be asked for after it; with the password, what takes two factors |

Rules:
- What is wrong is never told: unknown, wrong, locked and late look the same.
- The token endpoint answers errors as RFC 6749 says (``error``), with the reason's ``code`` beside it.
- A person's token is a session as any other: it idles out, it can be listed and ended. It is not renewed: several commands
  may use it at once.

Deliberately absent: other grants, refresh tokens, client secrets, passwords without a second factor.

Source: RFC 6749 §4.4, §5; RFC 7523 §2.2; RFC 8705 §2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.web.calling import PERSON, SERVICE
from oathward.web.calls import FORM, Call
from oathward.web.page import BEGIN, Route

if TYPE_CHECKING:
    from oathward.web.view import View

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_KNOWN = frozenset({"grant_type", "client_assertion_type", "client_assertion", "client_id", "scope"})
_ERRORS = {
    Reason.TOKEN_REQUEST: ("invalid_request", 400),
    Reason.FORMAT_UNSUPPORTED: ("unsupported_grant_type", 400),
    Reason.TOKEN_SCOPE: ("invalid_scope", 400),
    Reason.SIGN_IN_TOO_MANY: ("invalid_client", 429),
}


@dataclass(frozen=True, slots=True)
class TokenOut:
    """A bearer token of a service."""

    access_token: str
    token_type: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """Login, password and a code of the authenticator."""

    login: str
    password: str
    code: str


@dataclass(frozen=True, slots=True)
class Code:
    """A code of the authenticator, not used before; with the password it is a proof of two factors."""

    code: str
    password: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A bearer token of a person's session."""

    token: str
    expires_in: int
    person: str


def token(view: View) -> Response:
    """Give a service a token: grant `client_credentials`, by a signed assertion or a client certificate."""
    try:
        secret, left_s = _service(view)
    except OathwardError as error:
        word, status = _ERRORS.get(error.reason, ("invalid_client", 401))
        if error.reason.answer.http >= 500:
            raise
        answer = view.json({"error": word, "code": error.reason.code}, status=status)
        if status == 401:
            answer.headers["www-authenticate"] = 'Bearer realm="oathward"'
        return answer
    return view.json(TokenOut(SERVICE + secret, "Bearer", left_s))


def sign_in(view: View) -> Response:
    """Sign a person in for a command line."""
    asked: SignIn = view.body
    people = view.site.keeper.people
    step = people.sign_in_password(asked.login, asked.password, view.origin)
    if step.state == "enrol":
        why = "has no second factor yet; enrol one in the console first"
        raise InputError("account", why, reason=Reason.FACTOR_MISSING)
    if step.state == "second":
        step = people.sign_in_second(step.pending, asked.code, view.origin)
    if step.state != "signed-in" or step.visit is None:
        raise InputError("sign-in", "did not come to an end", reason=Reason.SIGN_IN_REFUSED)
    return view.json(SignedIn(PERSON + step.secret, step.visit.left_s, step.visit.person))


def step_up(view: View) -> Response:
    """Prove again who one is; gives the session's next token, and the one before ends."""
    step = view.site.keeper.people.step_up_code(view.body.code, view.proof, view.body.password)
    left_s = view.visit.left_s if view.visit is not None else 0
    return view.json(SignedIn(PERSON + step.secret, left_s, view.person))


def sign_out(view: View) -> Response:
    """End the session of the token that asks."""
    view.site.keeper.session_end(view.proof)
    return Response(status_code=204)


def _service(view: View) -> tuple[str, int]:
    form = view.form
    if len(form) != len(view.fields) or not set(form) <= _KNOWN:
        raise InputError("form", "names what is not known, or a field twice", reason=Reason.TOKEN_REQUEST)
    if form.get("grant_type") != "client_credentials":
        raise InputError("grant_type", "must be client_credentials", reason=Reason.FORMAT_UNSUPPORTED)
    if form.get("scope"):
        raise InputError("scope", "is none: a service has its roles", reason=Reason.TOKEN_SCOPE)
    people = view.site.keeper.people
    assertion = form.get("client_assertion", "")
    if assertion or "client_assertion_type" in form:
        if form.get("client_assertion_type") != BEARER:
            raise InputError("client_assertion_type", "must be jwt-bearer", reason=Reason.TOKEN_REQUEST)
        return people.service_assert(assertion, view.origin)
    if not view.peer:
        raise InputError(
            "request", "shows neither assertion nor certificate", reason=Reason.CREDENTIALS_MISSING
        )
    return people.service_certificate(hashlib.sha256(view.peer).hexdigest(), view.origin)


API = (
    Route(
        "/api/v1/token",
        token,
        "POST",
        public=True,
        action=BEGIN,
        api=True,
        call=Call(gives=TokenOut, media=FORM),
    ),
    Route(
        "/api/v1/sign-in",
        sign_in,
        "POST",
        public=True,
        action=BEGIN,
        api=True,
        call=Call(gives=SignedIn, takes=SignIn, bytes_max=4_096),
    ),
    Route(
        "/api/v1/step-up",
        step_up,
        "POST",
        action="own.see",
        api=True,
        call=Call(gives=SignedIn, takes=Code, bytes_max=4_096),
    ),
    Route(
        "/api/v1/sign-out",
        sign_out,
        "POST",
        action="own.see",
        api=True,
        call=Call(status=204),
    ),
)
