"""What every answer carries, and which requests are heard at all.

Rules:
- Nothing is loaded from elsewhere, nothing is inline, nothing is evaluated, nobody frames a page.
- A request must name this machine as its host: a name of somebody else's that leads here (DNS rebinding) is refused.
- What changes something comes from a page of ours: the browser says so (``Sec-Fetch-Site``, ``Origin``) and the form
  shows the token of its session. A cookie alone is not enough: other programs on this machine share its host name.
- Pages are kept by nobody; script and style may be kept, their address changes with their content.

Source: OWASP ASVS 5.0 chapters 3 and 7; Fetch Metadata Request Headers (W3C); RFC 9110 §15.5.20.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

CSP = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "connect")),
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it a browser says `Origin: null` of our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_STORE = "no-store"
HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""Loopback under the names people type; the port may be a tunnel's."""


class Headers:
    """Put our headers on every answer; ``no-store`` unless the answer says otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given: list[tuple[bytes, bytes]] = message["headers"]
                named = {name for name, _ in given}
                ours = HEADERS | {"cache-control": NO_STORE}
                given.extend((k.encode(), v.encode()) for k, v in ours.items() if k.encode() not in named)
            await send(message)

        await self._app(scope, receive, with_headers)


def check_host(request: Request) -> None:
    """See that the request names this machine.

    Raises:
        InputError: ``not-permitted``.
    """
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        host = None
    if host not in HOSTS:
        raise InputError(
            "Host", "is not this machine; open the console as 127.0.0.1", reason=Reason.NOT_PERMITTED
        )


def check_origin(request: Request) -> None:
    """See that a request that changes something comes from a page of ours.

    Raises:
        InputError: ``not-permitted``.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site not in {None, "same-origin"} or origin not in {None, ours} or (site is None and origin is None):
        raise InputError("request", "comes from another site's page", reason=Reason.NOT_PERMITTED)


def token_of(secret: str) -> str:
    """Give the token that forms of a session carry; it tells nothing of the secret."""
    return hashlib.sha256(b"oathward console form\0" + secret.encode()).hexdigest()


def check_token(secret: str, form: dict[str, Any]) -> None:
    """See that a form was made for this session.

    Raises:
        InputError: ``not-permitted``.
    """
    if not hmac.compare_digest(token_of(secret).encode(), str(form.get("token", "")).encode()):
        raise InputError(
            "form", "was made for another session; go back, load the page again", reason=Reason.NOT_PERMITTED
        )
