"""From an address to a page: whose host, who is signed in, whose form, then the page's own function.

Steps: 1 the host is this machine · 2 what changes comes from our own page · 3 the form's fields, under a limit ·
4 the session's secret in the cookie, checked by the keeper · 5 the form was made for this session ·
6 the page, on a thread · 7 an error becomes a page that says what to do next.

Rules:
- A session that was checked is believed for ``BELIEVED_S``; what changes something is always checked anew.
- An error shows its reason, place and words, as errors of the project are written: never a value of a message.
- An error of ours shows nothing; the log has its type (``core.log``).

Deliberately absent: memory of who is signed in beyond those seconds; the keeper has it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Address

from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof
from oathward.web import security
from oathward.web.page import Route, pages
from oathward.web.render import TYPES, Renderer
from oathward.web.view import View

if TYPE_CHECKING:
    from starlette.requests import Request

    from oathward.vault.keeper.client import Visit
    from oathward.vault.opened import Opened

BELIEVED_S = 5.0
FORM_BYTES_MAX = 262_144
FIELDS_MAX = 2_000
_BELIEVED_MAX = 1_000
_SIGN_IN = "/sign-in"


def create(site: Opened) -> Starlette:
    """Make the console of an opened site, as an ASGI application."""
    found = pages()
    frame = Frame(site, Renderer(site.site, found))
    addresses = [
        Address(route.path, frame.answering(route), methods=[route.method])
        for page in found
        for route in page.routes
    ]
    addresses.append(Address("/static/{version}/{name}", frame.static))
    handlers = {
        HTTPException: frame.no_page,
        OathwardError: frame.refused,
        Exception: frame.mistake,
    }
    return Starlette(
        routes=addresses,
        middleware=[Middleware(security.Headers)],
        exception_handlers=handlers,  # type: ignore[arg-type]  # each takes the error it is named for
    )


class Frame:
    """What all pages have around them."""

    def __init__(self, site: Opened, render: Renderer) -> None:
        self._site, self._render = site, render
        self._believed = Believed(site)

    def answering(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a page's function in the steps."""

        async def endpoint(request: Request) -> Response:
            security.check_host(request)
            fields: tuple[tuple[str, str], ...] = ()
            if route.method == "POST":
                security.check_origin(request)
                fields = await _fields(request)
            return await run_in_threadpool(self._answer, route, request, fields)

        return endpoint

    def static(self, request: Request) -> Response:
        """Give script or style; a browser may keep it for good, its address changes with it."""
        security.check_host(request)
        name = request.path_params["name"]
        content = self._render.static.get(name)
        if content is None:
            raise HTTPException(404)
        return Response(
            content, media_type=TYPES[name], headers={"cache-control": "public, max-age=31536000, immutable"}
        )

    def _answer(self, route: Route, request: Request, fields: tuple[tuple[str, str], ...]) -> Response:
        secret = request.cookies.get(cookie_name(request), "")
        visit = self._visit(route, secret)
        if visit is None and not route.public:
            return _to_sign_in(route, request)
        if route.method == "POST" and not route.public:
            security.check_token(secret, dict(fields))
        try:
            return route.answer(self._view(request, visit, secret if visit else "", fields))
        finally:
            if route.method == "POST":  # it may have ended the session
                self._believed.forget(secret)

    def _visit(self, route: Route, secret: str) -> Visit | None:
        """Find who is signed in; nobody where the session has ended."""
        if not secret:
            return None
        try:
            return self._believed.visit(secret, used=not route.quiet, anew=route.method == "POST")
        except OathwardError as error:
            if error.reason is Reason.NOT_PERMITTED:
                return None
            raise

    def _view(
        self, request: Request, visit: Visit | None, secret: str, fields: tuple[tuple[str, str], ...] = ()
    ) -> View:
        return View(request, self._site, self._render, self._site.clock.now(), visit, secret, fields)

    async def no_page(self, request: Request, error: HTTPException) -> Response:
        """Answer for an address that is none."""
        status = error.status_code
        why = "There is no such page." if status == 404 else "This address does not take such a request."
        return await run_in_threadpool(self._error, request, status, why, "", "")

    async def refused(self, request: Request, error: OathwardError) -> Response:
        """Answer with the reason of an error, and what to do about it."""
        status = error.reason.answer.http if error.reason.answer.http >= 400 else 409
        status = 421 if error.where == "Host" else status
        why = f"{error.where}: {error.why}" if error.where and error.why else error.where or error.why
        return await run_in_threadpool(self._error, request, status, why, error.reason.code, "")

    async def mistake(self, request: Request, error: Exception) -> Response:
        """Answer for an error of ours, which the server logs by its type."""
        return await run_in_threadpool(
            self._error, request, 500, "", Reason.INTERNAL.code, type(error).__name__
        )

    def _error(self, request: Request, status: int, why: str, code: str, kind: str) -> Response:
        secret = request.cookies.get(cookie_name(request), "")
        try:
            visit = self._believed.visit(secret, used=False, anew=False) if secret and status != 421 else None
        except OathwardError:
            visit = None
        view = self._view(request, visit, secret if visit else "")
        return view.page("error.html", status=status, code=code, why=why, kind=kind, status_code=status)


class Believed:
    """Sessions the keeper confirmed within the last seconds, by the hash of their secret."""

    def __init__(self, site: Opened, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._site, self._monotonic = site, monotonic
        self._known: dict[bytes, tuple[float, bool, Visit]] = {}
        self._guard = threading.Lock()

    def visit(self, secret: str, *, used: bool, anew: bool) -> Visit:
        """Say whose session it is.

        Args:
            used: this request is use of the session; asked of the keeper where it was not told lately.
            anew: believe nothing.

        Raises:
            KeeperError: ``not-permitted``: it has ended; or the keeper does not answer.
        """
        key, now_s = hashlib.sha256(secret.encode()).digest(), self._monotonic()
        with self._guard:
            until_s, told, visit = self._known.get(key, (0.0, False, None))
        if visit is not None and until_s > now_s and not anew and (told or not used):
            return visit
        with self._guard:
            self._known.pop(key, None)
        visit = self._site.keeper.session_check(console_proof(secret), used=used)
        with self._guard:
            if len(self._known) >= _BELIEVED_MAX:
                self._known.clear()
            self._known[key] = (now_s + BELIEVED_S, used, visit)
        return visit

    def forget(self, secret: str) -> None:
        """Believe nothing of a session any more."""
        with self._guard:
            self._known.pop(hashlib.sha256(secret.encode()).digest(), None)


def cookie_name(request: Request) -> str:
    """Name the session's cookie: cookies know no ports, and two sites on one machine are two consoles."""
    return f"oathward_{request.scope['server'][1]}"


async def _fields(request: Request) -> tuple[tuple[str, str], ...]:
    """Read a form's fields.

    Raises:
        InputError: it is no form, or too long.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InputError("form", "must be a form of this console", reason=Reason.INPUT_INVALID)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise InputError("form", "is too long", reason=Reason.LIMIT_EXCEEDED)
    try:
        return tuple(
            parse_qsl(
                body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=FIELDS_MAX
            )
        )
    except ValueError as error:
        raise InputError("form", "is not readable", reason=Reason.INPUT_INVALID) from error


def _to_sign_in(route: Route, request: Request) -> Response:
    if route.quiet:  # the open page loads itself anew, and so comes to sign-in
        return Response(status_code=204, headers={"hx-refresh": "true"})
    if route.method != "GET":
        raise InputError("session", "has ended; sign in, then do it again", reason=Reason.NOT_PERMITTED)
    query = f"?{request.url.query}" if request.url.query else ""
    after = quote(request.url.path + query, safe="/")
    return RedirectResponse(_SIGN_IN if after == "/" else f"{_SIGN_IN}?next={after}", 303)
