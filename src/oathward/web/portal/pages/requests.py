"""My requests: a copy now, as a file for other programs, as PDF, or as a page to print; other rights are named.

Rules:
- Asking is a POST; so is fetching: a link that a mail program or a browser looks at ahead uses nothing up.
- The link is worth nothing without this holder's session and an access in force; whatever is wrong with it is one answer.
- A file is written while its parts are opened; the page and the PDF are sums of it. Nothing of it is kept.
- One readable copy is made at a time here; who comes second waits a little, and is then told to come again. Few wait: each
  has a thread, and every page needs one, *Leave now* above all.

Deliberately absent: who may (the keeper), mending and erasing (they come through staff, as the page says).
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from oathward.core.errors import InputError, KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.keeper.client.asks import CopyRequest
from oathward.web.portal import measured
from oathward.web.portal.copying import bundle, paper, source
from oathward.web.portal.copying.summary import summed
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from oathward.vault.keeper.client.asks import Begun
    from oathward.web.portal.view import View

WAIT_S = 30.0
WAITING_MAX = 4
_ONE = threading.Lock()
_PLACES = threading.BoundedSemaphore(WAITING_MAX + 1)
"""For the one that is made and those who wait."""

_FULL = frozenset((Reason.LIMIT_EXCEEDED, Reason.RATE_OF_OPENING))


def _requests(view: View) -> Response:
    return _listed(view)


def _listed(view: View, *, full: bool = False, status: int = 200) -> Response:
    return view.page("requests.html", status=status, rows=_rows(view), once=uuid7(), full=full)


def _rows(view: View) -> list[CopyRequest]:
    assert view.seat is not None, "the frame lets nobody else here"
    return view.site.keeper.asks.requests(view.seat.subject, view.proof)


def _ask(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    once = view.form.get("once", "")[:64] or uuid7()
    try:
        link = view.site.keeper.asks.request(view.seat.subject, once, view.proof)
    except KeeperError as error:
        if error.reason is not Reason.LIMIT_EXCEEDED:
            raise
        return _listed(view, full=True, status=409)
    return view.go(f"/requests/{link}")


def _one(view: View) -> Response:
    return _shown(view)


def _shown(view: View, *, why: str = "", status: int = 200) -> Response:
    link = view.request.path_params["link"]
    row = next((one for one in _rows(view) if one.link == link and not one.over), None)
    if row is None:
        raise InputError(reason=Reason.NOT_FOUND)
    return view.page("request.html", status=status, row=row, pdf=paper.here(), why=why)


def _fetch_bundle(view: View) -> Response:
    begun = _begin(view, "bundle")
    if isinstance(begun, Response):
        return begun
    assert view.seat is not None, "the frame lets nobody else here"
    parts = view.site.keeper.asks.parts(begun)
    pieces = bundle.written(view.site, view.seat.subject, begun, parts, view.now_us, own=view.seat.own)
    return StreamingResponse(pieces, media_type=bundle.MEDIA, headers=_as_file(view, "json"))


def _fetch_page(view: View) -> Response:
    return _readable(view, "page")


def _fetch_pdf(view: View) -> Response:
    if not paper.here():
        return _shown(view, why="no-pdf", status=501)
    return _readable(view, "pdf")


def _readable(view: View, form: str) -> Response:
    """Sum a copy up and show it, or give it as PDF, when it is its turn."""
    if not _PLACES.acquire(blocking=False):
        return _shown(view, why="busy", status=503)
    try:
        if not _ONE.acquire(timeout=WAIT_S):
            return _shown(view, why="busy", status=503)
        try:
            return _made(view, form)
        finally:
            _ONE.release()
    finally:
        _PLACES.release()


def _made(view: View, form: str) -> Response:
    begun = _begin(view, form)
    if isinstance(begun, Response):
        return begun
    template = "copy_paper.html" if form == "pdf" else "copy_page.html"
    page = _summary(view, template, begun)
    if form == "page":
        return Response(page, media_type="text/html")
    try:
        pdf = paper.pdf_of(page)
    except InputError:
        return _shown(view, why="no-pdf", status=501)
    return Response(pdf, media_type="application/pdf", headers=_as_file(view, "pdf"))


def _summary(view: View, template: str, begun: Begun) -> str:
    from oathward.bedside.card import called_of

    assert view.seat is not None, "the frame lets nobody else here"
    found = summed(view.site.keeper.asks.parts(begun))
    known = source.around(view.site, view.seat.subject, own=view.seat.own)
    _, left = bundle.consents_of(known, view.seat.subject, view.now_us)
    values = {
        "begun": begun,
        "called": (called_of(begun.card) if begun.card else None) or found.called,
        "found": found,
        "kinds": sorted(
            ((measured.named(view, one.latest), one) for one in found.kinds.values()),
            key=lambda named: (not named[0].ours, named[0].words.casefold(), named[1].latest.place),
        ),
        "left": [one.fact.permit for one in left],
        "looked": known.looked,
        "unknown": view.seat.own and known.said is None,
        "value": partial(measured.value, view),
    }
    return view.render.page(template, view, values)


def _begin(view: View, form: str) -> Begun | Response:
    """Begin to fetch; a page where there is too much of it for now."""
    assert view.seat is not None, "the frame lets nobody else here"
    link = view.request.path_params["link"]
    try:
        return view.site.keeper.asks.begin(view.seat.subject, link, form, view.proof)
    except KeeperError as error:
        if error.reason not in _FULL:
            raise
        return _shown(view, why="busy", status=429)


def _as_file(view: View, ending: str) -> dict[str, str]:
    """Name a file by its day alone: a name of a patient stays off the list of downloads."""
    return {"content-disposition": f'attachment; filename="my-health-data-{view.now:%Y-%m-%d}.{ending}"'}


PAGE = Page(
    "requests.title",
    (
        Route("/requests", _requests, "request"),
        Route("/requests", _ask, "request", "POST"),
        Route("/requests/{link}", _one, "request"),
        Route("/requests/{link}/bundle", _fetch_bundle, "request", "POST"),
        Route("/requests/{link}/page", _fetch_page, "request", "POST"),
        Route("/requests/{link}/pdf", _fetch_pdf, "request", "POST"),
    ),
    order=60,
)
