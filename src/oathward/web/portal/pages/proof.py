"""The proof of one thing that the portal says: a file which anybody can check, the key to check it with, and a program that does.

Rules:
- Only records that pages of this patient name, and of those only what may be handed out: everything else is not there.
- The file is the ledger's own proof (C2SP tlog-proof): record, path, signed checkpoint, and the witness's signature where there is one.
- The program is one file of plain Python that is served as it lies here (``ledger/stranger.py``).

Deliberately absent: checking here. Whoever doubts the site must not have to ask it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import verifying
from oathward.core.db import read
from oathward.core.errors import InputError, LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import note, offline, stranger
from oathward.web.portal import looks, records, told
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from oathward.ledger import Entry
    from oathward.web.portal.view import View

INDEX_DIGITS_MAX = 18
KINDS = frozenset({*told.TOLD, *looks.KINDS})


def _show(view: View) -> Response:
    found = _entry(view)
    keys = verifying.keys_of(view.site.settings)
    return view.page(
        "proof.html",
        entry=found,
        ready=_proof(view, found.index) is not None,
        key=next((note.encode_key(one) for one in keys.log), ""),
        witnesses=[note.encode_key(one, note.COSIGNATURE) for one in keys.witnesses],
    )


def _file(view: View) -> Response:
    found = _entry(view)
    text = _proof(view, found.index)
    if text is None:
        raise InputError(reason=Reason.NOT_FOUND)
    return _attached(text, f"record-{found.index}{offline.SUFFIX}", "text/plain")


def _program(_view: View) -> Response:
    return _attached(Path(stranger.__file__).read_text(encoding="utf-8"), "stranger.py", "text/x-python")


def _entry(view: View) -> Entry:
    asked = view.request.path_params["index"]
    if not (asked.isascii() and asked.isdigit() and len(asked) <= INDEX_DIGITS_MAX):
        raise InputError(reason=Reason.NOT_FOUND)
    with read(view.site.engine) as db:
        found = records.one_about(view, db, KINDS, int(asked))
    if found.kind in told.TOLD:
        said = told.told_of(view, found)
        if said is None or not said.proof:
            raise InputError(reason=Reason.NOT_FOUND)
    return found


def _proof(view: View, index: int) -> str | None:
    """Make the proof; None while nothing signed covers the record yet."""
    try:
        with read(view.site.engine) as db:
            return offline.prove(db, view.site.site, index)
    except LedgerError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise


def _attached(text: str, name: str, kind: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type=f"{kind}; charset=utf-8", headers=headers)


PAGE = Page(
    "proof.title",
    (
        Route("/proof/{index}", _show, "see"),
        Route("/proof/{index}/file", _file, "see"),
        Route("/proof/{index}/stranger.py", _program, "see"),
    ),
)
