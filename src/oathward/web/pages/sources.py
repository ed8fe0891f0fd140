"""Sources: what sensors, logs and captures were read, when each was last heard, what of it could not be read and why.

Rules:
- Files that belong together are one line; who is silent longer than usual stands first and is named.
- Where too little is known to say how often a source is heard, the page says that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.db import read
from oathward.network import listening
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from oathward.web.view import View

FILES_MAX = 20
SHOWS = {"": "All", "silent": "Silent longer than usual", "refused": "With something refused"}


def show(view: View) -> Response:
    """List streams with what was read of each."""
    with read(view.site.engine) as db:
        found = listening.streams(db, view.site.site)
    silent = [one for one in found if one.is_silent(view.now_us)]
    refused = [one for one in found if one.refused or one.unsaid]
    shown = view.asked("show", known=SHOWS)
    rows = {"silent": silent, "refused": refused}.get(shown, found)
    return view.page(
        "sources.html",
        counts={"": len(found), "silent": len(silent), "refused": len(refused)},
        files_max=FILES_MAX,
        rows=sorted(rows, key=lambda one: not one.is_silent(view.now_us)),
        shown=shown,
        shows=SHOWS,
        silent=len(silent),
        sources=sum(len(one.sources) for one in found),
        sources_max=listening.SOURCES_MAX,
    )


PAGE = Page(
    "Sources",
    (Route("/sources", show, action="network.see"),),
    group="Watch",
    key="8",
    order=20,
)
