"""From an address to a page or a call: whose host, who asks, may they, then the route's own function.

Steps: 1 the host is this machine, and the address has no control character (``plain``) · 2 what changes comes from our own page · 3 the form's fields, or a call's body, under a
limit · 4 the session's secret in the cookie (a call: the token), checked by the keeper · 5 the form was made for this
session · 6 ``policy.access.decide`` on the route's action and thing · 7 the route's function, on a thread ·
8 a secret that is due is renewed · 9 an error becomes a page, or a problem document, that says what to do next.

Rules:
- A session that was checked is believed for ``BELIEVED_S``; what changes something is always checked anew.
- What the viewer may not see looks exactly like what there is not: one status, one body, the same work.
- An error shows its reason, place and words, as errors of the project are written: never a value of a message.
- An error of ours shows nothing; the log has its type (``core.log``).

Deliberately absent: memory of who is signed in beyond those seconds; the keeper has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Address

from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.people.using import Uses
from oathward.policy.access import Denied, Permitted, Thing, Unclear
from oathward.policy.actions import ACTIONS
from oathward.web import calling, plain, security, typed
from oathward.web.asking import HELPS, NOBODY, Book, asking
from oathward.web.believed import BELIEVED_S, Believed
from oathward.web.forms import Limits
from oathward.web.forms import fields as fields_of
from oathward.web.page import API, Route, calls, pages
from oathward.web.render import TYPES, Renderer
from oathward.web.security import cookie_name
from oathward.web.serving.wire import peer_of
from oathward.web.view import View

if TYPE_CHECKING:
    from starlette.requests import Request

    from oathward.policy.access import Actor
    from oathward.vault.keeper.sign_in.visit import Visit
    from oathward.vault.opened import Opened

__all__ = ["BELIEVED_S", "Believed", "Frame", "cookie_name", "create"]

FORMS = Limits(262_144, 2_000)
SIGN_IN = "/sign-in"
STEP_UP = "/step-up"
"""Where a person proves again who they are; ``next`` brings them back."""

_HIDDEN = frozenset({Reason.ACCESS_ROLE, Reason.ACCESS_RELATION})
"""Reasons that would say that there is something: they look like nothing."""

_ENDED = frozenset({Reason.NOT_PERMITTED, Reason.SESSION_REUSED})


def create(site: Opened) -> Starlette:
    """Make the console of an opened site, as an ASGI application."""
    found = pages()
    frame = Frame(site, Renderer(site.site, found))
    routes = [*(route for page in found for route in page.routes), *calls()]
    addresses = [
        Address(route.path, frame.answering(route), methods=[route.method], include_in_schema=False)
        for route in routes
    ]
    addresses.append(Address("/static/{version}/{name}", frame.static))
    handlers = {
        HTTPException: frame.no_page,
        OathwardError: frame.refused,
        Exception: frame.mistake,
    }
    app = Starlette(
        routes=addresses,
        middleware=[Middleware(security.Headers)],
        exception_handlers=handlers,  # type: ignore[arg-type]  # each takes the error it is named for
    )
    app.router.redirect_slashes = False
    app.state.door = security.Door.of(site.settings.console)
    return app


class Frame:
    """What all pages have around them."""

    def __init__(self, site: Opened, render: Renderer) -> None:
        self._site, self._render = site, render
        self._believed = Believed(site)
        self._book = Book(site)
        self._uses = Uses(site.engine, site.site)
        self._book.now()  # compiled now, not while the first person waits

    def answering(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a route's function in the steps."""

        async def page(request: Request) -> Response:
            security.check_host(request)
            plain.check_address(request)
            fields: tuple[tuple[str, str], ...] = ()
            if route.method == "POST":
                security.check_origin(request)
                fields = await fields_of(request, FORMS)
            return await run_in_threadpool(self._answer, route, request, fields)

        async def call(request: Request) -> Response:
            security.check_host(request)
            plain.check_address(request)
            body = await calling.body_of(request, route)
            return await run_in_threadpool(self._call, route, request, body)

        return call if route.api else page

    def static(self, request: Request) -> Response:
        """Give script or style; a browser may keep it for good, its address changes with it."""
        security.check_host(request)
        plain.check_address(request)
        name = request.path_params["name"]
        content = self._render.static.get(name)
        if content is None:
            raise HTTPException(404)
        return Response(
            content, media_type=TYPES[name], headers={"cache-control": "public, max-age=31536000, immutable"}
        )

    def _answer(self, route: Route, request: Request, fields: tuple[tuple[str, str], ...]) -> Response:
        secret = request.cookies.get(cookie_name(request), "")
        seen = self._seen(route, secret)
        if seen is None and not route.public:
            return _to_sign_in(route, request)
        if route.method == "POST" and not route.public:
            security.check_token(secret, dict(fields))
        view = self._view(request, seen, secret if seen else "", fields)
        try:
            helps = _may(route, view, self._uses)
            if helps is not None:
                raise InputError("session", "prove again who you are", reason=helps)
            answer = self._renewed(route, view, route.answer(view))
        except OathwardError as error:
            if error.reason in HELPS and route.method == "POST" and view.actor.id:
                typed.keep(view)  # they come back to the form, and to their words
            raise
        else:
            if route.method == "POST":
                typed.forget(view)
            return answer
        finally:
            if route.method == "POST" and secret:  # it may have ended a session, its own or another
                self._believed.forget()

    def _call(self, route: Route, request: Request, body: bytes) -> Response:
        """Answer a call of the JSON API: the same steps, told as JSON."""
        if route.public:
            return route.answer(calling.with_body(route, self._view(request, None, ""), body))
        secret, service = calling.secret_of(request, changes=route.method != "GET")
        try:
            seen = self._believed.who(
                secret, used=not route.quiet, anew=route.method != "GET", service=service
            )
        except OathwardError as error:
            if error.reason in _ENDED:
                raise InputError("token", "is none, or has ended", reason=Reason.TOKEN_INVALID) from error
            raise
        view = self._view(request, seen, secret)
        try:
            helps = _may(route, view, self._uses)
            if helps is not None:
                raise InputError("token", "prove again who you are, then ask again", reason=helps)
            return route.answer(calling.with_body(route, view, body))
        finally:
            if route.method != "GET":
                self._believed.forget()

    def _renewed(self, route: Route, view: View, answer: Response) -> Response:
        """Give the browser the session's next secret where this one is due."""
        if view.visit is None or not view.visit.renew or route.quiet or "set-cookie" in answer.headers:
            return answer
        secret = self._site.keeper.people.session_rotate(view.proof)
        self._believed.forget()
        return view.signed_in(answer, secret, view.visit.left_s) if secret else answer

    def _seen(self, route: Route, secret: str) -> tuple[Visit, Actor] | None:
        """Find who is signed in; nobody where the session has ended."""
        if not secret:
            return None
        try:
            return self._believed.who(secret, used=not route.quiet, anew=route.method == "POST")
        except OathwardError as error:
            if error.reason in _ENDED:
                return None
            raise

    def _view(
        self,
        request: Request,
        seen: tuple[Visit, Actor] | None,
        secret: str,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> View:
        visit, actor = seen or (None, NOBODY)
        asks = asking(self._book, visit, actor)
        now = self._site.clock.now()
        return View(
            request, self._site, self._render, now, visit, secret, asks, fields, peer=peer_of(request)
        )

    async def no_page(self, request: Request, error: HTTPException) -> Response:
        """Answer for an address that is none, or does not take what was asked."""
        status, headers = error.status_code, dict(error.headers or {})
        if status == 405:
            headers = {"allow": ", ".join(_methods(request))}
        why = "" if status == 404 else "This address does not take such a request."
        code = Reason.NOT_FOUND.code if status == 404 else ""
        answer = await run_in_threadpool(self._error, request, status, why, code, "")
        answer.headers.update(headers)
        return answer

    async def refused(self, request: Request, error: OathwardError) -> Response:
        """Answer with the reason of an error, and what to do about it."""
        status = error.reason.answer.http if error.reason.answer.http >= 400 else 409
        status = 421 if error.where == "Host" else status
        if error.reason in HELPS:  # the keeper asks for a proof that the frame did not
            if not request.url.path.startswith(API):
                return _to_step_up(request)
            status = 401
        absent = error.reason is Reason.NOT_FOUND and (request.path_params or not error.where)
        if absent or error.reason in _HIDDEN:
            return await run_in_threadpool(self._error, request, 404, "", Reason.NOT_FOUND.code, "")
        why = f"{error.where}: {error.why}" if error.where and error.why else error.where or error.why
        return await run_in_threadpool(self._error, request, status, why, error.reason.code, "")

    async def mistake(self, request: Request, error: Exception) -> Response:
        """Answer for an error of ours, which the server logs by its type."""
        kind = type(error).__name__
        answer = await run_in_threadpool(self._error, request, 500, "", Reason.INTERNAL.code, kind)
        answer.headers.update(security.headers_of(request.url.scheme))  # it is given outside of all else
        return answer

    def _error(self, request: Request, status: int, why: str, code: str, kind: str) -> Response:
        if request.url.path.startswith(API):
            return calling.problem(status, code, why)
        secret = request.cookies.get(cookie_name(request), "")
        try:
            seen = self._believed.who(secret, used=False, anew=False) if secret and status != 421 else None
        except OathwardError:
            seen = None
        view = self._view(request, seen, secret if seen else "")
        return view.page("error.html", status=status, code=code, why=why, kind=kind, status_code=status)


def _may(route: Route, view: View, uses: Uses) -> Reason | None:
    """Ask whether the viewer may; gives the reason that another proof of theirs would mend.

    Raises:
        InputError: ``not-found``: they may not, or there is no such thing: nobody can tell which. ``not-permitted``: the
            session is for looking only. Reasons that say nothing of others' things are told as they are.
    """
    if route.public:
        return None
    thing = route.thing(view) if route.thing else Thing(route.kind, owner=_own(route, view))
    info = ACTIONS[route.action]
    asks = view.asking.opening(*route.around(view)) if route.around else view.asking
    match asks.answer(route.action, thing or Thing(route.kind, "\x00")):
        case Permitted() if thing is not None:
            if view.visit is not None and not view.visit.acts and info.group != "See":
                raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
            if not route.quiet:
                uses.note(asks.now.rules, view.actor, route.action, thing, view.now_us, asks.around)
            return None
        case Denied(reasons) if reasons and reasons[0] in HELPS:
            return reasons[0]
        case Denied(reasons) if reasons and reasons[0] is Reason.ACCESS_OWN:
            raise InputError("", "this is your own, or about you; another person decides", reason=reasons[0])
        case Unclear(why, about):
            raise InputError("policy", f"could not be asked ({', '.join(about)})", reason=why)
    raise InputError(reason=Reason.NOT_FOUND)


def _own(route: Route, view: View) -> str:
    """Say whose it is: one's own account, where that is what the route is about."""
    return view.actor.id if route.kind == "account" else ""


def _methods(request: Request) -> list[str]:
    """List what an address takes."""
    found = {
        method
        for address in request.app.router.routes
        if isinstance(address, Address) and address.path_regex.match(request.url.path)
        for method in address.methods or ()
    }
    return sorted(found)


def _to_sign_in(route: Route, request: Request) -> Response:
    if route.quiet:  # the open page loads itself anew, and so comes to sign-in
        return Response(status_code=204, headers={"hx-refresh": "true"})
    if route.method != "GET":
        raise InputError("session", "has ended; sign in, then do it again", reason=Reason.NOT_PERMITTED)
    after = _here(request)
    return RedirectResponse(SIGN_IN if after == "/" else f"{SIGN_IN}?next={after}", 303)


def _to_step_up(request: Request) -> Response:
    """Send a person to prove again who they are; from a form they come back to the page it stands on."""
    after = _here(request)
    if request.method != "GET":
        try:
            from_page = urlsplit(request.headers.get("referer", ""))
        except ValueError:  # no address at all
            from_page = urlsplit("")
        ours = from_page.netloc == request.headers.get("host", "")
        after = quote(from_page.path or "/", safe="/") if ours else "/"
    return RedirectResponse(f"{STEP_UP}?next={after}", 303)


def _here(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path + query, safe="/")
