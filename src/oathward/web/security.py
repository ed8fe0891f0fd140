"""What every answer carries, and which requests are heard at all.

Rules:
- Nothing is loaded from elsewhere, nothing is inline, nothing is evaluated, nobody frames a page.
- A request must name this machine as its host: a name of somebody else's that leads here (DNS rebinding) is refused.
  With ``[console] url`` that name is this machine's too; loopback names only where it listens on loopback.
- Encrypted, a browser is told to come encrypted from now on, and the cookie's name binds it to this host (``__Host-``).
- What changes something comes from a page of ours: the browser says so (``Sec-Fetch-Site``, ``Origin``) and the form
  shows the token of its session. A cookie alone is not enough: other programs on this machine share its host name.
- Pages are kept by nobody; script and style may be kept, their address changes with their content.

Source: OWASP ASVS 5.0 chapters 3 and 7; Fetch Metadata Request Headers (W3C); RFC 9110 §15.5.20; RFC 6797 (HSTS);
draft-ietf-httpbis-rfc6265bis §4.1.3 (cookie name prefixes).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from oathward.core.settings import Console
    from oathward.core.settings_portal import Portal

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
HSTS = "max-age=31536000"
HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""Loopback under the names people type; the port may be a tunnel's."""


_NO_HOST = frozenset("@/?#\\ ")
"""What a ``Host`` does not have, and an address may."""


@dataclass(frozen=True, slots=True)
class Door:
    """Under which names the console, or the portal, is heard.

    Args:
        name, port: of its ``url``; empty where none is set. default: the port that a request does not name.
        local: loopback names are heard as well.
    """

    name: str = ""
    port: int = 0
    default: int = 0
    local: bool = True

    @classmethod
    def of(cls, settings: Console | Portal) -> Door:
        """Read the settings."""
        url = urlsplit(settings.url)
        default = 443 if url.scheme == "https" else 80
        return cls(url.hostname or "", url.port or default, default, _is_loopback(settings.host))

    def hears(self, host: str) -> bool:
        """Say whether a ``Host`` names this machine."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            return False
        if set(host) & _NO_HOST:
            return False
        if self.local and name in HOSTS:
            return True
        return bool(name) and name == self.name and (port or self.default) == self.port


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def headers_of(scheme: str, ours: Mapping[str, str] = HEADERS) -> dict[str, str]:
    """Give what an answer carries; encrypted, also that it is always so.

    Args:
        ours: of the console; the portal has its own.
    """
    found = {**ours, "cache-control": NO_STORE}
    return found | {"strict-transport-security": HSTS} if scheme == "https" else found


class Headers:
    """Put our headers on every answer, the console's or the portal's; ``no-store`` unless the answer says otherwise."""

    def __init__(self, app: ASGIApp, ours: Mapping[str, str] = HEADERS) -> None:
        self._app, self._ours = app, ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given: list[tuple[bytes, bytes]] = message["headers"]
                named = {name for name, _ in given}
                ours = headers_of(str(scope.get("scheme")), self._ours)
                given.extend((k.encode(), v.encode()) for k, v in ours.items() if k.encode() not in named)
            await send(message)

        await self._app(scope, receive, with_headers)


def check_host(request: Request) -> None:
    """See that the request names this machine.

    Raises:
        InputError: ``not-permitted``.
    """
    door: Door = getattr(request.app.state, "door", _LOCAL)
    if not door.hears(request.headers.get("host", "")):
        here = door.name or "127.0.0.1"
        raise InputError(
            "Host", f"is not this machine; open this site as {here}", reason=Reason.NOT_PERMITTED
        )


_LOCAL = Door()


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


def cookie_name(request: Request) -> str:
    """Name the session's cookie: cookies know no ports, and two sites on one machine are two consoles."""
    prefix = "__Host-" if request.url.scheme == "https" else ""
    return f"{prefix}oathward_{request.scope['server'][1]}"


def put_cookie(response: Response, request: Request, secret: str, left_s: int) -> None:
    """Let the browser keep the session's secret: no script reads it, no other site's page sends it along."""
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=left_s,
        httponly=True,
        samesite="strict",
        path="/",
        secure=request.url.scheme == "https",
    )


def drop_cookie(response: Response, request: Request) -> None:
    """Let the browser forget it."""
    response.delete_cookie(
        cookie_name(request), httponly=True, samesite="strict", path="/", secure=request.url.scheme == "https"
    )
