"""Something went wrong: what it is about, in the holder's words; and what became of what they sent.

Rules:
- Words travel in the body of a form, to the keeper, which seals them; they are not shown again.
- A report may name the record of an opening; whose it is the keeper looks at.
- A form that was not whole comes back with the words still in it.

Deliberately absent: an answer in words (a report comes to a code), mending anything here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.policy.reports import KINDS
from oathward.vault.keeper.client.asks import NO_RECORD
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.portal.view import View

WORDS_MAX = 2_000
_DIGITS_MAX = 15


def _wrong(view: View) -> Response:
    asked = view.request.query_params
    kind, about = asked.get("kind", ""), asked.get("about", "")
    return _page(view, kind if kind in KINDS else "", about if _number(about) >= 0 else "")


def _page(
    view: View, kind: str, about: str, *, words: str = "", failed: str = "", status: int = 200
) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    return view.page(
        "wrong.html",
        status=status,
        about=about,
        failed=failed,
        kind=kind,
        once=uuid7(),
        rows=view.site.keeper.asks.sent(view.seat.subject, view.proof),
        words=Phi(words),
        words_max=WORDS_MAX,
    )


def _report(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    form = view.form
    kind, words, about = form.get("kind", ""), form.get("words", "").strip(), form.get("about", "")
    if kind not in KINDS or not words or len(words) > WORDS_MAX:
        failed = "kind" if kind not in KINDS else "words"
        return _page(view, kind, about, words=words[:WORDS_MAX], failed=failed, status=400)
    once = form.get("once", "")[:64] or uuid7()
    try:
        view.site.keeper.asks.report(
            view.seat.subject, kind, Phi(words), once, view.proof, about=_number(about)
        )
    except KeeperError as error:
        if error.reason is not Reason.LIMIT_EXCEEDED:
            raise
        return _page(view, kind, about, words=words, failed="many", status=409)
    return view.go("/wrong#sent")


def _number(text: str) -> int:
    """Read the number of a record; ``NO_RECORD`` where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else NO_RECORD


PAGE = Page(
    "wrong.title", (Route("/wrong", _wrong, "see"), Route("/wrong", _report, "see", "POST")), order=90
)
