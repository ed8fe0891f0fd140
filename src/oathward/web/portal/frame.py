"""From an address to a page of the portal.

Steps: 1 the host is this portal, and the address has no control character (``plain``) · 2 what changes comes from our own page · 3 the form's fields, under a limit · 4 who is
signed in, asked of the keeper for every request · 5 which patient they look at, and in which language · 6 the form was
made for this visit and patient · 7 they may do this for that patient · 8 the route's function, on a thread · 9 a secret
that is due is renewed · 10 an error becomes a page in plain words.

Rules:
- Nobody is believed for longer than a request: an access that has ended has ended on the next click.
- What a holder may not see looks like what there is not: one status, one page.
- Only a POST writes. Leaving, signing out by leaving, another language: these forget, or change this browser alone.
- Leaving goes on whatever happens: a keeper that does not answer keeps nobody here.

Deliberately absent: memory of who is signed in, script (but where a passkey is made or shown).
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Address

from oathward.core.clock import zone_of
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.vault.keeper.client.portal import holder_proof
from oathward.web import forms, plain, security
from oathward.web.forms import Limits
from oathward.web.portal import safety, texts
from oathward.web.portal.in_force import InForce
from oathward.web.portal.page import Route, pages
from oathward.web.portal.render import TYPES, Renderer
from oathward.web.portal.view import View

if TYPE_CHECKING:
    from starlette.requests import Request

    from oathward.vault.keeper.client.portal import Holder, Seat
    from oathward.vault.opened import Opened

FORMS = Limits(65_536, 200)
SIGN_IN = "/sign-in"
LEFT = "/left"

_ENDED = frozenset({Reason.NOT_PERMITTED, Reason.SESSION_REUSED})


def create(site: Opened) -> Starlette:
    """Make the portal of an opened site, as an ASGI application.

    Raises:
        SettingsError: the texts are not whole.
    """
    found = pages()
    frame = Frame(site, Renderer(site.site, found, texts.load(), zone_of(site.settings.portal.zone) or UTC))
    addresses = [
        Address(route.path, frame.answering(route), methods=[route.method], include_in_schema=False)
        for page in found
        for route in page.routes
    ]
    addresses += [
        Address("/leave", frame.leave),
        Address("/language/{code}", frame.language),
        Address("/static/{version}/{name}", frame.static),
    ]
    handlers = {
        HTTPException: frame.no_page,
        OathwardError: frame.refused,
        Exception: frame.mistake,
    }
    app = Starlette(
        routes=addresses,
        middleware=[Middleware(security.Headers, ours=safety.HEADERS)],
        exception_handlers=handlers,  # type: ignore[arg-type]  # each takes the error it is named for
    )
    app.router.redirect_slashes = False
    app.state.door = security.Door.of(site.settings.portal)
    return app


class Frame:
    """What all pages have around them."""

    def __init__(self, site: Opened, render: Renderer) -> None:
        self._site, self._render, self._policy = site, render, InForce(site)

    def answering(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a route's function in the steps."""

        async def page(request: Request) -> Response:
            security.check_host(request)
            plain.check_address(request)
            form: Mapping[str, str] = {}
            if route.method == "POST":
                security.check_origin(request)
                form = dict(await forms.fields(request, FORMS))
            return await run_in_threadpool(self._answer, route, request, form)

        return page

    def static(self, request: Request) -> Response:
        """Give style or picture; a browser may keep it for good, its address changes with it."""
        security.check_host(request)
        plain.check_address(request)
        name = request.path_params["name"]
        content = self._render.static.get(name)
        if content is None:
            raise HTTPException(404)
        kept = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(content, media_type=TYPES[name], headers=kept)

    def leave(self, request: Request) -> Response:
        """End the visit and go where nothing says that somebody was here; it works whatever else does not."""
        security.check_host(request)
        secret = safety.kept(request, safety.SESSION)
        if secret:
            with contextlib.suppress(OathwardError):  # the session then ends by itself; they are gone already
                self._site.keeper.portal.sign_out(holder_proof(secret))
        answer = RedirectResponse(self._site.settings.portal.leave_url or LEFT, 303)
        answer.headers["referrer-policy"] = "no-referrer"
        safety.forget(answer, request)
        return answer

    def language(self, request: Request) -> Response:
        """Go on in another language; the browser remembers it until it is closed."""
        security.check_host(request)
        plain.check_address(request)
        code = request.path_params["code"]
        if code not in self._render.languages:
            raise HTTPException(404)
        answer = RedirectResponse(_local(request.query_params.get("to", "/")), 303)
        safety.keep(answer, request, safety.LANGUAGE, code)
        return answer

    def _answer(self, route: Route, request: Request, form: Mapping[str, str]) -> Response:
        secret = safety.kept(request, safety.SESSION)
        holder = None if route.needs == "public" else self._holder(secret)
        if holder is None and route.needs != "public":
            if route.method == "POST":
                raise InputError("session", "has ended", reason=Reason.CONFLICT)
            answer = RedirectResponse(SIGN_IN, 303)
            safety.forget(answer, request, safety.SESSION, safety.PATIENT)
            return answer
        view = self._view(request, holder, secret if holder else "", form)
        if route.method == "POST":
            shown = form.get("token", "")
            safety.check_token(view.secret or view.before, view.seat.access if view.seat else "", shown)
        if route.needs not in {"public", "signed-in"} and (
            view.seat is None or route.needs not in view.seat.scope
        ):
            raise InputError(reason=Reason.NOT_FOUND)
        return self._renewed(view, route.answer(view))

    def _renewed(self, view: View, answer: Response) -> Response:
        """Give the browser the session's next secret where this one is due."""
        if view.holder is None or not view.holder.renew or "set-cookie" in answer.headers:
            return answer
        secret = self._site.keeper.portal.renew(view.proof)
        if secret:
            safety.keep(answer, view.request, safety.SESSION, secret, view.holder.left_s)
        return answer

    def _holder(self, secret: str, *, used: bool = True) -> Holder | None:
        """Find who is signed in; nobody where the session has ended."""
        if not secret:
            return None
        try:
            return self._site.keeper.portal.who(holder_proof(secret), used=used)
        except OathwardError as error:
            if error.reason in _ENDED:
                return None
            raise

    def _view(self, request: Request, holder: Holder | None, secret: str, form: Mapping[str, str]) -> View:
        before = "" if holder else safety.kept(request, safety.BEFORE)
        return View(
            *(request, self._site, self._render, self._language_of(request, holder), self._site.clock.now()),
            *(holder, _seat(request, holder), secret, before, form),
            policy=self._policy,
        )

    def _language_of(self, request: Request, holder: Holder | None) -> texts.Texts:
        """Choose the language: what they clicked, what they told us, what their browser likes."""
        languages = self._render.languages
        said = (safety.kept(request, safety.LANGUAGE), holder.language if holder else "")
        liked = texts.accepted(request.headers.get("accept-language", ""), languages)
        return languages[next((code for code in said if code in languages), liked)]

    async def no_page(self, request: Request, error: HTTPException) -> Response:
        """Answer for an address that is none, or does not take what was asked."""
        answer = await run_in_threadpool(self._error, request, "gone", error.status_code, "")
        answer.headers.update(error.headers or {})
        return answer

    async def refused(self, request: Request, error: OathwardError) -> Response:
        """Answer for what was not done, in plain words; the code is for who helps them."""
        status = error.reason.answer.http if error.reason.answer.http >= 400 else 409
        status = 421 if error.where == "Host" else status
        kind, code = "refused", error.reason.code
        if error.reason is Reason.NOT_FOUND:
            kind, status, code = "gone", 404, ""
        elif error.reason is Reason.CONFLICT:
            kind = "over" if error.where == "session" else "form"
        elif status >= 500:
            kind = "ours"
        return await run_in_threadpool(self._error, request, kind, status, code)

    async def mistake(self, request: Request, _error: Exception) -> Response:
        """Answer for an error of ours, which the server logs by its type."""
        answer = await run_in_threadpool(self._error, request, "ours", 500, Reason.INTERNAL.code)
        answer.headers.update(
            security.headers_of(request.url.scheme, safety.HEADERS)
        )  # it is given outside of all else
        return answer

    def _error(self, request: Request, kind: str, status: int, code: str) -> Response:
        holder, secret = None, safety.kept(request, safety.SESSION)
        if status != 421:
            with contextlib.suppress(OathwardError):
                holder = self._holder(secret, used=False)
        view = self._view(request, holder, secret if holder else "", {})
        return view.page("error.html", status=status, kind=kind, code=code)


def _seat(request: Request, holder: Holder | None) -> Seat | None:
    """Say which patient they look at: the one they chose, else themselves, else the first."""
    if holder is None or not holder.seats:
        return None
    chosen = safety.kept(request, safety.PATIENT)
    return next(
        (seat for seat in holder.seats if seat.access == chosen),
        next((seat for seat in holder.seats if seat.own), holder.seats[0]),
    )


def _local(path: str) -> str:
    """Give an address of this portal; what is none leads to its first page."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return "/"
    return quote(path, safe="/?=&%-._~")
