"""What every answer of the portal carries, and what its browser keeps.

Rules:
- No script, but for one file of this site on the two pages that need it for passkeys (``SCRIPT_CSP``): the policy names style and
  pictures of this site, and nothing else is loaded from anywhere.
- The browser keeps three cookies, none longer than the visit: the session's secret, what it holds before somebody is
  signed in, and which language and patient were chosen. Signing out and leaving take all of them away.
- A form carries a token of the browser's secret and of the patient it was made for: one that was made for another
  patient, or another visit, changes nothing.
- Encrypted, cookies are bound to this host by their name (``__Host-``).

Source: OWASP ASVS 5.0 chapters 3 and 7; draft-ietf-httpbis-rfc6265bis §4.1.3 (cookie name prefixes).
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web import security

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from oathward.web.portal.view import View

CSP = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
SCRIPT_CSP = CSP.replace("style-src", "script-src 'self'; connect-src 'self'; style-src")
"""Of the one page that passkeys are made on, and the one they sign in on."""

HEADERS = {**security.HEADERS, "content-security-policy": CSP, "x-robots-tag": "noindex, nofollow"}
SESSION, BEFORE, LANGUAGE, PATIENT = "session", "before", "language", "patient"
COOKIES = (SESSION, BEFORE, LANGUAGE, PATIENT)
BEFORE_S = 600
"""As long as a code is good."""


def kept(request: Request, name: str) -> str:
    """Read what the browser keeps under one of ``COOKIES``; empty for nothing."""
    return request.cookies.get(_named(request, name), "")


def keep(response: Response, request: Request, name: str, value: str, left_s: int | None = None) -> None:
    """Let the browser keep something until it is closed, or for a while: no script, no other site reads it."""
    response.set_cookie(
        _named(request, name),
        value,
        max_age=left_s,
        httponly=True,
        samesite="strict",
        path="/",
        secure=request.url.scheme == "https",
    )


def forget(response: Response, request: Request, *names: str) -> None:
    """Let the browser forget; everything where no name is given."""
    for name in names or COOKIES:
        response.delete_cookie(
            _named(request, name),
            httponly=True,
            samesite="strict",
            path="/",
            secure=request.url.scheme == "https",
        )


def before_of(pending: str = "") -> str:
    """Make what a browser holds before anybody is signed in: chance, and what it shows the keeper beside a code."""
    return f"{secrets.token_urlsafe(24)}.{pending}"


def pending_of(before: str) -> str:
    """Give what a browser shows the keeper beside a code; empty where it asked for none."""
    return before.partition(".")[2]


def with_before(view: View, make: Callable[[View], Response]) -> Response:
    """Make a page with a form for somebody who is not signed in, in whose browser there is something to make it for."""
    if view.before:
        return make(view)
    ready = dataclasses.replace(view, before=before_of())
    answer = make(ready)
    keep(answer, view.request, BEFORE, ready.before, BEFORE_S)
    return answer


def token_of(secret: str, patient: str = "") -> str:
    """Give the token of forms; it tells nothing of the secret.

    Args:
        patient: id of the access the page was made for.
    """
    return hashlib.sha256(b"oathward portal form\0" + f"{secret}\0{patient}".encode()).hexdigest()


def check_token(secret: str, patient: str, shown: str) -> None:
    """See that a form was made for this browser and this patient.

    Raises:
        InputError: ``conflict``: it was not.
    """
    if not secret or not hmac.compare_digest(token_of(secret, patient).encode(), shown.encode()):
        raise InputError("form", "was made for another visit or patient", reason=Reason.CONFLICT)


def _named(request: Request, name: str) -> str:
    """Name a cookie: they know no ports, and the console of this site may be on the same host."""
    prefix = "__Host-" if request.url.scheme == "https" else ""
    return f"{prefix}oathward_portal_{name}_{request.scope['server'][1]}"
